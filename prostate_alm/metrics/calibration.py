"""Whether probabilities s(logit) can be believed: calibration curve, slope, intercept, Brier score; a changed prior."""

import math
import operator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from prostate_alm.figures import Figure
from prostate_alm.metrics._distributions import (
    CONFIDENCE,
    clopper_pearson,
    log_odds,
    log_sigmoid,
    normal_interval,
    root,
    sigmoid,
)
from prostate_alm.metrics._rates import inside
from prostate_alm.metrics.inputs import Floats, Ranked, Scores, checked, finite

STEPS = 100  # about ten are used; fifty where the classes overlap by one rounding error


@dataclass(frozen=True)
class CalibrationPoint:
    """One bin of a calibration curve.

    Args:
        predicted: mean predicted probability of its cases, in [0, 1].
        observed: share of positives among them, Clopper-Pearson.
    """

    predicted: float
    observed: Figure


@dataclass(frozen=True)
class Calibration:
    """How predicted probabilities and observed labels agree.

    Args:
        points: the calibration curve, probabilities rising; none if there are no cases.
        slope: b of P(positive) = s(a + b logit); 1 is ideal, below 1 the probabilities are too extreme.
        intercept: a of P(positive) = s(a + logit), slope fixed at 1; 0 is ideal, above 0 they are too low.
        brier: mean of (s(logit) - label)^2, in [0, 1].
    """

    points: tuple[CalibrationPoint, ...]
    slope: Figure
    intercept: Figure
    brier: Figure

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Slope, intercept and Brier score."""
        return self.slope, self.intercept, self.brier


def calibration(logits: Scores, labels: Scores, bins: int = 10) -> Calibration:
    """Calibration curve, slope, intercept and Brier score of the probabilities s(logit).

    Bins are quantiles of the logits: the case of rank i (from 0) among B goes to bin floor(i bins / B), tied cases
    with the first of them. Slope by logistic regression of the label on the logit; intercept is calibration in the
    large, by the same regression with the slope fixed at 1. Both by maximum likelihood, Wald interval from the observed
    information. Brier score with the normal interval of its mean, clipped to [0, 1].

    Args:
        logits: raw outputs, numpy or torch; their sigmoid is the probability.
        labels: 1 = critical class.
        bins: of the calibration curve, at least 1; fewer where there are fewer distinct logits.

    Shapes: (B,) or (B, 1) each.

    Returns:
        Figures of kind locked: the probabilities were fixed beforehand on other cases. Slope and intercept have the
        value None if a class is missing, the slope also if the classes are separated or all logits equal; the Brier
        score if there are no cases. It has no interval with fewer than 2 cases.

    Raises:
        ValueError: if `bins` is below 1, or shapes, labels or logits are not as said.

    Example:
        >>> result = calibration([-2.0, -1.0, 1.0, 2.0], [0, 1, 0, 1], bins=2)
        >>> [(round(point.predicted, 3), point.observed.value) for point in result.points]
        [(0.194, 0.5), (0.806, 0.5)]
        >>> round(result.slope.value, 3)
        0.42

    Reference:
        Van Calster et al. 2019, Calibration: the Achilles heel of predictive analytics (slope, intercept); Brier 1950.
    """
    count = operator.index(bins)
    if count < 1:
        raise ValueError(f"bins {bins} is below 1")
    ranked = checked(logits, labels)
    return Calibration(_points(ranked, count), _slope(ranked), _intercept(ranked), _brier(ranked))


def recalibrated(logits: Scores, *, calibrated_prevalence: float, prevalence: float) -> Floats:
    """Logits calibrated at one prevalence, calibrated at another: Bayes' rule for a changed prior.

    logit + log(p/(1 - p)) - log(c/(1 - c)), c the calibrated prevalence and p the new one. It holds if the cases of
    each class look the same at both.

    Args:
        logits: raw outputs, numpy or torch, calibrated at `calibrated_prevalence`.
        calibrated_prevalence: c, usually the share of positives in training, in (0, 1).
        prevalence: p, in (0, 1).

    Shapes: (B,) or (B, 1) in, (B,) float64 out.

    Returns:
        The shifted logits; none for none.

    Raises:
        ValueError: if a prevalence is outside (0, 1), or shape or logits are not as said.

    Example:
        >>> recalibrated([0.0], calibrated_prevalence=0.5, prevalence=0.2).round(3).tolist()
        [-1.386]

    Reference:
        Saerens, Latinne & Decaestecker 2002, Adjusting the outputs of a classifier to new a priori probabilities.
    """
    before, after = inside(calibrated_prevalence, "calibrated prevalence"), inside(prevalence, "prevalence")
    return finite(logits) + (log_odds(after) - log_odds(before))


def _points(ranked: Ranked, bins: int) -> tuple[CalibrationPoint, ...]:
    ranks = np.searchsorted(np.sort(ranked.logits), ranked.logits)  # of the first case of the same logit
    places = ranks * bins // max(len(ranks), 1)
    points: list[CalibrationPoint] = []
    for place in np.unique(places):
        inside_bin = places == place
        cases = Ranked(ranked.logits[inside_bin], ranked.positive[inside_bin])
        total = cases.n1 + cases.n0
        name, interval = f"observed share, bin {place + 1} of {bins}", clopper_pearson(cases.n1, total)
        observed = _figure(name, cases, cases.n1 / total, interval, "Clopper-Pearson")
        points.append(CalibrationPoint(float(sigmoid(cases.logits).mean()), observed))
    return tuple(points)


class _Estimate(NamedTuple):
    """A coefficient and its standard error from the observed information; None if that is 0 in float64."""

    value: float
    deviation: float | None


def _slope(ranked: Ranked) -> Figure:
    name, reason = "calibration slope", _no_slope(ranked)
    if reason:
        return _figure(name, ranked, None, None, reason)
    estimate = _fit_slope(ranked)
    if estimate is None:
        return _figure(name, ranked, None, None, "the fit did not converge: the classes are all but separated")
    return _wald(name, ranked, estimate, "logistic regression on the logit")


def _intercept(ranked: Ranked) -> Figure:
    name = "calibration intercept"
    if ranked.missing_class:
        return _figure(name, ranked, None, None, ranked.missing_class)
    return _wald(name, ranked, _fit_intercept(ranked), "logistic regression, slope fixed at 1")


def _wald(name: str, ranked: Ranked, estimate: _Estimate, method: str) -> Figure:
    if estimate.deviation is None:
        return _figure(name, ranked, estimate.value, None, f"{method}; no interval: the information is 0 in float64")
    interval = normal_interval(estimate.value, estimate.deviation)
    return _figure(name, ranked, estimate.value, interval, f"{method}; Wald interval")


def _brier(ranked: Ranked) -> Figure:
    name, total = "Brier score", len(ranked.logits)
    if total == 0:
        return _figure(name, ranked, None, None, "no cases")
    errors = sigmoid(np.where(ranked.positive, -ranked.logits, ranked.logits)) ** 2  # 1 - s(z) = s(-z)
    value = float(errors.mean())
    if total == 1:
        return _figure(name, ranked, value, None, "mean squared error; no interval: it needs two cases")
    if errors.min() == errors.max():
        method = "mean squared error; degenerate interval: variance 0, the true uncertainty is larger"
        return _figure(name, ranked, value, (value, value), method)
    low, high = normal_interval(value, float(errors.std(ddof=1)) / total**0.5)
    interval = (max(low, 0.0), min(high, 1.0))
    return _figure(name, ranked, value, interval, "mean squared error; normal interval within [0, 1]")


def _figure(
    name: str, ranked: Ranked, value: float | None, interval: tuple[float, float] | None, method: str
) -> Figure:
    return Figure(name, value, interval, CONFIDENCE, ranked.n1, ranked.n0, "locked", method)


def _no_slope(ranked: Ranked) -> str | None:
    """Why the likelihood of intercept and slope has no single maximum, or None.

    It has one exactly if the classes overlap (Albert & Anderson 1984).
    """
    if ranked.missing_class:
        return ranked.missing_class
    positives, negatives = ranked.positives, ranked.negatives
    if ranked.logits.min() == ranked.logits.max():
        return "all logits are equal"
    if negatives.max() <= positives.min() or positives.max() <= negatives.min():
        return "the classes are separated: the likelihood has no maximum"
    return None


def _fit_slope(ranked: Ranked) -> _Estimate | None:
    """b of P(positive) = s(a + b z), where `_no_slope` gives no reason; None if Newton's method does not converge.

    Newton's step on scaled logits centred by the weights; halved while the likelihood falls. The origin lies where the
    classes overlap: differences there are what the fit rests on, and a far outlier must not round them away.
    SciPy's `optimize.root` was tried: it fails on about 1% of small random samples, with outliers or a thin overlap.
    """
    origin = max(float(ranked.positives.min()), float(ranked.negatives.min()))
    scale = float(ranked.logits.max()) - float(ranked.logits.min())
    z, sign = (ranked.logits - origin) / scale, np.where(ranked.positive, 1.0, -1.0)

    def loss(a: float, b: float) -> float:
        return -float(log_sigmoid(sign * (a + b * z)).sum())

    a, b, estimate = math.log(ranked.n1 / ranked.n0), 0.0, None
    for _ in range(STEPS):
        fitted = a + b * z
        residual, weight = sign * sigmoid(-sign * fitted), sigmoid(fitted) * sigmoid(-fitted)
        total = float(weight.sum())
        mean = float(weight @ z) / total
        centred = z - mean
        information, score = float(weight @ centred**2), float(residual @ centred)
        step_b = score / information
        step_a = float(residual.sum()) / total - mean * step_b
        if score**2 / information + float(residual.sum()) ** 2 / total < 1e-16:  # within 1e-8 standard errors
            estimate = _Estimate(b / scale, 1 / math.sqrt(information) / scale)
            if float(np.abs(step_a + step_b * z).max()) < 1e-8:  # the information has settled too
                break
        share, before = 1.0, loss(a, b)
        while loss(a + share * step_a, b + share * step_b) > before * (1 + 1e-12):
            share /= 2
        a, b = a + share * step_a, b + share * step_b
    return estimate


def _fit_intercept(ranked: Ranked) -> _Estimate:
    """a of P(positive) = s(a + z), slope fixed at 1; both classes must be there.

    The residuals of the positives and of the negatives balance. Their logarithms are compared, so that logits of 1e4
    cancel nothing.
    """
    positives, negatives = ranked.positives, ranked.negatives

    def imbalance(a: float) -> float:
        return _log_sum(log_sigmoid(a + negatives)) - _log_sum(log_sigmoid(-a - positives))

    prior = math.log(ranked.n1 / ranked.n0)
    # one logit further than the root can lie, for rounding
    a = root(imbalance, prior - float(ranked.logits.max()) - 1, prior - float(ranked.logits.min()) + 1)
    fitted = a + ranked.logits
    information = float((sigmoid(fitted) * sigmoid(-fitted)).sum())
    return _Estimate(a, 1 / math.sqrt(information) if information > 0 else None)


def _log_sum(logarithms: Floats) -> float:
    return float(np.logaddexp.reduce(logarithms))
