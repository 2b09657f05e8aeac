import math

import pytest

from prostate_alm.bundle import Predictor, find_bundle
from prostate_alm.operating_point import Threshold
from prostate_alm.studies import ACQUIRED, Keys
from prostate_alm.triage import Judge
from prostate_alm.triage.ood import RECORDED, TOLERANCES
from prostate_alm.triage.ood import out_of_distribution as compared

RANGES = {
    "vendors": ["SIEMENS", "GE MEDICAL SYSTEMS"],
    "models": ["Skyra"],
    "field_strengths_t": [3.0],
    "features": {"t2w_p50": [-1.0, 1.0], "adc": [0.5, 2.0]},
}
RANGES |= {
    "acquisition": {name: [2.0, 4.0] for name in ACQUIRED},
    "protocols": ["b 100, 600, 1000 as acquired", "b 50, 400, 800 harmonised"],
}
STATED = dict.fromkeys(ACQUIRED, 3.0) | {"b_values": [100, 600, 1000]}
SCANNER = {"vendor": "SIEMENS", "model": "Skyra", "field_strength_t": 3.0}
FEATURES = {"t2w_p50": 0.0, "adc": 1.0}


def out_of_distribution(scanner, features, ranges, acquisition=STATED, harmonised=False):
    return compared(scanner, features, ranges, acquisition, harmonised)


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


def tolerance_of(name):
    return next(share for kind, share in TOLERANCES.items() if kind in name)


@pytest.mark.parametrize("name", ACQUIRED)
def test_geometry_and_timing_may_pass_the_ends_by_the_stated_tolerance_only(name):
    share = tolerance_of(name)
    below = 0.0 if "slices" in name or "extent_z" in name else share
    low, high = 2.0 * (1 - below), 4.0 * (1 + share)
    for value in (low, 2.0, 4.0, high):
        assert out_of_distribution(SCANNER, FEATURES, RANGES, STATED | {name: value}) == []
    for value in (low * 0.999, high * 1.001, 0.0, -3.0, math.nan, math.inf):
        (reason,) = out_of_distribution(SCANNER, FEATURES, RANGES, STATED | {name: value})
        assert name in reason
        assert "[2, 4]" in reason
        assert f"{value:.4g}" in reason
        assert f"{share:.0%}" in reason


@pytest.mark.parametrize("name", ACQUIRED)
def test_what_a_whole_study_does_not_state_is_a_reason(name):
    (reason,) = out_of_distribution(SCANNER, FEATURES, RANGES, STATED | {name: None})
    assert reason == f"the study does not state its {name}"
    assert out_of_distribution(SCANNER, None, RANGES, STATED | {name: None}) == []


@pytest.mark.parametrize("name", ACQUIRED)
def test_ranges_without_one_figure_are_a_reason(name):
    known = {key: ends for key, ends in RANGES["acquisition"].items() if key != name}
    (reason,) = out_of_distribution(SCANNER, FEATURES, RANGES | {"acquisition": known})
    assert reason == f"the model's training ranges lack {name}"


def test_a_cohort_that_was_prepared_by_an_earlier_version_leaves_every_study_undecided():
    ranges = RANGES | {"acquisition": {}, "protocols": []}
    assert len(out_of_distribution(SCANNER, FEATURES, ranges)) == 2


@pytest.mark.parametrize(
    ("b_values", "harmonised", "known"),
    [
        ([100, 600, 1000], False, True),
        ([50, 100, 600, 1000, 1400], False, True),
        ([50, 400, 800], True, True),
        ([50, 400, 1000], True, False),
        ([100, 600, 1000], True, False),
        ([50, 400, 800], False, False),
        ([], False, False),
    ],
)
def test_b_values_must_come_as_they_did_in_the_training_cohort(b_values, harmonised, known):
    reasons = out_of_distribution(SCANNER, FEATURES, RANGES, STATED | {"b_values": b_values}, harmonised)
    assert (reasons == []) is known
    if not known:
        assert "not in the training cohort (b 100, 600, 1000 as acquired; b 50, 400, 800 harmonised)" in reasons[0]


def test_the_shipped_bundle_records_all_that_is_compared_and_its_threshold_fits():
    predictor = Predictor.load(find_bundle("prostate_dce_classification"))
    ranges = predictor.training_ranges
    assert set(ranges) == set(RECORDED)
    assert set(ranges["acquisition"]) == set(ACQUIRED)
    assert ranges["protocols"] == ["b 100, 600, 1000 as acquired"]
    judge = Judge(predictor, Threshold.load(predictor.threshold_file), Keys(b"a salt for tests only"))
    assert judge.training_ranges == ranges


@pytest.mark.parametrize("name", [name for name in ACQUIRED if "slices" in name or "extent_z" in name])
def test_what_a_lost_end_makes_smaller_may_not_fall_below_the_cohort(name):
    """The rest of a study whose last slices did not arrive looks like a shorter one."""
    assert out_of_distribution(SCANNER, FEATURES, RANGES, STATED | {name: 2.0}) == []
    assert out_of_distribution(SCANNER, FEATURES, RANGES, STATED | {name: 4.0 * 1.19}) == []
    (reason,) = out_of_distribution(SCANNER, FEATURES, RANGES, STATED | {name: 1.95})
    assert reason == f"{name} = 1.95 is outside the training range [2, 4] with its tolerance of 20% upwards"
