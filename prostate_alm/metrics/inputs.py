"""Scores and labels as every figure takes them: float64 logits and boolean positives, or a clear refusal."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from torch import Tensor

    Scores: TypeAlias = ArrayLike | Tensor
else:
    Scores: TypeAlias = Any

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Ranked:
    """Checked scores of one model.

    Shapes: `logits` (B,) float64, `positive` (B,) bool.
    """

    logits: Floats
    positive: NDArray[np.bool_]

    @property
    def positives(self) -> Floats:
        """Logits of the positive cases, (n1,)."""
        return self.logits.compress(self.positive)

    @property
    def negatives(self) -> Floats:
        """Logits of the negative cases, (n0,)."""
        return self.logits.compress(~self.positive)

    @property
    def n1(self) -> int:
        """Number of positives."""
        return int(np.count_nonzero(self.positive))

    @property
    def n0(self) -> int:
        """Number of negatives."""
        return len(self.logits) - self.n1

    @property
    def missing_class(self) -> str | None:
        """Why a figure that needs both classes is undefined, or None."""
        if self.n1 == 0:
            return "no positives"
        return "no negatives" if self.n0 == 0 else None


def checked(logits: Scores, labels: Scores) -> Ranked:
    """Logits and labels of the same cases, checked.

    Args:
        logits: raw network outputs, not probabilities; numpy or torch, (B,) or (B, 1), finite.
        labels: 1 = critical class, 0 = not; (B,) or (B, 1).

    Raises:
        ValueError: if a shape is another, the lengths differ, a logit is not finite or a label not 0 or 1.
    """
    scores, marks = finite(logits), _column(labels, "labels")
    if scores.shape != marks.shape:
        raise ValueError(f"{len(scores)} logits but {len(marks)} labels; give one label per logit")
    if not bool(((marks == 0) | (marks == 1)).all()):
        raise ValueError("labels must be 0 or 1 (1 = critical class)")
    return Ranked(scores, marks == 1)


def finite(logits: Scores) -> Floats:
    """Logits as a (B,) float64 array.

    Raises:
        ValueError: if the shape is not (B,) or (B, 1), or a logit is NaN or infinite.
    """
    scores = _column(logits, "logits")
    if not bool(np.isfinite(scores).all()):
        raise ValueError("logits must be finite: NaN or infinity cannot be ranked")
    return scores


def _column(values: Scores, name: str) -> Floats:
    tensor = cast(Any, values)
    if hasattr(tensor, "detach"):  # a torch tensor, told by its manners: importing torch takes 1.5 s
        tensor = tensor.detach().cpu().double().numpy()
    array: Floats = np.asarray(tensor, dtype=np.float64)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} must have shape (B,) or (B, 1), not {array.shape}")
    return array
