"""DeLong and the permutation test, against their definitions."""

import numpy as np
from bench_rows import Row, at_least, in_turn, seconds, within
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import roc_curve

from prostate_alm.metrics import auc, paired_permutation

Floats = NDArray[np.float64]
PERMUTATIONS, CASES = 10_000, 1_000


def scores(cases: int, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Gaussian scores, half of the cases positive."""
    labels = np.arange(cases) % 2
    return np.random.default_rng(seed).normal(size=cases) + labels, labels


def quadratic_delong(logits: Floats, labels: NDArray[np.int64]) -> tuple[float, float]:
    """AUC and its variance from the table of all pairs."""
    positives, negatives = logits[labels == 1], logits[labels == 0]
    table = (positives[:, None] > negatives).astype(np.float64) + 0.5 * (positives[:, None] == negatives)
    v10, v01 = table.mean(axis=1), table.mean(axis=0)
    return float(table.mean()), float(v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01))


def delong() -> list[Row]:
    """A million cases against a limit, 5,000 cases against the definition."""
    many, few = scores(1_000_000), scores(5_000)
    auc(*many)
    times = in_turn(lambda: auc(*few), lambda: quadratic_delong(*few), repeats=15, calls=10)
    return [
        within(3.0, "DeLong, 1,000,000 cases", [seconds(lambda: auc(*many)) for _ in range(3)], "s"),
        at_least(100, "DeLong against the O(mn) form, 5,000 cases", *times, "s"),
    ]


def looped_permutation(a: Floats, b: Floats, labels: NDArray[np.int64]) -> float:
    """The same test as a loop around scikit-learn's ROC curve."""
    draw = np.random.default_rng(0)

    def fpr_at_0fn(ranks: Floats) -> float:
        fpr, tpr, _ = roc_curve(labels, ranks, drop_intermediate=False)
        return float(fpr[np.argmax(tpr >= 1)])

    first, second = rankdata(a), rankdata(b)
    observed, extreme = abs(fpr_at_0fn(first) - fpr_at_0fn(second)), 0
    for _ in range(PERMUTATIONS):
        swap = draw.integers(0, 2, len(a)).astype(bool)
        one, other = np.where(swap, second, first), np.where(swap, first, second)
        extreme += abs(fpr_at_0fn(one) - fpr_at_0fn(other)) >= observed - 1e-12
    return (1 + extreme) / (1 + PERMUTATIONS)


def permutation() -> Row:
    """10,000 permutations of FPR@0FN."""
    (a, labels), (b, _) = scores(CASES, 1), scores(CASES, 2)
    times = in_turn(lambda: paired_permutation(a, b, labels), lambda: looped_permutation(a, b, labels), repeats=2)
    name = f"{PERMUTATIONS:,} permutations of FPR@0FN, {CASES:,} cases, against a scikit-learn loop"
    return at_least(20, name, *times, "s")


def rows() -> list[Row]:
    """Everything about the statistics."""
    return [*delong(), permutation()]
