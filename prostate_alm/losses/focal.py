"""Focal losses: less weight for cases that are already right."""

# torch's tolist and monai's factories are untyped
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportPrivateImportUsage=false

import math

from monai.utils import LossReduction
from torch import Tensor
from torch.nn import functional

from prostate_alm.losses._binary import BinaryLoss, own_logits


class _Focal(BinaryLoss):
    def __init__(self, gamma: float = 2.0, reduction: LossReduction | str = LossReduction.MEAN) -> None:
        super().__init__(reduction)
        if not (math.isfinite(gamma) and gamma >= 0):
            raise ValueError(f"gamma must be finite and >= 0, got {gamma}")
        self.gamma = gamma

    def extra_repr(self) -> str:
        """The parameter, for `repr`."""
        return f"gamma={self.gamma}"

    def focused(self, own: Tensor, gamma: Tensor | float) -> Tensor:
        """-(1 - s(own))^gamma log s(own), with the logit of each case's own label; shape (B,)."""
        return -(gamma * functional.logsigmoid(-own)).exp() * functional.logsigmoid(own)


class AsymmetricFocalLoss(_Focal):
    """Focal loss that focuses on hard negatives alone (A-FL): the critical class keeps its full weight.

    -y log s(z) - (1 - y) s(z)^gamma log(1 - s(z)); gamma = 0 is BCE.

    Args:
        gamma: focusing exponent, >= 0. The paper's grid: 1, 2, 4, 5.
        reduction: "mean", "sum" or "none".

    Shapes:
        input: (B,) or (B, 1); target: the same; output: scalar, or (B,) with "none".

    Raises:
        ValueError: if gamma is negative or not finite.

    Example:
        >>> import torch
        >>> AsymmetricFocalLoss(gamma=2.0)(torch.tensor([0.0]), torch.tensor([0.0]))
        tensor(0.1733)

    Reference:
        Li et al. 2019, Overfitting of neural nets under class imbalance.
    """

    def terms(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of every case."""
        return self.focused(own_logits(logits, labels), (1 - labels) * self.gamma)


class SymmetricFocalLoss(_Focal):
    """Focal loss on both classes (S-FL).

    -y (1 - s(z))^gamma log s(z) - (1 - y) s(z)^gamma log(1 - s(z)); gamma = 0 is BCE.

    Args:
        gamma: focusing exponent, >= 0. The paper's grid: 1, 2, 4, 5.
        reduction: "mean", "sum" or "none".

    Shapes:
        input: (B,) or (B, 1); target: the same; output: scalar, or (B,) with "none".

    Raises:
        ValueError: if gamma is negative or not finite.

    Example:
        >>> import torch
        >>> SymmetricFocalLoss(gamma=2.0)(torch.tensor([0.0]), torch.tensor([1.0]))
        tensor(0.1733)

    Reference:
        Lin et al. 2017, Focal loss for dense object detection.
    """

    def terms(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of every case."""
        return self.focused(own_logits(logits, labels), self.gamma)
