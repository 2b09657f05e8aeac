import math

import pytest

from prostate_alm.triage import out_of_distribution

RANGES = {
    "vendors": ["SIEMENS", "GE MEDICAL SYSTEMS"],
    "models": ["Skyra"],
    "field_strengths_t": [3.0],
    "features": {"t2w_p50": [-1.0, 1.0], "adc": [0.5, 2.0]},
}
SCANNER = {"vendor": "SIEMENS", "model": "Skyra", "field_strength_t": 3.0}
FEATURES = {"t2w_p50": 0.0, "adc": 1.0}


@pytest.mark.parametrize(
    "scanner",
    [
        SCANNER,
        {"vendor": " Siemens", "model": "SKYRA", "field_strength_t": 2.8936},
        SCANNER | {"field_strength_t": "3"},
    ],
)
def test_a_study_like_the_training_cohort_has_no_reason(scanner):
    assert out_of_distribution(scanner, FEATURES, RANGES) == []


@pytest.mark.parametrize("edge", [-1.0, 1.0])
def test_the_ends_of_a_range_belong_to_it(edge):
    assert out_of_distribution(SCANNER, FEATURES | {"t2w_p50": edge}, RANGES) == []


@pytest.mark.parametrize(
    ("scanner", "words"),
    [
        ({"vendor": "Philips"}, ["vendor", "Philips", "SIEMENS"]),
        ({"vendor": None}, ["does not state its vendor"]),
        ({"vendor": ""}, ["does not state its vendor"]),
        ({"model": "Vida"}, ["scanner model", "Vida", "Skyra"]),
        ({"model": None}, ["does not state its scanner model"]),
        ({"field_strength_t": 1.5}, ["field strength 1.5 T"]),
        ({"field_strength_t": None}, ["does not state its field strength"]),
        ({"field_strength_t": math.nan}, ["field strength nan"]),
    ],
)
def test_another_scanner_is_one_reason(scanner, words):
    reasons = out_of_distribution(SCANNER | scanner, FEATURES, RANGES)
    assert len(reasons) == 1
    assert all(word in reasons[0] for word in words)


@pytest.mark.parametrize(
    "features",
    [{"t2w_p50": -1.01, "adc": 1.0}, {"t2w_p50": 7.0, "adc": 1.0}, {"t2w_p50": math.nan, "adc": 1.0}, {"adc": 1.0}],
)
def test_a_feature_outside_missing_or_not_a_number_is_named_with_its_range(features):
    (reason,) = out_of_distribution(SCANNER, features, RANGES)
    assert "t2w_p50" in reason
    assert "[-1, 1]" in reason


def test_every_reason_is_told():
    assert len(out_of_distribution({}, {"t2w_p50": 9, "adc": 9}, RANGES)) == 5


def test_without_an_image_the_scanner_is_still_checked():
    assert out_of_distribution(SCANNER, None, RANGES) == []
    assert len(out_of_distribution({}, None, RANGES)) == 3


@pytest.mark.parametrize("name", list(RANGES))
def test_incomplete_ranges_are_a_reason(name):
    (reason,) = out_of_distribution(SCANNER, FEATURES, {key: value for key, value in RANGES.items() if key != name})
    assert name in reason


def test_no_ranges_are_a_reason():
    assert out_of_distribution(SCANNER, FEATURES, None) == ["the model records no training ranges"]
    assert out_of_distribution(SCANNER, FEATURES, RANGES | {"features": {}}) != []
