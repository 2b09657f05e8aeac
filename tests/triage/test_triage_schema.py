"""The published schema: what it lets through is a result, and its consistency is that of the code."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from prostate_alm.triage.decision import Decision

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schema" / "triage-1.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
SERIES = {"description": "t2_tse_tra", "b": None, "source_tag": None}
QC = {
    "b_values_found": [100, 600, 1000],
    "missing": [],
    "scanner": {},
    "acquisition": {},
    "features": {"t2w_mean": 0.1},
}


def result(**changes):
    values = {
        "study_key": "0" * 20,
        "logit": -1.0,
        "threshold": {"value": 0.0, "promise": "a promise"},
        "reasons": (),
        "series_used": dict.fromkeys(("t2", "b100", "b600", "b1000"), SERIES),
        "harmonised": False,
        "qc": QC,
        "model": {"name": "m", "version": "1", "sha256": "a" * 64},
        "rules": {"fingerprint": "b" * 64, "changed": []},
        "software_version": "0",
        "seconds": {"total": 0.0},
    }
    return Decision(**(values | changes)).to_json()


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)
    described = [name for name, value in SCHEMA["properties"].items() if value.get("description")]
    assert described == list(SCHEMA["properties"])


@given(
    st.none() | st.floats(-50, 50),
    st.lists(st.text(min_size=1), max_size=3, unique=True),
    st.floats(-9, 9),
    st.booleans(),
)
def test_whatever_the_code_decides_is_valid(logit, reasons, value, harmonised):
    reasons = reasons or (["no logit"] if logit is None else [])
    fit = {"method": "x"} if harmonised else None
    VALIDATOR.validate(
        result(
            logit=logit,
            reasons=tuple(reasons),
            threshold={"value": value, "promise": "p"},
            harmonised=harmonised,
            harmonisation=fit,
        )
    )


UNDECIDED = {"logit": None, "reasons": ("no DWI",), "qc": {}, "series_used": {}}
WRONG = {
    "undecided without a reason": (UNDECIDED, {"reasons": []}),
    "undecided and spared": (UNDECIDED, {"treat_as": "dce_not_required"}),
    "spared without a logit": ({}, {"logit": None}),
    "spared with a reason": ({}, {"reasons": ["another vendor"]}),
    "spared and treated": ({}, {"treat_as": "dce_required"}),
    "required and spared": ({"logit": 1.0}, {"treat_as": "dce_not_required"}),
    "spared without a series": ({}, {"series_used": dict.fromkeys(("t2", "b100", "b600", "b1000"))}),
    "spared with a missing image": ({}, {"qc": QC | {"missing": ["dwi_b600"]}}),
    "spared without the checks": ({}, {"qc": {}}),
    "another word": ({}, {"decision": "maybe"}),
    "another version": ({}, {"schema_version": 2}),
    "a further key": ({}, {"patient_name": "x"}),
    "a further figure": ({}, {"qc": QC | {"patient": "x"}}),
    "a key that is no key": ({}, {"study_key": "1.2.840.113619"}),
    "a fit without need": ({}, {"harmonisation": {}}),
    "a need without fit": ({}, {"harmonised": True}),
    "a file of another name": ({}, {"files": ["report.pdf"]}),
    "a reason twice": (UNDECIDED, {"reasons": ["a", "a"]}),
    "a hash that is none": ({}, {"inputs_key": "abc"}),
    "a threshold without promise": ({}, {"threshold": {"value": 0.0}}),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused(name):
    made, change = WRONG[name]
    sound = result(**made)
    VALIDATOR.validate(sound)
    assert not VALIDATOR.is_valid(sound | change)


@pytest.mark.parametrize("key", [key for key in SCHEMA["properties"] if key not in ("notice", "harmonisation")])
def test_every_key_must_be_there(key):
    assert not VALIDATOR.is_valid({name: value for name, value in result().items() if name != key})
