"""Out-of-bag logits: a loop as oracle, the measured facts, and the threshold that rests on them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prostate_alm.operating_point import approximate, certify, out_of_bag


def splits(generator, members, cases):
    """Which 80% each member trains on."""
    trained = np.zeros((members, cases), dtype=bool)
    for row in trained:
        row[generator.permutation(cases)[: round(0.8 * cases)]] = True
    return trained


@given(st.integers(1, 6), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_it_is_the_mean_over_the_members_that_did_not_train_on_the_case(members, cases, seed):
    generator = np.random.default_rng(seed)
    logits, trained = generator.normal(size=(members, cases)), generator.random((members, cases)) < 0.7
    result, kept = out_of_bag(logits, trained), []
    for case in range(cases):
        unseen = [float(logits[member, case]) for member in range(members) if not trained[member, case]]
        assert result.kept[case] == bool(unseen)
        if unseen:
            kept.append((pytest.approx(sum(unseen) / len(unseen), abs=1e-12), len(unseen)))
    assert list(zip(result.logits.tolist(), result.members.tolist(), strict=True)) == kept
    assert result.excluded == cases - len(kept)


def test_ten_random_splits_leave_a_tenth_without_a_logit_and_two_members_for_the_rest():
    trained = splits(np.random.default_rng(0), 10, 20_000)
    result = out_of_bag(np.zeros(trained.shape), trained)
    assert result.excluded / 20_000 == pytest.approx(0.8**10, abs=0.01)
    assert result.members.mean() == pytest.approx(2 / (1 - 0.8**10), abs=0.05)  # 2.24
    assert np.median(result.members) == 2


def test_the_logit_of_a_member_that_trained_on_the_case_changes_nothing():
    generator = np.random.default_rng(1)
    trained, logits = splits(generator, 10, 100), generator.normal(size=(10, 100))
    one, other = out_of_bag(logits, trained), out_of_bag(np.where(trained, 1e6, logits), trained)
    np.testing.assert_array_equal(one.logits, other.logits)


def test_tensors_are_taken():
    logits = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.bfloat16, requires_grad=True)
    result = out_of_bag(logits, torch.tensor([[True, False], [True, False]]))
    assert (result.logits.tolist(), result.logits.dtype, result.excluded) == ([3.0], np.float64, 1)


def test_no_members_leave_nothing():
    result = out_of_bag(np.zeros((0, 3)), np.zeros((0, 3), dtype=bool))
    assert (len(result.logits), result.kept.tolist(), result.excluded) == (0, [False] * 3, 3)


@pytest.mark.parametrize(
    ("logits", "trained", "message"),
    [
        ([1.0, 2.0], [True, False], "members, cases"),
        ([[1.0, 2.0]], [[True]], "members, cases"),
        ([[[1.0]]], [[[True]]], "members, cases"),
        ([[1.0, math.nan]], [[False, False]], "finite"),
        ([[1.0, math.inf]], [[False, True]], "finite"),
        ([[1.0, 2.0]], [[0, 1]], "bool"),
    ],
)
def test_what_has_no_mean_is_refused(logits, trained, message):
    with pytest.raises(ValueError, match=message):
        out_of_bag(logits, trained)


def test_an_approximate_threshold_rests_on_the_kept_positives():
    generator = np.random.default_rng(2)
    labels, logits = generator.integers(0, 2, 200), generator.normal(size=(10, 200))
    trained = splits(generator, 10, 200)
    result = out_of_bag(logits, trained)
    threshold = approximate(result, labels[:, None], fn_rate=0.1, risk=0.1, model_sha256="a", cohort_sha256="b")
    oracle = certify(result.logits[labels[result.kept] == 1], fn_rate=0.1, risk=0.1)
    assert (threshold.value, threshold.rank, threshold.n1) == (oracle.value, oracle.rank, oracle.n1)
    assert (threshold.kind, threshold.excluded) == ("approximate", int(trained.all(axis=0).sum()))
    assert (threshold.model_sha256, threshold.cohort_sha256) == ("a", "b")
    assert threshold.excluded > 0


@pytest.mark.parametrize("labels", [np.ones(3), np.full(4, 2), np.ones(2)])
def test_labels_of_all_cases_are_needed(labels):
    trained = np.array([[True, False, False, False]])
    with pytest.raises(ValueError, match=r"one label per logit|0 or 1"):
        approximate(out_of_bag(np.zeros((1, 4)), trained), labels, fn_rate=0.1, risk=0.1)
