"""The Neyman-Pearson umbrella: a threshold with a promise, from held-out calibration positives.

The FN rate of the k-th smallest of n1 exchangeable positive logits is Beta(k, n1 - k + 1). The largest k with
sum_{j<k} C(n1, j) a^j (1 - a)^(n1 - j) <= d keeps the FN rate at most a with confidence 1 - d.
Source: Tong, Feng & Li 2018, with positives as the protected class.
"""

import math
from fractions import Fraction

import numpy as np

from prostate_alm.errors import RefusedError, UsageError
from prostate_alm.metrics.inputs import Scores, finite
from prostate_alm.operating_point.out_of_bag import OutOfBag
from prostate_alm.operating_point.threshold import MARGIN, Threshold


def certify(
    positive_logits: Scores,
    *,
    fn_rate: float,
    risk: float,
    model_sha256: str | None = None,
    cohort_sha256: str | None = None,
) -> Threshold:
    """The highest threshold whose population FN rate is at most `fn_rate` with confidence 1 - `risk`.

    Args:
        positive_logits: of the positives of a separate calibration cohort, (n1,) or (n1, 1).
        fn_rate: a, in (0, 1).
        risk: d, in (0, 1).
        model_sha256: the model that made the logits.
        cohort_sha256: hash of the calibration cohort.

    Raises:
        RefusedError: if there are too few positives: n1 >= ln d / ln(1 - a) is needed.
        UsageError: if `fn_rate` or `risk` is outside (0, 1).
        ValueError: if a logit is not finite or the shape another.

    Example:
        >>> certify([float(logit) for logit in range(22)], fn_rate=0.1, risk=0.1).value
        -0.001
    """
    value, rank, n1 = _umbrella(positive_logits, fn_rate, risk)
    return Threshold(value, "certified", fn_rate, risk, n1, rank, MARGIN, model_sha256, cohort_sha256)


def approximate(
    out_of_bag: OutOfBag,
    labels: Scores,
    *,
    fn_rate: float,
    risk: float,
    model_sha256: str | None = None,
    cohort_sha256: str | None = None,
) -> Threshold:
    """The same rule on out-of-bag ensemble logits, marked approximate and never called certified.

    It rests on fewer members than the ensemble in use, and validation chose their checkpoints.

    Args:
        out_of_bag: for each case with one, the mean logit of the members that did not train on it.
        labels: of all cases, also the excluded ones; 1 = critical class.
        fn_rate: a, in (0, 1).
        risk: d, in (0, 1).
        model_sha256: the model that made the logits.
        cohort_sha256: hash of the calibration cohort.

    Shapes: `labels` (B,) or (B, 1).

    Raises:
        RefusedError: if too few positives have an out-of-bag logit.
        UsageError: if `fn_rate` or `risk` is outside (0, 1).
        ValueError: if there is not one label per case, or a label is not 0 or 1.

    Example:
        >>> from prostate_alm.operating_point import out_of_bag
        >>> logits, trained_on = np.arange(23.0)[None, :], np.arange(23)[None, :] == 22
        >>> threshold = approximate(out_of_bag(logits, trained_on), np.ones(23), fn_rate=0.1, risk=0.1)
        >>> threshold.n1, threshold.excluded
        (22, 1)
    """
    value, rank, n1 = _umbrella(out_of_bag.of_positives(labels), fn_rate, risk)
    hashes = (model_sha256, cohort_sha256)
    return Threshold(value, "approximate", fn_rate, risk, n1, rank, MARGIN, *hashes, out_of_bag.excluded)


def positives_needed(fn_rate: float, risk: float) -> int:
    """Calibration positives without which no threshold can be certified: the smallest n with (1 - a)^n <= d.

    Raises:
        UsageError: if an argument is outside (0, 1).

    Example:
        >>> positives_needed(0.1, 0.05)
        29
    """
    a, d = _probability(fn_rate, "FN rate"), _probability(risk, "risk")
    estimate = math.log(d) / math.log1p(-float(a))
    nearest = round(estimate)
    if nearest >= 1 and abs(estimate - nearest) < 1e-9 * estimate:  # too close for floating point: decide exactly
        return nearest if (1 - a) ** nearest <= d else nearest + 1
    return math.ceil(estimate)


def _umbrella(positive_logits: Scores, fn_rate: float, risk: float) -> tuple[float, int, int]:
    """The stored threshold, the rank that it came from, and the number of positives."""
    a, d = _probability(fn_rate, "FN rate"), _probability(risk, "risk")
    logits = np.sort(finite(positive_logits))
    rank = _largest_rank(len(logits), a, d)
    if rank == 0:
        needed = positives_needed(fn_rate, risk)
        raise RefusedError(
            f"not certifiable with {len(logits)} positives, {needed} needed for FN rate {fn_rate:g} at risk {risk:g}; "
            "add positive cases or relax one of the two"
        )
    return float(logits[rank - 1]) - MARGIN, rank, len(logits)


def _largest_rank(n: int, a: Fraction, d: Fraction) -> int:
    """Largest k with sum_{j<k} C(n, j) a^j (1 - a)^(n - j) <= d, in whole numbers; 0 if there is none."""
    hit, miss, whole = a.numerator, a.denominator - a.numerator, a.denominator
    limit = d.numerator * whole**n
    term = tail = d.denominator * miss**n
    rank = 0
    while rank < n and tail <= limit:
        rank += 1
        term = term * (n - rank + 1) * hit // (rank * miss)
        tail += term
    return rank


def _probability(value: float, name: str) -> Fraction:
    if not 0 < value < 1:
        raise UsageError(f"{name} {value} is outside (0, 1); give a fraction such as 0.1")
    return Fraction(str(value))
