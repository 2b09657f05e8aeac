"""The factors of the weighted cross-entropies."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from monai.utils import LossReduction
from torch.nn.modules.loss import _Loss

from prostate_alm.losses import ClassBalancedBCELoss, WeightedBCELoss


@pytest.mark.parametrize("counts", [[300, 40], np.array([300, 40]), torch.tensor([300, 40]), (300.0, 40.0)])
def test_class_counts_may_be_any_sequence_of_whole_numbers(counts: Sequence[int]) -> None:
    loss = ClassBalancedBCELoss(counts, beta=0.99)
    assert repr(loss) == "ClassBalancedBCELoss(class_counts=(300, 40), beta=0.99)"


@pytest.mark.parametrize("beta", [0.5, 0.99, 0.9999, 1 - 1e-7, 1 - 1e-9, 1 - 2**-53])
def test_a_class_is_divided_by_its_effective_number(beta: float) -> None:
    """The sum 1 + beta + ... + beta^(n-1); its closed form, taken literally, loses six digits next to beta = 1."""
    loss = ClassBalancedBCELoss((300, 40), beta, reduction="none")
    value = loss(torch.zeros(2, dtype=torch.float64), torch.tensor([0, 1]))
    effective = [math.fsum(beta**k for k in range(count)) for count in (300, 40)]
    assert value.tolist() == pytest.approx([math.log(2) / number for number in effective], rel=1e-13)


def test_the_mean_divides_by_the_cases_and_not_by_their_weights() -> None:
    loss = WeightedBCELoss(weight=9.0, reduction=LossReduction.MEAN)
    assert float(loss(torch.zeros(2), torch.tensor([1, 0]))) == pytest.approx((9 + 1) * math.log(2) / 2)


@pytest.mark.parametrize(
    "build", [lambda name: WeightedBCELoss(2.0, name), lambda name: ClassBalancedBCELoss((3, 1), 0.9, name)]
)
@pytest.mark.parametrize("name", ["median", "", None])
def test_an_unknown_reduction_is_rejected_by_the_weighted_losses_too(
    build: Callable[[object], _Loss], name: object
) -> None:
    with pytest.raises(ValueError, match=f"{name!r} is not a valid LossReduction"):
        build(name)
