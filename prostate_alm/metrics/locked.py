"""Figures at a threshold that was fixed beforehand on other cases (locked)."""

import math
from dataclasses import dataclass

import numpy as np

from prostate_alm.figures import Figure
from prostate_alm.metrics._distributions import CONFIDENCE, clopper_pearson, upper_bound
from prostate_alm.metrics.inputs import Scores, checked


@dataclass(frozen=True)
class LockedFigures:
    """The two-by-two table at a locked threshold, and what follows from it.

    Args:
        sensitivity: TP/n1, Clopper-Pearson.
        specificity: TN/n0, Clopper-Pearson.
        fpr: FP/n0, Clopper-Pearson.
        fn_rate: FN/n1, with the exact one-sided 95% upper bound (the lower bound is 0).
        tp: positives called positive.
        fn: positives missed.
        tn: negatives spared.
        fp: negatives called positive.
    """

    sensitivity: Figure
    specificity: Figure
    fpr: Figure
    fn_rate: Figure
    tp: int
    fn: int
    tn: int
    fp: int

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The four figures in the order of a report."""
        return self.sensitivity, self.specificity, self.fpr, self.fn_rate


def at_threshold(logits: Scores, labels: Scores, threshold: float) -> LockedFigures:
    """Sensitivity, specificity, FPR and FN rate of calling every case with logit >= threshold positive.

    Args:
        logits: raw outputs, numpy or torch; higher means more likely positive.
        labels: 1 = critical class.
        threshold: in logits, fixed beforehand on other cases.

    Shapes: (B,) or (B, 1) each.

    Returns:
        Figures of kind locked; those of a missing class have the value None.

    Raises:
        ValueError: if the threshold is NaN, or shapes, labels or logits are not as said.

    Example:
        >>> str(at_threshold([3.0, 1.0, 2.0, 0.5], [1, 1, 0, 0], threshold=1.5).sensitivity)
        'sensitivity 0.50 [0.01, 0.99] (locked, n1 = 2, n0 = 2)'
    """
    if math.isnan(threshold):
        raise ValueError("the threshold is NaN")
    ranked = checked(logits, labels)
    n1, n0 = ranked.n1, ranked.n0
    tp = int(np.count_nonzero(ranked.positives >= threshold))
    fp = int(np.count_nonzero(ranked.negatives >= threshold))
    return LockedFigures(
        sensitivity=_proportion("sensitivity", tp, n1, "no positives", (n1, n0)),
        specificity=_proportion("specificity", n0 - fp, n0, "no negatives", (n1, n0)),
        fpr=_proportion("FPR", fp, n0, "no negatives", (n1, n0)),
        fn_rate=_fn_rate(n1 - tp, n1, n0),
        tp=tp,
        fn=n1 - tp,
        tn=n0 - fp,
        fp=fp,
    )


def _proportion(name: str, count: int, total: int, absent: str, cases: tuple[int, int]) -> Figure:
    if total == 0:
        return Figure(name, None, None, CONFIDENCE, *cases, "locked", absent)
    return Figure(name, count / total, clopper_pearson(count, total), CONFIDENCE, *cases, "locked", "Clopper-Pearson")


def _fn_rate(misses: int, n1: int, n0: int) -> Figure:
    if n1 == 0:
        return Figure("FN rate", None, None, CONFIDENCE, n1, n0, "locked", "no positives")
    interval = (0.0, upper_bound(misses, n1))
    return Figure(
        "FN rate", misses / n1, interval, CONFIDENCE, n1, n0, "locked", "exact one-sided 95% upper bound (beta)"
    )
