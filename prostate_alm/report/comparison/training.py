"""What a table says of a training: which row it is, and with what it was trained."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LOSSES = ("bce", "s-ml", "s-fl", "a-ml", "a-fl", "w-bce", "cb-bce", "msfe", "mbauc")
"""The base losses in the order of the paper's tables."""

OWN = ("margin", "gamma", "weight", "beta")
CONSTRAINT = ("mu", "rho", "delta")
NATURAL = "natural"


@dataclass(frozen=True)
class Trained:
    """One ensemble's training, for any of its arms.

    Args:
        class_ratio: that the positives were thinned to, for example `"1:8"`; None is the cohort's own.
        loss: base loss.
        members: size of the ensemble.
        hyperparameters: by the paper's names: margin, gamma, weight or beta, and mu, rho, delta.
        validation_aucs: arm -> each member's.
    """

    class_ratio: str | None
    loss: str
    members: int = 0
    hyperparameters: Mapping[str, float | str] = field(default_factory=dict)
    validation_aucs: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> str:
        """The class ratio in words."""
        return self.class_ratio or NATURAL

    @property
    def order(self) -> tuple[float, int, str]:
        """Where it stands in a table: the cohort's own ratio first, losses as in the paper, others by name."""
        return negatives_per_positive(self.ratio), _place(self.loss), self.loss


def negatives_per_positive(ratio: str) -> float:
    """For sorting: 8.0 for `1:8`, 0 for the cohort's own, infinity for what is no ratio.

    Example:
        >>> negatives_per_positive("1:8"), negatives_per_positive("natural")
        (8.0, 0.0)
    """
    if ratio == NATURAL:
        return 0.0
    positives, _, negatives = ratio.partition(":")
    try:
        return float(negatives) / float(positives)
    except (ValueError, ZeroDivisionError):
        return math.inf


def _place(loss: str) -> int:
    return LOSSES.index(loss) if loss in LOSSES else len(LOSSES)
