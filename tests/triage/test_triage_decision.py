import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import prostate_alm
from prostate_alm.triage.decision import Decision, Outcome, decide, plain


def decision(**changes):
    values = {
        "study_key": "0123456789abcdef",
        "logit": -1.0,
        "threshold": {"value": 0.0, "promise": "a promise"},
        "reasons": (),
        "series_used": {},
        "harmonised": False,
        "qc": {},
        "model": {"name": "m", "version": "1", "sha256": "a" * 64},
        "rules": {"fingerprint": "b" * 64, "changed": []},
        "software_version": "0",
        "seconds": {"total": 0.0},
    }
    return Decision(**(values | changes))


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e6, 1e6))
def test_a_decided_study_follows_the_locked_rule(logit, value):
    assert decide(logit, value, []) == ("dce_not_required" if logit < value else "dce_required")


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf, None])
def test_a_broken_logit_or_threshold_spares_nobody(broken):
    assert decide(broken, 0.0, []) == "undecided"
    if broken is not None:
        assert decide(-9.0, broken, []) == "undecided"


def test_only_one_place_can_spare_a_study():
    package = Path(prostate_alm.__file__).parent
    places = [path for path in package.rglob("*.py") if "return Outcome.DCE_NOT_REQUIRED" in path.read_text()]
    texts = [path for path in package.rglob("*.py") if re.search(r'return .*"dce_not_required"', path.read_text())]
    assert [path.name for path in places] == ["decision.py"]
    assert texts == []


@pytest.mark.parametrize(
    ("logit", "threshold", "reasons", "expected"),
    [
        (0.0, 0.0, [], "dce_required"),
        (-1e-9, 0.0, [], "dce_not_required"),
        (-9.0, 0.0, ["any reason"], "undecided"),
        (9.0, 0.0, ["any reason"], "undecided"),
        (None, 0.0, [], "undecided"),
        (math.nan, 0.0, [], "undecided"),
        (-math.inf, 0.0, [], "undecided"),
        (math.inf, 0.0, [], "undecided"),
        (-1.0, math.nan, [], "undecided"),
        (-1.0, math.inf, [], "undecided"),
    ],
)
def test_only_a_finite_logit_below_a_finite_threshold_without_reasons_is_not_required(
    logit, threshold, reasons, expected
):
    assert decide(logit, threshold, reasons) == expected


def test_an_outcome_cannot_be_set():
    with pytest.raises(TypeError):
        decision(outcome=Outcome.DCE_NOT_REQUIRED)


def test_undecided_without_a_reason_is_a_bug():
    with pytest.raises(ValueError, match="needs a reason"):
        decision(logit=None)


def test_undecided_is_treated_as_required():
    assert decision(reasons=("r",)).treat_as == "dce_required"
    assert decision().treat_as == "dce_not_required"
    assert decision(logit=1.0).treat_as == "dce_required"


KEYS = {*["schema_version", "study_key", "decision", "logit", "threshold", "reasons", "series_used", "harmonised"]}
KEYS |= {"treat_as", "rules", "files"}
KEYS |= {*["qc", "model", "software_version", "seconds", "inputs_key", "settings_key", "place_key"]}


def test_the_keys_of_the_json():
    content = decision().to_json()
    assert set(content) == KEYS
    assert set(content["series_used"]) == {"t2", "b100", "b600", "b1000"}
    assert set(content["threshold"]) == {"value", "promise"}
    assert set(content["model"]) == {"name", "version", "sha256"}


def test_notice_and_harmonisation_stand_only_where_there_is_one():
    content = decision(notice="demo weights", harmonised=True, harmonisation={"fit": "x"}).to_json()
    assert set(content) == KEYS | {"notice", "harmonisation"}
    assert (content["notice"], content["harmonisation"]) == ("demo weights", {"fit": "x"})


@pytest.mark.parametrize(
    "changes", [{}, {"logit": None, "reasons": ("r",)}, {"harmonised": True, "harmonisation": {"a": 1}}]
)
def test_json_and_back(changes):
    content = json.loads(json.dumps(decision(**changes).to_json(), allow_nan=False))
    assert Decision.from_json(content).to_json() == content


@pytest.mark.parametrize(
    "damage",
    [
        {"decision": "dce_not_required", "logit": 2.0},
        {"decision": "dce_not_required", "reasons": ["broken"]},
        {"decision": "dce_not_required", "reasons": "broken"},
        {"decision": "dce_not_required", "logit": None},
        {"decision": "dce_not_required", "logit": "low"},
        {"treat_as": "dce_required"},
        {"schema_version": 99},
        {"threshold": {}},
        {"threshold": None},
        {"model": {"name": "m"}},
        {"unknown": 1},
    ],
)
def test_a_changed_result_is_not_believed(damage):
    with pytest.raises((ValueError, KeyError, TypeError)):
        Decision.from_json(decision().to_json() | damage)


@pytest.mark.parametrize("content", [None, [], "text", {}])
def test_what_is_no_result_is_not_believed(content):
    with pytest.raises((ValueError, KeyError, TypeError)):
        Decision.from_json(content)


def test_plain_gives_what_json_can_hold():
    class Odd:
        def __str__(self):
            return "odd"

    content = {1: [math.inf, True, None, 3, "x", Odd()], "set": {2}}
    assert plain(content) == {"1": [None, True, None, 3, "x", "odd"], "set": [2]}
