"""AUC with its DeLong interval, and the paired test of two AUCs on the same cases.

m positives, n negatives. The placement of a positive is the share of negatives below it, that of a negative the share
of positives above it, ties counting a half: V10 = (#below + #tied/2)/n, V01 = (#above + #tied/2)/m.
AUC = mean(V10) = mean(V01); variance = var(V10)/m + var(V01)/n.
With midranks TZ of all and TX, TY within positives and negatives: V10 = (TZ+ - TX)/n and V01 = 1 - (TZ- - TY)/m, so
midranks and placements say the same. Counting one class in the other, sorted, needs no ranks and stays in whole
numbers until the last division.
Source: DeLong, DeLong & Clarke-Pearson 1988; Sun & Xu 2014 (the same values in O(N log N), by midranks).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prostate_alm.figures import Figure
from prostate_alm.metrics._distributions import CONFIDENCE, logit_interval, normal_interval, two_sided_p
from prostate_alm.metrics.inputs import Floats, Ranked, Scores, checked
from prostate_alm.metrics.paired import PairedTest

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class _Placements:
    """Twice the placements, as counts of cases of the other class: whole numbers, ties and all.

    Shapes: `v10` (m,), the negatives below each positive; `v01` (n,), the positives above each negative.
    """

    v10: Counts
    v01: Counts

    @classmethod
    def rising(cls, positives: Floats, negatives: Floats) -> "_Placements":
        """Placements of sorted logits, in their order.

        The positives above the j-th negative are those with more than j negatives below them, so that the negatives
        need no search of their own; and only tied positives are searched a second time.
        """
        below = np.searchsorted(negatives, positives, side="left")
        below_or_tied = below.copy()
        tied = negatives[np.minimum(below, len(negatives) - 1)] == positives
        below_or_tied[tied] = np.searchsorted(negatives, positives[tied], side="right")
        repeats = np.bincount(np.concatenate((below, below_or_tied)), minlength=len(negatives) + 1)
        not_above = np.cumsum(repeats)[: len(negatives)]
        return cls(below + below_or_tied, 2 * len(positives) - not_above)

    @classmethod
    def by_case(cls, ranked: Ranked) -> "_Placements":
        """Placements in the order of the cases, so that those of two models can be subtracted."""
        positives, negatives = ranked.positives, ranked.negatives
        order10, order01 = np.argsort(positives), np.argsort(negatives)
        rising = cls.rising(positives[order10], negatives[order01])
        return cls(_put_back(rising.v10, order10), _put_back(rising.v01, order01))

    def __sub__(self, other: "_Placements") -> "_Placements":
        return _Placements(self.v10 - other.v10, self.v01 - other.v01)

    @property
    def mean(self) -> float:
        """The AUC, or a difference of AUCs."""
        return int(self.v10.sum()) / (2 * len(self.v10) * len(self.v01))

    @property
    def deviation(self) -> float:
        """DeLong's standard error of `mean`; exactly 0 where no placement varies."""
        m, n = len(self.v10), len(self.v01)
        return math.sqrt(_variance(self.v10) / (4 * n * n * m) + _variance(self.v01) / (4 * m * m * n))


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
    placements = _Placements.rising(np.sort(ranked.positives), np.sort(ranked.negatives))
    value = placements.mean
    if min(ranked.n1, ranked.n0) < 2:
        return _figure("AUC", ranked, value, None, "DeLong; no interval: it needs two cases of each class")
    deviation = placements.deviation
    if deviation == 0:
        method = f"DeLong; degenerate interval: variance 0 at AUC = {value:g}, the true uncertainty is larger"
        return _figure("AUC", ranked, value, (value, value), method)
    return _figure("AUC", ranked, value, logit_interval(value, deviation), "DeLong, logit-scale interval")


def paired_delong(logits_a: Scores, logits_b: Scores, labels: Scores) -> PairedTest:
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
        return PairedTest(_figure(name, a, None, None, a.missing_class), None)
    placements = _Placements.by_case(a) - _Placements.by_case(b)
    difference = placements.mean
    if min(a.n1, a.n0) < 2:
        method = "paired DeLong; no interval and no p: they need two cases of each class"
        return PairedTest(_figure(name, a, difference, None, method), None)
    deviation = placements.deviation
    if deviation > 0:
        interval, p_value = normal_interval(difference, deviation), two_sided_p(difference / deviation)
        return PairedTest(_figure(name, a, difference, interval, "paired DeLong"), p_value)
    method = "paired DeLong; degenerate interval: variance 0"
    p_value = 1.0 if difference == 0 else None
    return PairedTest(_figure(name, a, difference, (difference, difference), method), p_value)


def _put_back(counts: Counts, order: NDArray[np.intp]) -> Counts:
    """Undo the sorting `order`."""
    unsorted = np.empty_like(counts)
    unsorted[order] = counts
    return unsorted


def _variance(counts: Counts) -> float:
    """Sample variance; quicker than `np.var` on few cases."""
    centred = counts - int(counts.sum()) / len(counts)
    return float(centred @ centred) / (len(counts) - 1)


def _figure(
    name: str, ranked: Ranked, value: float | None, interval: tuple[float, float] | None, method: str
) -> Figure:
    return Figure(name, value, interval, CONFIDENCE, ranked.n1, ranked.n0, "oracle", method)
