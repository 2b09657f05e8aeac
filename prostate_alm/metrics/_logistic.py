"""Logistic regression of a label on one logit, by maximum likelihood in float64.

A general solver of SciPy was tried: `optimize.root` and `minimize(method="trust-exact")` lose nearly separated classes
and far outliers (about 1% of random small samples). Newton's step on the centred logit loses none, and is as short.
"""

import math
from typing import NamedTuple

import numpy as np

from prostate_alm.metrics._distributions import log_sigmoid, root, sigmoid
from prostate_alm.metrics.inputs import Floats, Ranked

STEPS = 100  # about ten are used; fifty where the classes overlap by one rounding error


class Estimate(NamedTuple):
    """A coefficient and its standard error from the observed information; None if that is 0 in float64."""

    value: float
    deviation: float | None


def no_slope(ranked: Ranked) -> str | None:
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


def slope(ranked: Ranked) -> Estimate | None:
    """b of P(positive) = s(a + b z), where `no_slope` gives no reason; None if Newton's method does not converge.

    Newton's step on logits scaled to [0, 1] and centred by the weights; halved while the likelihood falls.
    """
    low, high = float(ranked.logits.min()), float(ranked.logits.max())
    z, sign = (ranked.logits - low) / (high - low), np.where(ranked.positive, 1.0, -1.0)

    def loss(a: float, b: float) -> float:
        return -float(log_sigmoid(sign * (a + b * z)).sum())

    a, b = math.log(ranked.n1 / ranked.n0), 0.0
    for _ in range(STEPS):
        fitted = a + b * z
        residual, weight = sign * sigmoid(-sign * fitted), sigmoid(fitted) * sigmoid(-fitted)
        total = float(weight.sum())
        mean = float(weight @ z) / total
        centred = z - mean
        information, score = float(weight @ centred**2), float(residual @ centred)
        step_b = score / information
        step_a = float(residual.sum()) / total - mean * step_b
        share, before = 1.0, loss(a, b)
        while loss(a + share * step_a, b + share * step_b) > before * (1 + 1e-12):
            share /= 2
        a, b = a + share * step_a, b + share * step_b
        if score**2 / information + float(residual.sum()) ** 2 / total < 1e-16:  # 1e-8 standard errors, then one step
            return Estimate(b / (high - low), 1 / math.sqrt(information) / (high - low))
    return None


def intercept(ranked: Ranked) -> Estimate:
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
    return Estimate(a, 1 / math.sqrt(information) if information > 0 else None)


def _log_sum(logarithms: Floats) -> float:
    return float(np.logaddexp.reduce(logarithms))
