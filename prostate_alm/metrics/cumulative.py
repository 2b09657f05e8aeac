"""False-positive rates as MONAI metrics: collected batch by batch, computed once over all cases.

Not imported with the other metrics: MONAI takes seconds to load.
"""

import math
import operator
from abc import abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, cast

import torch
from monai.metrics.metric import CumulativeIterationMetric

from prostate_alm.figures import Figure
from prostate_alm.metrics.inputs import Scores
from prostate_alm.metrics.operating import fpr_at_fn, fpr_at_tpr

Batch = torch.Tensor | Sequence[torch.Tensor | float]


class _OracleMetric(CumulativeIterationMetric):
    """Collects logits and labels; a subclass says which figure is made of them.

    The buffers keep the precision of what they are given. Distributed processes gather their cases before the figure
    is made.
    """

    def __call__(self, y_pred: Batch, y: Batch) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Collect a batch.

        Args:
            y_pred: logits.
            y: labels, 1 = critical class.

        Shapes: (B,) or (B, 1) each, or a list of B cases as `decollate_batch` gives them: tensors (1,), scalars.

        Returns:
            logits and labels, (B, 1) each.
        """
        return super().__call__(as_column(y_pred), as_column(y))

    def _compute_tensor(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, y_pred: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return y_pred, y

    def aggregate(self) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The rate over all cases since the last reset, in float64; NaN where the figure is undefined.

        Raises:
            ValueError: if a logit is not finite, a label not 0 or 1, or there are not as many of one as of the other.
        """
        gathered = cast(tuple[torch.Tensor, torch.Tensor] | None, self.get_buffer())
        logits, labels = gathered if gathered else (torch.empty(0), torch.empty(0))
        value = self.figure(logits, labels).value
        return math.nan if value is None else value

    @abstractmethod
    def figure(self, logits: Scores, labels: Scores) -> Figure:
        """The figure of these cases, with its interval or the reason why it is undefined."""


class FPRAtFNMetric(_OracleMetric):
    """FPR@kFN over all batches of an epoch, by `fpr_at_fn`. Lower is better.

    NaN without negatives or with no more than `misses` positives; `figure` says which.

    Args:
        misses: k, positives that may lie below the threshold.

    Raises:
        TypeError: if `misses` is no whole number.

    Example:
        >>> metric = FPRAtFNMetric(misses=0)
        >>> _ = metric(torch.tensor([[3.0], [2.0]]), torch.tensor([[1], [0]]))
        >>> _ = metric(torch.tensor([[1.0], [0.5]]), torch.tensor([[1], [0]]))
        >>> metric.aggregate()
        0.5
    """

    def __init__(self, misses: int = 0) -> None:
        super().__init__()
        self.misses = operator.index(misses)

    def figure(self, logits: Scores, labels: Scores) -> Figure:
        """`fpr_at_fn` of these cases."""
        return fpr_at_fn(logits, labels, self.misses)


class FPRAtTPRMetric(_OracleMetric):
    """FPR at sensitivity `tpr` at least over all batches of an epoch, by `fpr_at_tpr`. Lower is better.

    NaN if a class is missing; `figure` says which.

    Args:
        tpr: sensitivity to reach, in (0, 1].

    Raises:
        ValueError: if `tpr` is outside (0, 1].

    Example:
        >>> metric = FPRAtTPRMetric(tpr=0.5)
        >>> _ = metric(torch.tensor([3.0, 1.0, 2.0, 0.5]), torch.tensor([1, 1, 0, 0]))
        >>> metric.aggregate()
        0.0
    """

    def __init__(self, tpr: float | Fraction = 0.95) -> None:
        super().__init__()
        fpr_at_tpr([], [], tpr)  # a wrong sensitivity is refused here, not after the first epoch
        self.tpr = tpr

    def figure(self, logits: Scores, labels: Scores) -> Figure:
        """`fpr_at_tpr` of these cases."""
        return fpr_at_tpr(logits, labels, self.tpr)


def as_column(batch: Batch) -> torch.Tensor:
    """Cases of a batch as (B, 1), in their own precision.

    `decollate_batch` makes plain numbers of a (B,) tensor: they become float64.

    Example:
        >>> as_column([0.5, 1.5])
        tensor([[0.5000],
                [1.5000]], dtype=torch.float64)
    """
    if not isinstance(batch, torch.Tensor):
        cases = [torch.as_tensor(case, dtype=None if torch.is_tensor(case) else torch.float64) for case in batch]
        batch = torch.stack([case.reshape(()) for case in cases])
    return batch[:, None] if batch.ndim == 1 else batch
