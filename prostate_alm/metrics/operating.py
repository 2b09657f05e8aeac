"""False-positive rates at a number of misses or at a sensitivity, threshold read off the same cases (oracle)."""

import math
import operator
from fractions import Fraction

import numpy as np

from prostate_alm.figures import Figure
from prostate_alm.metrics._distributions import CONFIDENCE, clopper_pearson
from prostate_alm.metrics.inputs import Ranked, Scores, checked


def fpr_at_fn(logits: Scores, labels: Scores, misses: int = 0) -> Figure:
    """False-positive rate at the threshold that misses `misses` positives: FPR@kFN, oracle.

    t = the (k + 1)-th smallest positive logit; FPR = share of negatives with logit >= t. A negative tied with t is
    a false positive. The interval is Clopper-Pearson on the negatives, conditional on t. The value falls and rises
    with the number of positives: never compare cohorts by it.

    Args:
        logits: raw outputs, numpy or torch; higher means more likely positive.
        labels: 1 = critical class.
        misses: k, positives that may lie below the threshold.

    Shapes: (B,) or (B, 1) each.

    Returns:
        Figure `FPR@kFN`; value None if a class is missing or not 0 <= k < n1.

    Raises:
        ValueError: if shapes, labels or logits are not as said.

    Example:
        >>> fpr_at_fn([3.0, 1.0, 2.0, 0.5], [1, 1, 0, 0]).value
        0.5
    """
    misses = operator.index(misses)
    return _oracle(f"FPR@{misses}FN", checked(logits, labels), misses)


def fpr_at_tpr(logits: Scores, labels: Scores, tpr: float | Fraction = 0.95) -> Figure:
    """False-positive rate at sensitivity `tpr` at least, without interpolation: FPR@TPR, oracle.

    k = the largest number of misses with (n1 - k)/n1 >= tpr, then as `fpr_at_fn`. The comparison is exact: `tpr` is
    read as the decimal that it prints as, so that 0.9 of ten positives is nine.

    Args:
        logits: raw outputs, numpy or torch.
        labels: 1 = critical class.
        tpr: sensitivity to reach, in (0, 1].

    Shapes: (B,) or (B, 1) each.

    Returns:
        Figure, for example `FPR@95%TPR`; value None if a class is missing.

    Raises:
        ValueError: if `tpr` is outside (0, 1], or shapes, labels or logits are not as said.

    Example:
        >>> fpr_at_tpr([3.0, 1.0, 2.0, 0.5], [1, 1, 0, 0], tpr=0.5).value
        0.0
    """
    share = Fraction(str(tpr))
    if not 0 < share <= 1:
        raise ValueError(f"tpr {tpr} is outside (0, 1]")
    ranked = checked(logits, labels)
    return _oracle(f"FPR@{float(100 * share):.12g}%TPR", ranked, math.floor(ranked.n1 * (1 - share)))


def threshold_at_fn(logits: Scores, labels: Scores, misses: int = 0) -> Figure:
    """The threshold t of `fpr_at_fn`, oracle: the (k + 1)-th smallest positive logit.

    For marking the point in a plot or listing its errors only: a threshold for use comes from `operating_point`. It
    needs no negatives.

    Args:
        logits: raw outputs, numpy or torch.
        labels: 1 = critical class.
        misses: k, positives that may lie below the threshold.

    Shapes: (B,) or (B, 1) each.

    Returns:
        Figure `threshold@kFN` in logits, without an interval; value None if there are no positives or not 0 <= k < n1.

    Raises:
        ValueError: if shapes, labels or logits are not as said.

    Example:
        >>> threshold_at_fn([3.0, 1.0, 2.0, 0.5], [1, 1, 0, 0], misses=1).value
        3.0
    """
    misses, ranked = operator.index(misses), checked(logits, labels)
    reason = _no_threshold(ranked, misses)
    value = None if reason else _threshold(ranked, misses)
    method = reason or f"positive logit number {misses + 1} from below, read off the same cases; no interval"
    return Figure(f"threshold@{misses}FN", value, None, CONFIDENCE, ranked.n1, ranked.n0, "oracle", method)


def undefined_at(ranked: Ranked, misses: int) -> str | None:
    """Why FPR@kFN is undefined on these cases, or None."""
    return ranked.missing_class or _no_threshold(ranked, misses)


def _no_threshold(ranked: Ranked, misses: int) -> str | None:
    """Why there is no threshold with so many misses, or None."""
    if ranked.n1 == 0:
        return "no positives"
    if not 0 <= misses < ranked.n1:
        return f"needs 0 <= misses < positives, got {misses} misses and {ranked.n1} positives"
    return None


def _threshold(ranked: Ranked, misses: int) -> float:
    return float(np.partition(ranked.positives, misses)[misses])


def _oracle(name: str, ranked: Ranked, misses: int) -> Figure:
    reason = undefined_at(ranked, misses)
    if reason:
        return Figure(name, None, None, CONFIDENCE, ranked.n1, ranked.n0, "oracle", reason)
    count = int(np.count_nonzero(ranked.negatives >= _threshold(ranked, misses)))
    interval = clopper_pearson(count, ranked.n0)
    method = "threshold read off the same cases; Clopper-Pearson on the negatives, conditional on the threshold"
    return Figure(name, count / ranked.n0, interval, CONFIDENCE, ranked.n1, ranked.n0, "oracle", method)
