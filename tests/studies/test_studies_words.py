"""Free text that reaches outputs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prostate_alm.studies.words import (
    _MODELS,
    ALLOWED,
    safe_description,
    safe_modality,
    safe_model,
    safe_vendor,
    words_of,
)


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("t2_tse_tra", "t2_tse_tra"),
        ("ep2d_diff_tra_DYNDIST_ADC", "ep2d_diff_tra_DYNDIST_ADC"),
        ("ep2d_diff_tra_DYNDISTCALC_BVAL", "ep2d_diff_tra_DYNDISTCALC_BVAL"),
        ("Müller Hans t2", "* * t2"),
        ("DWI b50 (12.03.1961)", "DWI b50 *"),
        ("b123456", "*"),
        ("B1968 t2", "* t2"),
        ("dwi b1000 b0 b750", "dwi b1000 b0 b750"),
        ("<script>", "*"),
        ("", ""),
    ],
)
def test_only_known_words_survive(raw, safe):
    assert safe_description(raw) == safe


@given(st.text(max_size=40))
def test_nothing_else_survives_any_text(raw):
    for word in safe_description(raw).replace("_", " ").split():
        assert word == "*" or word.lower() in ALLOWED or (word[0] in "bB" and word[1:].isdigit() and len(word) <= 5)


def test_words_of_splits_at_underscores():
    assert words_of("T2W_TSE ax") == ["t2w", "tse", "ax"]


@pytest.mark.parametrize(
    ("raw", "vendor"),
    [("SIEMENS", "Siemens"), ("Siemens Healthineers", "Siemens"), ("GE MEDICAL SYSTEMS", "GE"), ("GE", "GE"),
     ("Philips Medical Systems", "Philips"), ("Phantom", "Phantom"), ("St. Anna hospital", "other"), ("", "")],
)  # fmt: skip
def test_vendors_are_one_of_a_short_list(raw, vendor):
    assert safe_vendor(raw) == vendor


def test_modalities_are_one_of_a_short_list():
    assert [safe_modality(text) for text in ("MR", "CT", "MILLER", "")] == ["MR", "CT", "other", "other"]


@pytest.mark.parametrize(
    ("raw", "model"),
    [("<b>Skyra</b> 3T", "Skyra 3T"), ("MAGNETOM Prisma_fit", "MAGNETOM Prisma fit"), ("uMR 770", "uMR 770"),
     ("Ingenia Elition X", "Ingenia Elition X"), ("SIGNA Premier", "SIGNA Premier"), ("DOE JOHN 19500101", "other"),
     ("prostate_alm phantom", "prostate_alm phantom"), ("Skyra of Dr Miller", "Skyra"), ("  ", ""), ("", "")],
)  # fmt: skip
def test_a_model_keeps_known_words(raw, model):
    assert safe_model(raw) == model


@given(st.text(max_size=40))
def test_a_model_keeps_nothing_else(raw):
    assert safe_model(raw) in {"", "other", raw} or set(safe_model(raw).lower().split()) <= _MODELS
    assert safe_model(raw) != raw or raw == "" or set(raw.lower().split()) <= _MODELS | {"other"}
