"""What every base loss shares: checked inputs in a safe precision, and the reduction."""

# torch's tolist and monai's factories are untyped
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportPrivateImportUsage=false

from collections.abc import Iterable

import torch
from monai.utils import LossReduction
from torch import Tensor
from torch.nn import functional
from torch.nn.modules.loss import _Loss  # pyright: ignore[reportPrivateUsage]  # the base class of MONAI's losses

from prostate_alm.errors import NotFiniteError

NAMED = 3
"""How many wrong values a message names."""


def checked(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and labels as (B,) tensors of one dtype, float32 or better, on the device of the logits.

    Args:
        logits: shape (B,) or (B, 1), any floating dtype, finite.
        labels: the same number of elements, each 0 or 1.

    Raises:
        ValueError: on shapes that do not fit, integer logits, or labels outside {0, 1}.
        NotFiniteError: a ValueError too; if a logit is NaN or infinite.
    """
    if logits.shape not in ((logits.numel(),), (logits.numel(), 1)):
        raise ValueError(f"logits must have shape (B,) or (B, 1), got {tuple(logits.shape)}")
    if labels.shape not in ((logits.numel(),), (logits.numel(), 1)):
        raise ValueError(f"labels must have shape (B,) or (B, 1) with B = {logits.numel()}, got {tuple(labels.shape)}")
    if not logits.is_floating_point():
        raise ValueError(f"logits must be floating point, got {logits.dtype}")
    dtype = torch.promote_types(logits.dtype, torch.float32)
    logits, labels = logits.reshape(-1).to(dtype), labels.reshape(-1).to(logits.device)
    usable = (labels == labels.bool()) & logits.detach().isfinite()
    if not bool(usable.all()):  # the only wait for the device: both checks in one
        raise _complaint(logits.detach(), labels)
    return logits, labels.to(dtype)


def own_logits(logits: Tensor, labels: Tensor) -> Tensor:
    """z of a positive, -z of a negative: the logit of each case's own label, s(own) the probability of the truth."""
    return (2 * labels - 1) * logits


def named(values: Iterable[object]) -> str:
    """The first few distinct values, for a message.

    Example:
        >>> named([2, 3, 2, 4, 5, 6])
        '2, 3, 4 and 2 more'
    """
    distinct = list(dict.fromkeys(str(value) for value in values))
    more = f" and {len(distinct) - NAMED} more" if len(distinct) > NAMED else ""
    return ", ".join(distinct[:NAMED]) + more


def _complaint(logits: Tensor, labels: Tensor) -> ValueError:
    outside = labels[(labels != 0) & (labels != 1)].tolist()
    if outside:
        return ValueError(f"labels must be 0 or 1, got {named(outside)}")
    position = int(logits.isfinite().logical_not().nonzero()[0])
    return NotFiniteError(
        f"logits must be finite, got {float(logits[position])} at position {position}: "
        "the network has diverged, or its input was not finite"
    )


class _Reduced(_Loss):
    def __init__(self, reduction: LossReduction | str = LossReduction.MEAN) -> None:
        super().__init__(reduction=LossReduction(reduction).value)

    def reduced(self, total: Tensor, count: Tensor | int) -> Tensor:
        """A sum over `count` terms, or their mean; the mean of no terms is an exact 0 that back-propagates."""
        if self.reduction == LossReduction.SUM.value:
            return total
        return total / (max(count, 1) if isinstance(count, int) else count.clamp_min(1))


class BinaryLoss(_Reduced):
    """A base loss that is a mean of one term per case.

    Subclasses give `terms`. `reduction` is "mean" (default), "sum" or "none".
    """

    def terms(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of every case; (B,) in, (B,) out, labels as floats."""
        raise NotImplementedError

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The reduced loss of (B,) or (B, 1) logits `input` and labels `target`; no cases give an exact 0.

        Raises:
            ValueError: on shapes that do not fit, logits that are not finite, or labels outside {0, 1}.
        """
        terms = self.terms(*checked(input, target))
        if self.reduction == LossReduction.NONE.value:
            return terms
        return self.reduced(terms.sum(), terms.numel())


class ClassMeanLoss(_Reduced):
    """A base loss made of means within the classes, so that no case has a term of its own.

    Subclasses give `combined`. `reduction` is "mean" (default) or "sum".
    """

    def __init__(self, reduction: LossReduction | str = LossReduction.MEAN) -> None:
        super().__init__(reduction)
        if self.reduction == LossReduction.NONE.value:
            raise ValueError(f"reduction must be 'mean' or 'sum', got 'none': {type(self).__name__} has no case's term")

    def combined(self, errors: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch from |s(z) - y| of every case, (B,), and its labels as floats."""
        raise NotImplementedError

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of (B,) or (B, 1) logits `input` and labels `target`.

        Raises:
            ValueError: on shapes that do not fit, logits that are not finite, or labels outside {0, 1}.
        """
        logits, labels = checked(input, target)
        # the gradient of sigmoid itself cancels to 0 where s is next to 1: there a badly wrong case would stop to learn
        return self.combined(functional.logsigmoid(-own_logits(logits, labels)).exp(), labels)
