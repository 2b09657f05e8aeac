"""What every base loss shares: checked inputs in a safe precision, and the reduction."""

# torch's tolist and monai's factories are untyped
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportPrivateImportUsage=false

import torch
from monai.utils import LossReduction
from torch import Tensor
from torch.nn.modules.loss import _Loss  # pyright: ignore[reportPrivateUsage]  # the base class of MONAI's losses


def checked(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and labels as (B,) tensors of one dtype, float32 or better.

    Args:
        logits: shape (B,) or (B, 1), any floating dtype.
        labels: the same number of elements, each 0 or 1.

    Raises:
        ValueError: on shapes that do not fit, integer logits, or labels outside {0, 1}.
    """
    if logits.shape not in ((logits.numel(),), (logits.numel(), 1)):
        raise ValueError(f"logits must have shape (B,) or (B, 1), got {tuple(logits.shape)}")
    if labels.shape not in ((logits.numel(),), (logits.numel(), 1)):
        raise ValueError(f"labels must have shape (B,) or (B, 1) with B = {logits.numel()}, got {tuple(labels.shape)}")
    if not logits.is_floating_point():
        raise ValueError(f"logits must be floating point, got {logits.dtype}")
    if not bool(((labels == 0) | (labels == 1)).all()):
        raise ValueError(f"labels must be 0 or 1, got {torch.unique(labels).tolist()}")
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return logits.reshape(-1).to(dtype), labels.reshape(-1).to(device=logits.device, dtype=dtype)


class BinaryLoss(_Loss):
    """A base loss that is a mean of one term per case.

    Subclasses give `terms`. `reduction` is "mean" (default), "sum" or "none".
    """

    def __init__(self, reduction: LossReduction | str = LossReduction.MEAN) -> None:
        super().__init__(reduction=LossReduction(reduction).value)

    def terms(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of every case; (B,) in, (B,) out, labels as floats."""
        raise NotImplementedError

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The reduced loss of (B,) or (B, 1) logits `input` and labels `target`."""
        terms = self.terms(*checked(input, target))
        if self.reduction == LossReduction.NONE.value:
            return terms
        return terms.mean() if self.reduction == LossReduction.MEAN.value else terms.sum()
