"""What the base losses refuse, with the value and what is allowed."""

import math
import re
from collections.abc import Callable

import pytest
import torch
from every_loss import every_loss
from torch import Tensor, nn

from prostate_alm.errors import NotFiniteError
from prostate_alm.losses import (
    AsymmetricFocalLoss,
    AsymmetricMarginLoss,
    ClassBalancedBCELoss,
    MBAUCLoss,
    MSFELoss,
    SymmetricFocalLoss,
    SymmetricMarginLoss,
    WeightedBCELoss,
)
from prostate_alm.losses._binary import BinaryLoss, ClassMeanLoss

ALL = every_loss()


@pytest.mark.parametrize("loss", ALL, ids=repr)
@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.zeros(2), torch.tensor([0.0, 2.0]), "labels must be 0 or 1, got 2.0"),
        (torch.zeros(2), torch.tensor([0.0, 0.5]), "labels must be 0 or 1, got 0.5"),
        (torch.zeros(2), torch.tensor([0.0, 1e-50], dtype=torch.float64), "labels must be 0 or 1, got 1e-50"),
        (torch.zeros(2), torch.tensor([0.0, math.nan]), "labels must be 0 or 1, got nan"),
        (torch.zeros(2), torch.tensor([-1, 255]), "labels must be 0 or 1, got -1, 255"),
        (torch.zeros(7, 1), torch.tensor([2, 3, 0, 2, 4, 5, 6]), "labels must be 0 or 1, got 2, 3, 4 and 2 more"),
        (torch.tensor([math.nan, 0.0]), torch.tensor([3, 0]), "labels must be 0 or 1, got 3"),
        (torch.zeros(2), torch.zeros(3), "labels must have shape (B,) or (B, 1) with B = 2, got (3,)"),
        (torch.zeros(2), torch.zeros(1, 2), "labels must have shape (B,) or (B, 1) with B = 2, got (1, 2)"),
        (torch.zeros(2, 2), torch.zeros(4), "logits must have shape (B,) or (B, 1), got (2, 2)"),
        (torch.zeros(()), torch.zeros(1), "logits must have shape (B,) or (B, 1), got ()"),
        (torch.zeros(2, dtype=torch.int64), torch.zeros(2), "logits must be floating point, got torch.int64"),
    ],
)
def test_bad_input_is_rejected(loss: nn.Module, logits: Tensor, labels: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        loss(logits, labels)


@pytest.mark.parametrize("loss", ALL, ids=repr)
@pytest.mark.parametrize(("value", "named"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_logits_that_are_not_finite_are_rejected(loss: nn.Module, value: float, named: str, dtype: torch.dtype) -> None:
    logits = torch.tensor([[0.0], [value], [math.nan]], dtype=dtype)
    with pytest.raises(NotFiniteError, match=f"logits must be finite, got {named} at position 1: .*diverged") as caught:
        loss(logits, torch.tensor([0, 1, 0]))
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        *(
            (lambda kind=kind, value=value: kind(value), f"{name} must be finite and >= 0, got {value}")
            for name, kinds in (
                ("gamma", (SymmetricFocalLoss, AsymmetricFocalLoss)),
                ("margin", (SymmetricMarginLoss, AsymmetricMarginLoss)),
            )
            for kind in kinds
            for value in (-0.1, math.inf, math.nan)
        ),
        *(
            (lambda value=value: WeightedBCELoss(value), f"weight must be finite and > 0, got {value}")
            for value in (0.0, -1.0, math.inf, math.nan)
        ),
        *(
            (lambda value=value: ClassBalancedBCELoss((3, 1), value), f"beta must be within [0, 1), got {value}")
            for value in (-0.1, 1.0, math.inf, math.nan)
        ),
        *(
            (
                lambda value=value: ClassBalancedBCELoss(value),
                f"class_counts must be two whole numbers >= 1, of negatives and positives, got {value}",
            )
            for value in ((0, 3), (3, 0), (3,), (3, 1, 2), (2.5, 1), (math.nan, 1), (1, math.inf), [-2, 1])
        ),
        *(
            (
                lambda kind=kind: kind("none"),
                f"reduction must be 'mean' or 'sum', got 'none': {kind.__name__} has no case's term",
            )
            for kind in (MSFELoss, MBAUCLoss)
        ),
    ],
)
def test_parameters_out_of_range_are_rejected(make: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()


@pytest.mark.parametrize(
    "kind", [type(loss) for loss in ALL if type(loss) not in (WeightedBCELoss, ClassBalancedBCELoss)]
)
def test_an_unknown_reduction_is_rejected(kind: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match="median"):
        kind(reduction="median")


@pytest.mark.parametrize("kind", [BinaryLoss, ClassMeanLoss])
def test_a_base_class_is_no_loss(kind: type[nn.Module]) -> None:
    with pytest.raises(NotImplementedError):
        kind()(torch.zeros(1), torch.zeros(1))


def test_the_representation_names_every_parameter() -> None:
    assert [repr(loss) for loss in ALL] == [
        "BCELoss()",
        "SymmetricMarginLoss(margin=0.5)",
        "SymmetricFocalLoss(gamma=2.0)",
        "AsymmetricMarginLoss(margin=0.5)",
        "AsymmetricFocalLoss(gamma=2.0)",
        "WeightedBCELoss(weight=9.0)",
        "ClassBalancedBCELoss(class_counts=(300, 15), beta=0.99)",
        "MSFELoss()",
        "MBAUCLoss()",
    ]
