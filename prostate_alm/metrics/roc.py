"""The points of an ROC curve, for plots."""

from dataclasses import dataclass

import numpy as np

from prostate_alm.metrics.inputs import Floats, Scores, checked


@dataclass(frozen=True)
class RocPoints:
    """One point per distinct logit, thresholds falling, after the origin (threshold infinite).

    Shapes: (P,) each, P = distinct logits + 1.
    """

    thresholds: Floats
    fpr: Floats
    tpr: Floats


def roc_points(logits: Scores, labels: Scores) -> RocPoints:
    """False-positive and true-positive rate at every threshold that changes a call (logit >= threshold).

    Cases of equal logit enter together, so that a tie is a slanted step whose area counts a half.

    Args:
        logits: raw outputs, numpy or torch.
        labels: 1 = critical class.

    Shapes: (B,) or (B, 1) each.

    Raises:
        ValueError: if a class is missing, or shapes, labels or logits are not as said.

    Example:
        >>> roc_points([3.0, 1.0, 2.0, 0.5], [1, 1, 0, 0]).tpr.tolist()
        [0.0, 0.5, 0.5, 1.0, 1.0]
    """
    ranked = checked(logits, labels)
    if ranked.missing_class:
        raise ValueError(f"an ROC curve needs both classes: {ranked.missing_class}")
    order = np.argsort(-ranked.logits, kind="stable")
    falling, positive = ranked.logits[order], ranked.positive[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True))
    hits = np.cumsum(positive)[last]
    return RocPoints(
        thresholds=np.concatenate(([np.inf], falling[last])),
        fpr=np.concatenate(([0.0], (last + 1 - hits) / ranked.n0)),
        tpr=np.concatenate(([0.0], hits / ranked.n1)),
    )
