"""AUC with its DeLong interval, and the paired test of two AUCs on the same cases.

Placements by midranks: m positives, n negatives, TZ = midranks of all, TX and TY = midranks within positives and
negatives; AUC = sum(TZ+)/(m n) - (m + 1)/(2 n); V10 = (TZ+ - TX)/n; V01 = 1 - (TZ- - TY)/m;
variance = var(V10)/m + var(V01)/n.
Source: DeLong, DeLong & Clarke-Pearson 1988; Sun & Xu 2014 (O(n log n)).
"""

import math
from dataclasses import dataclass

import numpy as np

from prostate_alm.figures import Figure
from prostate_alm.metrics._distributions import CONFIDENCE, logit_interval, midranks, normal_interval, two_sided_p
from prostate_alm.metrics.inputs import Floats, Ranked, Scores, checked


@dataclass(frozen=True)
class PairedDeLong:
    """Two AUCs on the same cases.

    Args:
        difference: AUC of the first model minus AUC of the second.
        p_value: two-sided; 1 for identical scores; None if undefined (`difference.method` says why).
    """

    difference: Figure
    p_value: float | None


def auc(logits: Scores, labels: Scores) -> Figure:
    """Area under the ROC curve: the chance that a positive outranks a negative, ties counting a half.

    The interval is DeLong's, made on the logit scale. An AUC of exactly 0 or 1 has variance 0; its interval is
    degenerate and `method` says so. With fewer than two cases of a class there is no interval.

    Args:
        logits: raw outputs, numpy or torch; higher means more likely positive.
        labels: 1 = critical class.

    Shapes: (B,) or (B, 1) each.

    Returns:
        Figure `AUC`; value None if a class is missing.

    Raises:
        ValueError: if shapes, labels or logits are not as said.

    Example:
        >>> auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).value
        0.75
    """
    ranked = checked(logits, labels)
    if ranked.missing_class:
        return _figure("AUC", ranked, None, None, ranked.missing_class)
    value, v10, v01 = _placements(ranked)
    if min(ranked.n1, ranked.n0) < 2:
        return _figure("AUC", ranked, value, None, "DeLong; no interval: it needs two cases of each class")
    deviation = math.sqrt(_variance(v10, v01))
    if deviation == 0:
        method = f"DeLong; degenerate interval: variance 0 at AUC = {value:g}, the true uncertainty is larger"
        return _figure("AUC", ranked, value, (value, value), method)
    return _figure("AUC", ranked, value, logit_interval(value, deviation), "DeLong, logit-scale interval")


def paired_delong(logits_a: Scores, logits_b: Scores, labels: Scores) -> PairedDeLong:
    """Test whether two models differ in AUC on the same cases.

    Args:
        logits_a: raw outputs of the first model.
        logits_b: raw outputs of the second model, cases in the same order.
        labels: 1 = critical class.

    Shapes: (B,) or (B, 1) each.

    Returns:
        Difference with its normal interval, and the two-sided p. Identical rankings give 0 and p = 1. A missing
        class gives no difference, fewer than two cases of a class no p.

    Raises:
        ValueError: if shapes, labels or logits are not as said.

    Example:
        >>> paired_delong([1, 2, 3, 4], [1, 2, 3, 4], [0, 0, 1, 1]).p_value
        1.0
    """
    a, b = checked(logits_a, labels), checked(logits_b, labels)
    name = "AUC difference"
    if a.missing_class:
        return PairedDeLong(_figure(name, a, None, None, a.missing_class), None)
    (value_a, v10_a, v01_a), (value_b, v10_b, v01_b) = _placements(a), _placements(b)
    difference = value_a - value_b
    if min(a.n1, a.n0) < 2:
        method = "paired DeLong; no interval and no p: they need two cases of each class"
        return PairedDeLong(_figure(name, a, difference, None, method), None)
    deviation = math.sqrt(_variance(v10_a - v10_b, v01_a - v01_b))
    if deviation > 0:
        interval, p_value = normal_interval(difference, deviation), two_sided_p(difference / deviation)
        return PairedDeLong(_figure(name, a, difference, interval, "paired DeLong"), p_value)
    method = "paired DeLong; degenerate interval: variance 0"
    p_value = 1.0 if difference == 0 else None
    return PairedDeLong(_figure(name, a, difference, (difference, difference), method), p_value)


def _placements(ranked: Ranked) -> tuple[float, Floats, Floats]:
    """AUC, V10 (n1,) and V01 (n0,)."""
    m, n = ranked.n1, ranked.n0
    together = midranks(ranked.logits)
    above, below = together[ranked.positive], together[~ranked.positive]
    value = float((above.sum() - m * (m + 1) / 2) / (m * n))
    return value, (above - midranks(ranked.positives)) / n, 1 - (below - midranks(ranked.negatives)) / m


def _variance(v10: Floats, v01: Floats) -> float:
    return float(np.var(v10, ddof=1)) / len(v10) + float(np.var(v01, ddof=1)) / len(v01)


def _figure(
    name: str, ranked: Ranked, value: float | None, interval: tuple[float, float] | None, method: str
) -> Figure:
    return Figure(name, value, interval, CONFIDENCE, ranked.n1, ranked.n0, "oracle", method)
