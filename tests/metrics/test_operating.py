"""FPR at misses and at sensitivity: crafted cases, a loop as oracle, laws."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import beta

from prostate_alm.metrics import fpr_at_fn, fpr_at_tpr, threshold_at_fn

#        positives 4 3 2 1, negatives 3.5 2 0.5 0 (one tied with the positive 2)
LOGITS = np.array([4.0, 3.0, 2.0, 1.0, 3.5, 2.0, 0.5, 0.0])
LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("misses", "value", "threshold"), [(0, 0.5, 1.0), (1, 0.5, 2.0), (2, 0.25, 3.0), (3, 0.0, 4.0)]
)
def test_a_tie_with_the_threshold_is_a_false_positive(misses, value, threshold):
    figure = fpr_at_fn(LOGITS, LABELS, misses)
    assert (figure.name, figure.value, figure.kind) == (f"FPR@{misses}FN", value, "oracle")
    found = threshold_at_fn(LOGITS, LABELS, misses)
    assert (found.name, found.value, found.interval, found.kind) == (f"threshold@{misses}FN", threshold, None, "oracle")
    assert "no interval" in found.method


@pytest.mark.parametrize("misses", [-1, 4, 5])
def test_more_misses_than_positives_is_undefined(misses):
    figure = fpr_at_fn(LOGITS, LABELS, misses=misses)
    assert (figure.value, figure.interval) == (None, None)
    assert "0 <= misses < positives" in figure.method
    threshold = threshold_at_fn(LOGITS, LABELS, misses)
    assert (threshold.value, threshold.method) == (None, figure.method)


def test_the_threshold_needs_positives_alone():
    assert threshold_at_fn([1.0, 2.0], [1, 1]).value == 1.0
    without = threshold_at_fn([1.0, 2.0], [0, 0])
    assert (without.value, without.method) == (None, "no positives")


@pytest.mark.parametrize(("label", "reason"), [(0, "no positives"), (1, "no negatives")])
def test_a_missing_class_is_undefined(label, reason):
    for figure in (fpr_at_fn([1.0, 2.0], [label] * 2), fpr_at_tpr([1.0, 2.0], [label] * 2, 0.5)):
        assert (figure.value, figure.interval, figure.method) == (None, None, reason)


def test_misses_are_whole_numbers():
    with pytest.raises(TypeError):
        fpr_at_fn(LOGITS, LABELS, misses=0.5)


def test_the_interval_is_exact_on_the_negatives():
    logits = np.concatenate([np.full(36, 5.0), np.full(20, 6.0), np.full(44, 0.0)])
    figure = fpr_at_fn(logits, np.repeat([1, 0], [36, 64]))
    assert figure.value == 20 / 64
    assert figure.interval == pytest.approx((beta.ppf(0.025, 20, 45), beta.ppf(0.975, 21, 44)), abs=1e-9)
    assert (figure.n1, figure.n0, figure.confidence) == (36, 64, 0.95)


def largest_misses(n1, decimal):
    """The definition with whole numbers: tpr = decimal/1000."""
    return max(k for k in range(n1 + 1) if (n1 - k) * 1000 >= decimal * n1)


@pytest.mark.parametrize("n1", [1, 7, 10, 20, 36, 60, 100, 1000])
@pytest.mark.parametrize("decimal", [1, 100, 300, 550, 700, 800, 900, 950, 975, 999, 1000])
def test_the_cutoff_is_exact_where_floating_point_is_not(n1, decimal):
    logits, labels = np.arange(2.0 * n1), np.tile([1, 0], n1)
    figure = fpr_at_tpr(logits, labels, decimal / 1000)
    assert figure.value == fpr_at_fn(logits, labels, largest_misses(n1, decimal)).value
    assert fpr_at_tpr(logits, labels, Fraction(decimal, 1000)).value == figure.value
    assert fpr_at_tpr(logits, labels, np.float32(decimal / 1000)).value == figure.value


@pytest.mark.parametrize(("tpr", "name"), [(0.95, "FPR@95%TPR"), (1, "FPR@100%TPR"), (0.975, "FPR@97.5%TPR")])
def test_the_name_says_the_sensitivity(tpr, name):
    assert fpr_at_tpr(LOGITS, LABELS, tpr).name == name


@pytest.mark.parametrize("tpr", [0.0, -0.1, 1.01, float("nan")])
def test_a_sensitivity_outside_its_range_is_refused(tpr):
    with pytest.raises(ValueError, match=r"outside|Invalid"):
        fpr_at_tpr(LOGITS, LABELS, tpr)


SCORES = st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=2, max_size=40)


@given(SCORES, st.integers(0, 6))
def test_laws_of_the_rate_at_misses(rows, misses):
    logits, labels = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows])
    assume(labels.any() and not labels.all())
    figure = fpr_at_fn(logits, labels, misses)
    assert (figure.value is None) == (misses >= labels.sum())
    assume(figure.value is not None)
    threshold = sorted(logits[labels])[misses]
    assert figure.value == sum(logit >= threshold for logit in logits[~labels]) / (~labels).sum()
    assert figure.interval[0] <= figure.value <= figure.interval[1]
    assert figure.value <= fpr_at_fn(logits, labels, 0).value == fpr_at_tpr(logits, labels, 1.0).value
    assert figure.value == fpr_at_fn((4 * logits + 3)[::-1], labels[::-1], misses).value
