"""Calibration against scikit-learn and the score equation, its limits, its laws."""

import math
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import beta, norm
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from prostate_alm.metrics import calibration, recalibrated

Z = norm.ppf(0.975)


def cases(seed, size=200, slope=1.0, intercept=0.0):
    """Logits, and labels drawn with probability s(intercept + slope logit)."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-0.5, 1.5, size=size)
    return logits, (generator.uniform(size=size) < expit(intercept + slope * logits)).astype(int)


@pytest.mark.parametrize(("seed", "size", "slope"), [(0, 200, 1.0), (1, 60, 0.4), (2, 500, 2.0), (3, 100, -0.8)])
def test_the_slope_is_that_of_an_unpenalised_regression(seed, size, slope):
    logits, labels = cases(seed, size, slope)
    figure = calibration(logits, labels).slope
    fit = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logits[:, None], labels)
    b = fit.coef_[0, 0]
    assert figure.value == pytest.approx(b, abs=1e-6)
    weight = expit(fit.intercept_ + b * logits) * expit(-fit.intercept_ - b * logits)
    design = np.stack([np.ones_like(logits), logits], axis=1)
    deviation = math.sqrt(np.linalg.inv(design.T @ (design * weight[:, None]))[1, 1])
    assert figure.interval == pytest.approx((b - Z * deviation, b + Z * deviation), abs=1e-5)
    assert (figure.kind, figure.n1, figure.n0) == ("locked", labels.sum(), size - labels.sum())


@pytest.mark.parametrize("shift", [-3.0, 0.0, 0.7])
def test_the_intercept_solves_the_score_equation(shift):
    logits, labels = cases(4, intercept=shift)
    figure = calibration(logits, labels).intercept
    a = brentq(lambda a: expit(a + logits).sum() - labels.sum(), -20, 20, xtol=1e-13)
    half = Z / math.sqrt((expit(a + logits) * (1 - expit(a + logits))).sum())
    assert figure.value == pytest.approx(a, abs=1e-9)
    assert figure.interval == pytest.approx((a - half, a + half), abs=1e-9)


def test_the_brier_score_is_a_mean_with_its_standard_error():
    logits, labels = cases(5)
    figure = calibration(logits, labels).brier
    assert figure.value == pytest.approx(brier_score_loss(labels, expit(logits)), abs=1e-12)
    half = Z * np.std((expit(logits) - labels) ** 2, ddof=1) / math.sqrt(len(labels))
    assert figure.interval == pytest.approx((figure.value - half, figure.value + half), abs=1e-12)


@pytest.mark.parametrize("bins", [1, 4, 10])
def test_without_ties_the_curve_is_that_of_scikit_learn(bins):
    logits, labels = cases(6)
    points = calibration(logits, labels, bins).points
    observed, predicted = calibration_curve(labels, expit(logits), n_bins=bins, strategy="quantile")
    assert [point.predicted for point in points] == pytest.approx(predicted, abs=1e-12)
    assert [point.observed.value for point in points] == pytest.approx(observed, abs=1e-12)
    assert {point.observed.n1 + point.observed.n0 for point in points} == {200 // bins}


@pytest.mark.parametrize(
    ("logits", "bins", "sizes"),
    [
        ([0, 1, 2, 3, 4, 5, 6], 3, [3, 2, 2]),
        ([0, 1, 2], 5, [1, 1, 1]),
        ([0, 1, 1, 1, 1, 1, 2, 3, 4, 5], 5, [6, 2, 2]),  # the tied cases stay with the first of them
        ([0, 1, 2, 3, 4, 4, 4, 4, 4, 4], 5, [2, 2, 6]),
        ([7, 7, 7, 7], 4, [4]),
    ],
)
def test_bins_are_as_equal_as_ties_allow(logits, bins, sizes):
    points = calibration(np.array(logits, float), [0] * len(logits), bins).points
    assert [point.observed.n0 for point in points] == sizes


def test_the_observed_share_has_its_exact_interval():
    points = calibration(np.repeat([-1.0, 2.0], [10, 4]), [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0], bins=2).points
    assert [point.predicted for point in points] == pytest.approx([expit(-1), expit(2)])
    assert [(point.observed.n1, point.observed.n0) for point in points] == [(2, 8), (3, 1)]
    assert points[0].observed.interval == pytest.approx((beta.ppf(0.025, 2, 9), beta.ppf(0.975, 3, 8)), abs=1e-9)


def test_calibrated_probabilities_have_slope_one_and_intercept_zero():
    logits, labels = cases(7, 20_000)
    result = calibration(logits, labels)
    assert result.slope.value == pytest.approx(1, abs=0.06)
    assert result.intercept.value == pytest.approx(0, abs=0.06)
    assert all(abs(point.predicted - point.observed.value) < 0.05 for point in result.points)
    assert result.figures == (result.slope, result.intercept, result.brier)


def test_the_wald_intervals_cover():
    hits = np.zeros(2)
    for seed in range(400):
        result = calibration(*cases(1000 + seed, 150, slope=0.8), bins=1)
        hits[0] += result.slope.interval[0] <= 0.8 <= result.slope.interval[1]
    for seed in range(400):
        result = calibration(*cases(2000 + seed, 150, intercept=0.5), bins=1)
        hits[1] += result.intercept.interval[0] <= 0.5 <= result.intercept.interval[1]
    assert (hits / 400 > 0.915).all()
    assert (hits / 400 < 0.985).all()


@pytest.mark.parametrize(
    ("logits", "labels", "reason"),
    [
        ([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1], "separated"),
        ([0.0, 1.0, 2.0, 3.0], [1, 1, 0, 0], "separated"),
        ([0.0, 1.0, 1.0, 3.0], [0, 0, 1, 1], "separated"),
        ([0.0, 1.0, 1.0, 3.0], [1, 1, 0, 0], "separated"),
        ([2.0, 2.0, 2.0], [0, 1, 1], "equal"),
    ],
)
def test_where_the_slope_has_no_maximum_the_intercept_still_has(logits, labels, reason):
    result = calibration(logits, labels)
    assert (result.slope.value, result.slope.interval) == (None, None)
    assert reason in result.slope.method
    assert expit(result.intercept.value + np.array(logits)).sum() == pytest.approx(sum(labels))


@pytest.mark.parametrize(
    ("labels", "reason"), [([0, 0, 0], "no positives"), ([1, 1, 1], "no negatives"), ([], "no positives")]
)
def test_a_missing_class_leaves_slope_and_intercept_undefined(labels, reason):
    result = calibration(np.arange(float(len(labels))), labels)
    for figure in (result.slope, result.intercept):
        assert (figure.value, figure.interval, figure.method) == (None, None, reason)
    assert (result.brier.value is None) == (not labels)
    assert sum(point.observed.n1 + point.observed.n0 for point in result.points) == len(labels)


def test_the_brier_score_of_few_cases():
    assert calibration([], []).brier.method == "no cases"
    one = calibration([0.0], [1]).brier
    assert (one.value, one.interval) == (0.25, None)
    same = calibration([0.0, 0.0], [0, 1]).brier
    assert same.interval == (0.25, 0.25)
    assert "degenerate" in same.method
    wide = calibration([9.0, 9.0], [0, 1]).brier
    assert wide.interval == (0.0, 1.0)


@pytest.mark.parametrize("size", [1e2, 1e4])
def test_huge_logits_neither_overflow_nor_lose_the_fit(size):
    generator = np.random.default_rng(8)
    logits, labels = generator.normal(size=60), generator.integers(0, 2, size=60)
    small, large = calibration(logits, labels), calibration(size * logits, labels)
    assert large.slope.value == pytest.approx(small.slope.value / size, rel=1e-6)
    assert large.slope.interval == pytest.approx(np.array(small.slope.interval) / size, rel=1e-6)
    assert 0 <= large.brier.value <= 1


def test_an_intercept_without_information_has_no_interval():
    figure = calibration([1e4, -1e4], [0, 1]).intercept
    assert figure.value == pytest.approx(0, abs=1e-6)
    assert figure.interval is None
    assert "information is 0" in figure.method


@pytest.mark.parametrize("gap", [1e-3, 1e-9, 1e-13])
def test_a_far_outlier_does_not_hide_a_small_overlap(gap):
    # by symmetry s(a + b gap) = 1 - s(a): the outliers' misfit balances the overlap's
    figure = calibration([-1e4, 0.0, gap, 1e4], [0, 1, 0, 1]).slope
    b, a = figure.value, -figure.value * gap / 2
    score = gap * expit(a + b * gap) - 1e4 * (expit(-a - b * 1e4) + expit(a - b * 1e4))
    deviation = math.sqrt(0.25 * 2 * (gap / 2) ** 2 + 2 * 1e8 * expit(-b * 1e4))
    assert score == pytest.approx(0, abs=1e-4 * gap)
    assert (figure.interval[1] - b) / Z * deviation == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("negatives", [100, 10_000])
def test_rare_positives_need_shortened_steps_and_get_the_maximum(negatives):
    """Newton's full step overshoots here. Both score equations hold at the slope found."""
    logits = np.concatenate([np.zeros(negatives), [-3.0, 3.0, 6.0, -0.01]])
    labels = np.concatenate([np.zeros(negatives), [0, 1, 1, 1]])
    slope = calibration(logits, labels, bins=1).slope.value
    a = brentq(lambda a: (expit(a + slope * logits) - labels).sum(), -60, 60, xtol=1e-14)
    assert ((labels - expit(a + slope * logits)) @ logits) == pytest.approx(0, abs=1e-6)


def test_a_fit_that_does_not_converge_says_so(monkeypatch):
    monkeypatch.setattr(sys.modules[calibration.__module__], "STEPS", 1)
    figure = calibration(*cases(9)).slope
    assert figure.value is None
    assert "converge" in figure.method


@pytest.mark.parametrize("bins", [0, -1])
def test_no_bins_are_refused(bins):
    with pytest.raises(ValueError, match="below 1"):
        calibration([0.0], [1], bins)
    with pytest.raises(TypeError):
        calibration([0.0], [1], 2.5)


ROWS = st.lists(st.tuples(st.integers(-12, 12), st.booleans()), min_size=1, max_size=30)


def arrays(rows):
    return np.array([row[0] / 4 for row in rows]), np.array([row[1] for row in rows])


@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 12))
def test_order_does_not_matter_and_ties_share_a_bin(rows, random, bins):
    one = calibration(*arrays(rows), bins)
    other = calibration(*arrays(random.sample(rows, len(rows))), bins)
    for a, b in zip(one.figures, other.figures, strict=True):
        assert (a.value, a.method) == (pytest.approx(b.value, abs=1e-6), b.method)
    assert [point.observed for point in one.points] == [point.observed for point in other.points]
    counts = [point.observed.n1 + point.observed.n0 for point in one.points]
    ends = np.cumsum([0, *counts])
    ordered = np.sort(arrays(rows)[0])
    assert ends[-1] == len(rows)
    assert len(counts) <= bins
    assert all(ordered[end - 1] < ordered[end] for end in ends[1:-1])


@given(ROWS, st.sampled_from([-4.0, 0.125, 3.0, 1000.0]))
def test_scaled_logits_divide_the_slope(rows, scale):
    logits, labels = arrays(rows)
    one, other = calibration(logits, labels).slope, calibration(scale * logits, labels).slope
    assert (one.value is None) == (other.value is None)
    assume(one.value is not None)
    assert other.value * scale == pytest.approx(one.value, abs=1e-6)


@given(ROWS, st.floats(-20, 20))
def test_a_shift_moves_the_intercept_against_it(rows, shift):
    logits, labels = arrays(rows)
    one, other = calibration(logits, labels).intercept, calibration(logits + shift, labels).intercept
    assume(one.value is not None)
    assert other.value == pytest.approx(one.value - shift, abs=1e-8)
    assert other.interval == pytest.approx(np.array(one.interval) - shift, abs=1e-6)


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(-20, 20))
def test_recalibration_is_bayes_rule_for_the_odds(before, after, logit):
    moved = recalibrated([logit], calibrated_prevalence=before, prevalence=after)
    likelihood_ratio = math.exp(logit) / (before / (1 - before))
    assert math.exp(moved[0]) == pytest.approx(likelihood_ratio * after / (1 - after), rel=1e-9)


def test_recalibration_makes_a_shifted_cohort_calibrated():
    logits, labels = cases(10, 40_000)
    keep = (labels == 1) | (np.random.default_rng(11).uniform(size=len(labels)) < 0.2)
    before, after = labels.mean(), labels[keep].mean()
    moved = recalibrated(logits[keep][:, None], calibrated_prevalence=before, prevalence=after)
    assert moved.shape == (keep.sum(),)
    assert abs(calibration(logits[keep], labels[keep]).intercept.value) > 1
    assert calibration(moved, labels[keep]).intercept.value == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.2, math.nan])
def test_a_prevalence_outside_its_range_is_refused(wrong):
    for pair in ((wrong, 0.5), (0.5, wrong)):
        with pytest.raises(ValueError, match=r"outside \(0, 1\)"):
            recalibrated([0.0], calibrated_prevalence=pair[0], prevalence=pair[1])


def test_an_absurd_outlier_still_has_an_intercept():
    figure = calibration([1e119, 0.0, 1.0, -1.0], [1, 0, 1, 0]).intercept
    assert figure.value is not None
