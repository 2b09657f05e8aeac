"""Margin losses: cross-entropy of logits that have to clear a margin."""

# monai's factories are untyped
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportPrivateImportUsage=false

import math

from monai.utils import LossReduction
from torch import Tensor
from torch.nn import functional

from prostate_alm.losses._binary import BinaryLoss, own_logits


class _Margin(BinaryLoss):
    def __init__(self, margin: float = 0.5, reduction: LossReduction | str = LossReduction.MEAN) -> None:
        super().__init__(reduction)
        if not (math.isfinite(margin) and margin >= 0):
            raise ValueError(f"margin must be finite and >= 0, got {margin}")
        self.margin = margin

    def extra_repr(self) -> str:
        """The parameter, for `repr`."""
        return f"margin={self.margin}"


class AsymmetricMarginLoss(_Margin):
    """Cross-entropy with a margin for the critical class alone (A-ML).

    -y log s(z - margin) - (1 - y) log(1 - s(z)); margin = 0 is BCE.

    Args:
        margin: in logits, finite and >= 0. The paper's grid: 0.1, 0.5, 2, 4.
        reduction: "mean", "sum" or "none".

    Shapes:
        input: (B,) or (B, 1); target: the same; output: scalar, or (B,) with "none".

    Raises:
        ValueError: if margin is negative or not finite.

    Example:
        >>> import torch
        >>> loss = AsymmetricMarginLoss(margin=2.0, reduction="none")
        >>> loss(torch.tensor([2.0, -2.0]), torch.tensor([1.0, 0.0]))
        tensor([0.6931, 0.1269])

    Reference:
        Li et al. 2019, Overfitting of neural nets under class imbalance.
    """

    def terms(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of every case."""
        return -functional.logsigmoid(own_logits(logits, labels) - labels * self.margin)


class SymmetricMarginLoss(_Margin):
    """Cross-entropy with a margin for both classes (S-ML).

    -y log s(z - margin) - (1 - y) log(1 - s(z + margin)); margin = 0 is BCE.

    Args:
        margin: in logits, finite and >= 0. The paper's grid: 0.1, 0.5, 2, 4.
        reduction: "mean", "sum" or "none".

    Shapes:
        input: (B,) or (B, 1); target: the same; output: scalar, or (B,) with "none".

    Raises:
        ValueError: if margin is negative or not finite.

    Example:
        >>> import torch
        >>> loss = SymmetricMarginLoss(margin=2.0, reduction="none")
        >>> loss(torch.tensor([2.0, -2.0]), torch.tensor([1.0, 0.0]))
        tensor([0.6931, 0.6931])

    Reference:
        Liu et al. 2016, Large-margin softmax loss for convolutional neural networks; in this binary form Li et al.
        2019, Overfitting of neural nets under class imbalance.
    """

    def terms(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of every case."""
        return -functional.logsigmoid(own_logits(logits, labels) - self.margin)
