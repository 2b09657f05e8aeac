"""Thresholds with a promise: who gets one, what it holds, what it refuses."""

import json
import math
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binom

from prostate_alm.errors import IntegrityError, ModelError, OutputError, RefusedError, UsageError
from prostate_alm.operating_point import MARGIN, Threshold, approximate, certify, out_of_bag, positives_needed


def positives_out_of_bag(logits, excluded):
    """Positives with these logits from one member, and more that it trained on."""
    trained = np.repeat([False, True], [len(logits), excluded])
    cases = out_of_bag([np.concatenate([logits, np.zeros(excluded)])], [trained])
    return cases, np.ones(len(trained))


TABLE = [(0.1, 0.1, 22), (0.1, 0.05, 29), (0.05, 0.05, 59), (0.02, 0.05, 149)]


@pytest.mark.parametrize(("fn_rate", "risk", "needed"), TABLE)
def test_the_table_of_positives_needed(fn_rate, risk, needed):
    assert positives_needed(fn_rate, risk) == needed
    threshold = certify(np.arange(float(needed)), fn_rate=fn_rate, risk=risk)
    assert (threshold.rank, threshold.n1, threshold.kind) == (1, needed, "certified")
    message = f"not certifiable with {needed - 1} positives, {needed} needed"
    with pytest.raises(RefusedError, match=message):
        certify(np.arange(needed - 1.0), fn_rate=fn_rate, risk=risk)
    with pytest.raises(RefusedError, match=message):
        approximate(*positives_out_of_bag(np.arange(needed - 1.0), 3), fn_rate=fn_rate, risk=risk)


@pytest.mark.parametrize(
    ("fn_rate", "risk", "needed"), [(0.5, 0.25, 2), (0.1, 0.81, 2), (0.1, 0.729, 3), (0.99, 0.5, 1)]
)
def test_a_bound_met_exactly_is_enough(fn_rate, risk, needed):
    assert positives_needed(fn_rate, risk) == needed
    assert certify(np.arange(float(needed)), fn_rate=fn_rate, risk=risk).rank >= 1


def test_a_bound_missed_by_a_hair_is_not_enough():
    assert positives_needed(0.1, 0.81 - 1e-12) == 3


def test_no_positives_at_all_are_refused():
    with pytest.raises(RefusedError, match="0 positives, 22 needed"):
        certify([], fn_rate=0.1, risk=0.1)


@given(st.integers(1, 400), st.sampled_from([0.02, 0.05, 0.1, 0.3]), st.sampled_from([0.05, 0.1, 0.2]))
def test_the_rank_is_the_largest_that_the_binomial_tail_allows(n1, fn_rate, risk):
    allowed = [k for k in range(1, n1 + 1) if binom.cdf(k - 1, n1, fn_rate) <= risk]
    logits = np.random.default_rng(n1).permutation(n1).astype(float)
    if not allowed:
        with pytest.raises(RefusedError):
            certify(logits, fn_rate=fn_rate, risk=risk)
        return
    threshold = certify(logits, fn_rate=fn_rate, risk=risk)
    assert threshold.rank == max(allowed)
    assert threshold.value == max(allowed) - 1 - MARGIN
    assert threshold == certify(logits[::-1].copy(), fn_rate=fn_rate, risk=risk)


def test_every_rank_can_be_reached():
    assert certify([1.0, 2.0], fn_rate=0.99, risk=0.99).rank == 2


def test_the_case_that_set_the_threshold_is_not_missed_after_an_export():
    logits = torch.linspace(-2, 3, 40, dtype=torch.float32)[:, None]
    threshold = certify(logits, fn_rate=0.1, risk=0.1)
    chosen = sorted(logits.flatten().tolist())[threshold.rank - 1]
    assert chosen - 2e-3 < threshold.value <= chosen - 1e-5


WIDE = 1e5  # spreads the scores, so that the margin is nothing


@pytest.mark.parametrize(("fn_rate", "risk", "n1"), [*TABLE, (0.1, 0.1, 60), (0.05, 0.1, 200)])
def test_the_promise_holds_in_simulation(fn_rate, risk, n1):
    generator, draws = np.random.default_rng(n1), 2000
    thresholds = [certify(WIDE * generator.uniform(size=n1), fn_rate=fn_rate, risk=risk) for _ in range(draws)]
    # the population's FN rate is P(uniform < t) = t
    broken = np.mean([threshold.value / WIDE > fn_rate for threshold in thresholds])
    exact = binom.cdf(thresholds[0].rank - 1, n1, fn_rate)
    assert broken == pytest.approx(exact, abs=3.5 * math.sqrt(exact * (1 - exact) / draws))
    assert exact <= risk


def test_a_finite_test_set_breaks_the_bound_more_often_than_the_population():
    # 22 calibration positives: rank 1, FN rate Beta(1, 22); more than 10% of 36 test positives are 4 or more
    exact = betabinom.sf(3, 36, 1, 22)
    assert round(exact, 3) == 0.139
    generator, draws = np.random.default_rng(5), 4000
    broken = 0
    for _ in range(draws):
        threshold = certify(WIDE * generator.uniform(size=22), fn_rate=0.1, risk=0.1)
        assert threshold.rank == 1
        broken += np.mean(WIDE * generator.uniform(size=36) < threshold.value) > 0.1
    assert broken / draws == pytest.approx(exact, abs=3.5 * math.sqrt(exact * (1 - exact) / draws))
    assert broken / draws > 0.1


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, math.nan])
def test_rates_outside_their_range_are_usage_errors(value):
    for arguments in ({"fn_rate": value, "risk": 0.1}, {"fn_rate": 0.1, "risk": value}):
        with pytest.raises(UsageError, match=r"outside \(0, 1\)"):
            certify(np.arange(50.0), **arguments)
        with pytest.raises(UsageError, match=r"outside \(0, 1\)"):
            positives_needed(**arguments)


def test_a_broken_calibration_logit_is_refused():
    with pytest.raises(ValueError, match="finite"):
        certify([*np.arange(30.0), math.nan], fn_rate=0.1, risk=0.1)


def test_promises_in_words():
    certified = certify(np.arange(22.0), fn_rate=0.1, risk=0.1)
    assert certified.promise.startswith(
        "certified: FN rate at most 10.0% with 90.0% confidence (22 calibration positives)"
    )
    assert "another vendor" in certified.promise
    rough = approximate(*positives_out_of_bag(np.arange(22.0), 4), fn_rate=0.1, risk=0.1)
    assert rough.promise.startswith("approximate: fewer members, validation-selected")
    assert "4 cases excluded" in rough.promise
    assert "not certified" in rough.promise
    assert (rough.kind, rough.value, rough.confidence) == ("approximate", certified.value, 0.9)


@pytest.fixture
def saved(tmp_path):
    threshold = certify(np.arange(30.0), fn_rate=0.1, risk=0.05, model_sha256="a" * 64, cohort_sha256="b" * 64)
    return threshold, threshold.save(tmp_path / "threshold.json")


def test_a_threshold_survives_its_file(saved):
    threshold, path = saved
    assert Threshold.load(path) == threshold
    content = json.loads(path.read_text())
    assert content["model_sha256"] == "a" * 64
    assert content["cohort_sha256"] == "b" * 64
    assert content["promise"] == threshold.promise
    assert content["confidence"] == 0.95


def test_every_flipped_byte_is_noticed(saved):
    threshold, path = saved
    original = path.read_bytes()
    for position in range(len(original)):
        path.write_bytes(original[:position] + bytes([original[position] ^ 1]) + original[position + 1 :])
        if original[position : position + 1].isspace():  # a changed space between two values may change nothing
            with suppress(IntegrityError):
                assert Threshold.load(path) == threshold
            continue
        with pytest.raises(IntegrityError, match=r"threshold\.json"):
            Threshold.load(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "1", '{"value": 1}', "{"])
def test_a_malformed_file_is_refused(tmp_path, text):
    path = tmp_path / "threshold.json"
    path.write_text(text)
    with pytest.raises(IntegrityError, match=r"threshold\.json"):
        Threshold.load(path)


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        Threshold.load(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(IntegrityError, match="not text"):
        Threshold.load(tmp_path / "binary.json")


def test_a_folder_that_does_not_exist_is_not_written_to(tmp_path):
    with pytest.raises(OutputError):
        certify(np.arange(22.0), fn_rate=0.1, risk=0.1).save(tmp_path / "none" / "threshold.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"value": math.nan},
        {"margin": -1.0},
        {"margin": math.inf},
        {"rank": 0},
        {"rank": 23},
        {"fn_rate": 0.0},
        {"risk": 1.0},
        {"excluded": -1},
        {"kind": "guessed"},
    ],
)
def test_a_threshold_that_cannot_be_is_refused(changes):
    fields = {"value": 0.0, "kind": "certified", "fn_rate": 0.1, "risk": 0.1, "n1": 22, "rank": 1}
    with pytest.raises(ValueError, match=r"not a threshold|kind is"):
        Threshold(**(fields | changes))


def test_confidence_is_the_decimal_that_people_expect():
    threshold = certify(np.arange(40.0), fn_rate=0.1, risk=0.1)
    assert threshold.confidence == float(Fraction(9, 10))
