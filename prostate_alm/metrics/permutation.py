"""Test whether two models differ in FPR@kFN on the same cases, by swapping their ranks."""

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from prostate_alm.figures import Figure
from prostate_alm.metrics._distributions import CONFIDENCE, midranks
from prostate_alm.metrics.inputs import Ranked, Scores, checked
from prostate_alm.metrics.operating import undefined_at
from prostate_alm.metrics.paired import PairedTest

Counts = NDArray[np.int64]
Ranks = NDArray[np.int32]
Swaps = NDArray[np.bool_]

_CELLS = 2**18  # swaps drawn at a time: what a processor's cache holds


def paired_permutation(
    logits_a: Scores, logits_b: Scores, labels: Scores, misses: int = 0, permutations: int = 10_000, seed: int = 0
) -> PairedTest:
    """Test whether two models differ in FPR@kFN on the same cases.

    d = FPR@kFN of the first minus that of the second. Every permutation swaps the two models' midranks of each case
    with probability 1/2; p = (1 + those that give a difference at least as far from 0 as d) / (1 + permutations).
    Midranks are taken within each model over all cases: raw logits of differently scaled models are not exchangeable,
    and swapping them can reject a true null far too often.

    Args:
        logits_a: raw outputs of the first model.
        logits_b: raw outputs of the second model, cases in the same order.
        labels: 1 = critical class.
        misses: k, positives that may lie below the threshold.
        permutations: random swaps, at least 1; the smallest p is 1 / (1 + permutations).
        seed: of the swaps, at least 0.

    Shapes: (B,) or (B, 1) each.

    Returns:
        Difference without an interval (it hangs on one positive of each model), and the two-sided p. Identical
        rankings give 0 and p = 1. Neither is defined if a class is missing or not 0 <= k < n1.

    Raises:
        ValueError: if `permutations` or `seed` is too small, or shapes, labels or logits are not as said.

    Example:
        >>> test = paired_permutation([1, 2, 3, 4], [10, 20, 30, 40], [1, 0, 0, 1], permutations=100)
        >>> test.difference.value, test.p_value
        (0.0, 1.0)

    Reference:
        Venkatraman & Begg 1996, A distribution-free procedure for comparing ROC curves from a paired experiment
        (ranks swapped within a case); Phipson & Smyth 2010 (the 1 added to both counts).
    """
    misses, permutations, seed = operator.index(misses), operator.index(permutations), operator.index(seed)
    if permutations < 1 or seed < 0:
        raise ValueError(f"needs permutations >= 1 and seed >= 0, got {permutations} permutations and seed {seed}")
    a, b = checked(logits_a, labels), checked(logits_b, labels)
    reason = undefined_at(a, misses)
    if reason:
        return PairedTest(_figure(a, misses, None, reason), None)
    ranks = _Pairs.of(a, b, misses)
    observed = int(ranks.difference(np.zeros((1, ranks.cases), dtype=np.bool_))[0])
    as_far = sum(
        int(np.count_nonzero(np.abs(ranks.difference(swaps)) >= abs(observed)))
        for swaps in _drawn(ranks.cases, permutations, seed)
    )
    method = (
        f"paired permutation of midranks, {permutations} permutations, seed {seed}; "
        f"no interval: the difference hangs on positive number {misses + 1} from below of each model"
    )
    return PairedTest(_figure(a, misses, observed / a.n0, method), (1 + as_far) / (1 + permutations))


@dataclass(frozen=True)
class _Pairs:
    """Both models' midranks, doubled to be whole, of the cases that can change the difference.

    Shapes: `positives` (2, P), `negatives` (2, N); the first row is the first model's.
    """

    positives: Ranks
    negatives: Ranks
    misses: int

    @classmethod
    def of(cls, a: Ranked, b: Ranked, misses: int) -> "_Pairs":
        """The pairs of two models.

        Whatever is swapped, either threshold lies between the (k + 1)-th smallest of the positives' lower ranks and
        that of their higher ranks. A positive above this range never sets it; a negative above it is a false positive
        of both models, one below it of neither.
        """
        ranks: Ranks = np.stack([2 * midranks(a.logits), 2 * midranks(b.logits)]).astype(np.int32)
        positives, negatives = ranks[:, a.positive], ranks[:, ~a.positive]
        lowest = np.partition(positives.min(axis=0), misses)[misses]
        highest = np.partition(positives.max(axis=0), misses)[misses]
        in_play = (negatives.max(axis=0) >= lowest) & (negatives.min(axis=0) < highest)
        return cls(positives[:, positives.min(axis=0) <= highest], negatives[:, in_play], misses)

    @property
    def cases(self) -> int:
        """P + N."""
        return self.positives.shape[1] + self.negatives.shape[1]

    def difference(self, swaps: Swaps) -> Counts:
        """False positives of the first model minus those of the second, after each row of swaps.

        Shapes: `swaps` (R, P + N) -> (R,).
        """
        return self._false_positives(swaps) - self._false_positives(~swaps)

    def _false_positives(self, swaps: Swaps) -> Counts:
        count = self.positives.shape[1]
        positives = _swapped(self.positives, swaps[:, :count])
        negatives = _swapped(self.negatives, swaps[:, count:])
        thresholds = np.partition(positives, self.misses, axis=1)[:, self.misses, None]
        return np.count_nonzero(negatives >= thresholds, axis=1)


def _swapped(ranks: Ranks, swaps: Swaps) -> Ranks:
    """The first model's ranks, the second's where swapped."""
    return cast(Ranks, np.where(swaps, ranks[1], ranks[0]))


def _drawn(cases: int, permutations: int, seed: int) -> Iterator[Swaps]:
    """Random swaps in blocks of bounded size, (R, cases) each."""
    generator, rows = np.random.default_rng(seed), max(1, _CELLS // max(1, cases))
    for start in range(0, permutations, rows):
        yield generator.integers(0, 2, size=(min(rows, permutations - start), cases), dtype=np.bool_)


def _figure(ranked: Ranked, misses: int, value: float | None, method: str) -> Figure:
    return Figure(f"FPR@{misses}FN difference", value, None, CONFIDENCE, ranked.n1, ranked.n0, "oracle", method)
