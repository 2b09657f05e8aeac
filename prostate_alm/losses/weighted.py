"""Weighted cross-entropy: one factor per class."""

# torch's tolist and monai's factories are untyped
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportPrivateImportUsage=false

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from monai.utils import LossReduction
from numpy.typing import NDArray
from torch import Tensor

from prostate_alm.losses._binary import named
from prostate_alm.losses.bce import BCELoss


def class_counts(labels: Tensor | NDArray[Any] | Iterable[float]) -> tuple[int, int]:
    """How many negatives and positives a training set has, for `ClassBalancedBCELoss` and the weight of W-BCE.

    Args:
        labels: of the WHOLE training set, not of a batch; each 0 or 1, as a tensor, an array or any iterable.

    Returns:
        (negatives, positives), each at least 1.

    Raises:
        ValueError: if a label is outside {0, 1}, or a class is missing, as in the empty set.

    Example:
        >>> class_counts([0, 1, 0, 0])
        (3, 1)
    """
    values: list[object] = labels.reshape(-1).tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    outside = [value for value in values if value not in (0, 1)]
    if outside:
        raise ValueError(f"labels must be 0 or 1, got {named(outside)}")
    positives = sum(1 for value in values if value == 1)
    negatives = len(values) - positives
    if not (negatives and positives):
        raise ValueError(f"a training set needs both classes, got {negatives} negatives and {positives} positives")
    return negatives, positives


class _ClassWeightedBCE(BCELoss):
    def __init__(self, negative: float, positive: float, reduction: LossReduction | str) -> None:
        super().__init__(reduction)
        self.weights = (negative, positive)

    def terms(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Weighted cross-entropy of every case."""
        negative, positive = self.weights
        return super().terms(logits, labels) * ((1 - labels) * negative + labels * positive)


class WeightedBCELoss(_ClassWeightedBCE):
    """Cross-entropy with the positives times a constant (W-BCE).

    -weight y log s(z) - (1 - y) log(1 - s(z)); weight = 1 is BCE. The mean over the batch divides by B, not by the
    sum of the weights.

    Args:
        weight: c, finite and > 0. The paper's grid: N/3, 2N/3, N, with N negatives per positive in the training set.
        reduction: "mean", "sum" or "none".

    Shapes:
        input: (B,) or (B, 1); target: the same; output: scalar, or (B,) with "none".

    Raises:
        ValueError: if weight is not finite or not above 0.

    Example:
        >>> import torch
        >>> WeightedBCELoss(weight=9.0, reduction="none")(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0]))
        tensor([6.2383, 0.6931])

    Reference:
        Zadrozny et al. 2003, Cost-sensitive learning by cost-proportionate example weighting.
    """

    def __init__(self, weight: float, reduction: LossReduction | str = LossReduction.MEAN) -> None:
        if not (math.isfinite(weight) and weight > 0):
            raise ValueError(f"weight must be finite and > 0, got {weight}")
        super().__init__(1.0, weight, reduction)

    def extra_repr(self) -> str:
        """The parameter, for `repr`."""
        return f"weight={self.weights[1]}"


class ClassBalancedBCELoss(_ClassWeightedBCE):
    """Cross-entropy with each class divided by its effective number of training cases (CB-BCE).

    BCE, a case of class i times (1 - beta) / (1 - beta^n_i); beta = 0 is BCE.

    The factors are not normalised, as in the paper. They go from 1 down to 1/n_i as beta goes from 0 to 1, so with
    300 negatives and beta = 0.9999 the loss is some 300 times smaller than BCE, and the ALM constraint, which is not
    scaled, weighs that much more against it.

    Args:
        class_counts: (n_0, n_1), negatives and positives in the training set, whole numbers >= 1; see `class_counts`.
        beta: in [0, 1). The paper's grid: 0.99, 0.999, 0.9999.
        reduction: "mean", "sum" or "none".

    Shapes:
        input: (B,) or (B, 1); target: the same; output: scalar, or (B,) with "none".

    Raises:
        ValueError: if beta is outside [0, 1), or class_counts are not two whole numbers >= 1.

    Example:
        >>> import torch
        >>> loss = ClassBalancedBCELoss(class_counts=(2, 1), beta=0.5, reduction="none")
        >>> loss(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0]))
        tensor([0.6931, 0.4621])

    Reference:
        Cui et al. 2019, Class-balanced loss based on effective number of samples.
    """

    def __init__(
        self,
        class_counts: Sequence[int],
        beta: float = 0.99,
        reduction: LossReduction | str = LossReduction.MEAN,
    ) -> None:
        if not 0 <= beta < 1:
            raise ValueError(f"beta must be within [0, 1), got {beta}")
        if len(class_counts) != 2 or not all(count >= 1 and count % 1 == 0 for count in class_counts):
            raise ValueError(
                f"class_counts must be two whole numbers >= 1, of negatives and positives, got {class_counts}"
            )
        negatives, positives = map(int, class_counts)
        super().__init__(_share(beta, negatives), _share(beta, positives), reduction)
        self.class_counts = (negatives, positives)
        self.beta = beta

    def extra_repr(self) -> str:
        """The parameters, for `repr`."""
        return f"class_counts={self.class_counts}, beta={self.beta}"


def _share(beta: float, count: int) -> float:
    """(1 - beta) / (1 - beta^count), without the digits that 1 - beta^count loses next to 1."""
    return (1 - beta) / -math.expm1(count * math.log(beta)) if beta > 0 else 1.0
