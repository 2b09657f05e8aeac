"""AUC against scikit-learn, DeLong against its O(mn) definition."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from prostate_alm.metrics import auc, paired_delong


def cases(seed, n1=36, n0=64, ties=False):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.repeat([1, 0], [n1, n0]))
    logits = generator.normal(size=n1 + n0) + 1.2 * labels
    return (np.round(logits) if ties else logits), labels


def kernel(logits, labels):
    """psi (n1, n0): 1 if the positive is above the negative, a half if tied."""
    positives, negatives = logits[labels == 1], logits[labels == 0]
    table = np.zeros((len(positives), len(negatives)))
    for i, positive in enumerate(positives):
        for j, negative in enumerate(negatives):
            table[i, j] = 1.0 if positive > negative else 0.5 if positive == negative else 0.0
    return table


def quadratic_variance(table):
    m, n = table.shape
    v10, v01 = table.mean(axis=1), table.mean(axis=0)
    mean = table.mean()
    return ((v10 - mean) ** 2).sum() / (m - 1) / m + ((v01 - mean) ** 2).sum() / (n - 1) / n


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("seed", "n1", "n0"), [(0, 36, 64), (1, 5, 90), (2, 2, 2), (3, 40, 3)])
def test_auc_and_interval_equal_the_definition(seed, n1, n0, ties):
    logits, labels = cases(seed, n1, n0, ties)
    figure = auc(logits, labels)
    assert figure.value == pytest.approx(roc_auc_score(labels, logits), abs=1e-12)
    assert (figure.n1, figure.n0) == (n1, n0)
    value, deviation = figure.value, math.sqrt(quadratic_variance(kernel(logits, labels)))
    if deviation > 0:
        half = norm.ppf(0.975) * deviation / (value * (1 - value))
        centre = math.log(value / (1 - value))
        bounds = [1 / (1 + math.exp(-(centre - half))), 1 / (1 + math.exp(-(centre + half)))]
        assert figure.interval == pytest.approx(bounds, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_paired_test_equals_the_definition(seed, ties):
    a, labels = cases(seed, ties=ties)
    b = a + np.random.default_rng(seed + 50).normal(size=len(a))
    b = np.round(b) if ties else b
    test = paired_delong(a, b, labels)
    table = kernel(a, labels) - kernel(b, labels)
    deviation = math.sqrt(quadratic_variance(table))
    assert test.difference.value == pytest.approx(table.mean(), abs=1e-12)
    assert test.p_value == pytest.approx(2 * norm.sf(abs(table.mean()) / deviation), abs=1e-9)
    half = norm.ppf(0.975) * deviation
    assert test.difference.interval == pytest.approx((table.mean() - half, table.mean() + half), abs=1e-12)


@pytest.mark.parametrize("direction", [1, -1])
def test_perfect_separation_is_called_degenerate(direction):
    figure = auc(direction * np.arange(10.0), np.repeat([0, 1], 5))
    assert figure.value == (1.0 if direction == 1 else 0.0)
    assert figure.interval == (figure.value, figure.value)
    assert "degenerate" in figure.method


@pytest.mark.parametrize(
    ("labels", "reason"), [([0, 0, 0], "no positives"), ([1, 1, 1], "no negatives"), ([], "no positives")]
)
def test_a_missing_class_leaves_the_figures_undefined(labels, reason):
    logits = np.arange(float(len(labels)))
    figure, test = auc(logits, labels), paired_delong(logits, logits, labels)
    assert (figure.value, figure.interval, figure.method) == (None, None, reason)
    assert (test.difference.value, test.p_value, test.difference.method) == (None, None, reason)


def test_one_case_of_a_class_gives_a_value_without_an_interval():
    figure, test = auc([0, 1, 2], [0, 1, 0]), paired_delong([0, 1, 2], [1, 2, 0], [0, 1, 0])
    assert (figure.value, figure.interval) == (0.5, None)
    assert (test.difference.value, test.difference.interval, test.p_value) == (-0.5, None, None)


def test_identical_scores_differ_by_nothing():
    logits, labels = cases(7)
    for other in (logits, 3 * logits + 1):
        test = paired_delong(logits, other, labels)
        assert (test.difference.value, test.p_value) == (0.0, 1.0)


def test_a_difference_of_variance_zero_has_no_p():
    logits, labels = np.arange(8.0), np.repeat([0, 1], 4)
    test = paired_delong(logits, -logits, labels)
    assert (test.difference.value, test.p_value) == (1.0, None)
    assert "degenerate" in test.difference.method


def test_a_constant_difference_has_exactly_no_variance():
    """Every placement differs by a third, which floating point cannot hold: whole counts can."""
    labels = np.repeat([1, 0], 3)
    test = paired_delong([1, 3, 5, 0, 2, 4], [0, 2, 4, 1, 3, 5], labels)
    assert test.difference.value == 1 / 3
    assert test.difference.interval == (1 / 3, 1 / 3)
    assert test.p_value is None


def test_ranking_is_in_float64():
    step = 2.0**-40
    assert auc(np.array([1.0, 1.0 + step]), [0, 1]).value == 1.0
    assert auc(np.array([40.0, 41.0]), [0, 1]).value == 1.0  # both sigmoids are 1 in float32


def test_a_million_cases_take_seconds():
    logits, labels = cases(0, 300_000, 700_000)
    start = time.perf_counter()
    assert auc(logits, labels).value == pytest.approx(norm.cdf(1.2 / math.sqrt(2)), abs=0.005)
    assert time.perf_counter() - start < 10


SCORES = st.lists(st.tuples(st.integers(-30, 30), st.booleans()), min_size=4, max_size=40)


@given(SCORES, st.randoms(use_true_random=False))
def test_order_and_any_rising_transform_change_nothing(rows, random):
    shuffled = random.sample(rows, len(rows))
    logits, labels = np.array([row[0] for row in rows], float), [row[1] for row in rows]
    moved, marks = np.array([row[0] for row in shuffled], float), [row[1] for row in shuffled]
    one, other = auc(logits, labels), auc(moved**3 + 8 * moved - 5, marks)
    assert other.value == one.value
    assert (one.interval is None) == (other.interval is None)
    if one.interval:
        assert other.interval == pytest.approx(one.interval, abs=1e-9)


@given(SCORES)
def test_turning_scores_or_labels_round_mirrors_the_auc(rows):
    logits, labels = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows])
    value = auc(logits, labels).value
    if value is not None:
        assert auc(-logits, labels).value == pytest.approx(1 - value, abs=1e-12)
        assert auc(logits, ~labels).value == pytest.approx(1 - value, abs=1e-12)
