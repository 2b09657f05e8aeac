"""Digits and gradients that rounding must not eat, and how a loss behaves on logits that carry a graph."""

import math
from collections.abc import Callable

import pytest
import torch
from every_loss import every_loss
from torch import Tensor
from torch.nn.modules.loss import _Loss

from prostate_alm.errors import NotFiniteError
from prostate_alm.losses import (
    AsymmetricFocalLoss,
    BCELoss,
    MBAUCLoss,
    MSFELoss,
    SymmetricMarginLoss,
    WeightedBCELoss,
)

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
ALL = every_loss()


def backward(loss: _Loss, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, labels)
    return value.detach(), torch.autograd.grad(value, leaf)[0]


@pytest.mark.parametrize("loss", ALL, ids=repr)
@pytest.mark.parametrize("dtype", DTYPES)
def test_value_and_gradient_are_those_of_the_rounded_logits(loss: _Loss, dtype: torch.dtype) -> None:
    logits = torch.linspace(-9, 9, 12, dtype=torch.float64).to(dtype)
    labels = torch.tensor([0, 1, 1, 0, 0, 1] * 2)
    value, gradient = backward(loss, logits, labels)
    wanted, slope = backward(loss, logits.double(), labels)
    assert value.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(value.double(), wanted, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient, slope.to(dtype), rtol=2 * torch.finfo(dtype).eps, atol=1e-6)


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_a_column_of_logits_gets_a_column_of_gradients(loss: _Loss) -> None:
    logits, labels = torch.tensor([-3.0, -0.5, 0.0, 2.0]), torch.tensor([0, 1, 1, 0])
    _, column = backward(loss, logits[:, None], labels)
    _, row = backward(loss, logits, labels)
    assert torch.equal(column, row[:, None])
    assert bool((row != 0).all())


@pytest.mark.parametrize("loss", ALL, ids=repr)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_network_that_diverged_is_told_so_and_nothing_else(loss: _Loss, dtype: torch.dtype, wrong: float) -> None:
    """Torch's warning on reading a number off the graph, an error in a strict run, must not come first."""
    logits = torch.tensor([[0.0], [wrong], [wrong]], dtype=dtype, requires_grad=True)
    with pytest.raises(NotFiniteError, match=f"got {wrong} at position 1: "):
        loss(2 * logits, torch.tensor([0, 1, 1]))


@pytest.mark.parametrize(("dtype", "rel"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
@pytest.mark.parametrize("own", [30.0, -21.0])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("loss", [BCELoss(), WeightedBCELoss(1.0), AsymmetricFocalLoss(0.0), SymmetricMarginLoss(0.0)])
def test_almost_right_and_badly_wrong_cases_keep_their_digits(
    loss: _Loss, label: int, own: float, dtype: torch.dtype, rel: float
) -> None:
    """30: 1 - s rounds to 0 in float32. -21: where torch's softplus turns into a straight line."""
    sign = 2 * label - 1
    value, gradient = backward(loss, torch.tensor([sign * own], dtype=dtype), torch.tensor([label]))
    assert float(value) == pytest.approx(math.log1p(math.exp(-own)), rel=rel)
    assert float(gradient) == pytest.approx(-sign / (1 + math.exp(own)), rel=rel)


@pytest.mark.parametrize(("dtype", "z"), [(torch.float32, 30.0), (torch.float64, 60.0)])
@pytest.mark.parametrize(("loss", "factor"), [(MSFELoss, 1), (MBAUCLoss, 3)])
@pytest.mark.parametrize("label", [0, 1])
def test_a_badly_wrong_case_still_learns_in_either_class(
    loss: Callable[[], _Loss], factor: int, label: int, dtype: torch.dtype, z: float
) -> None:
    """Where s rounds to 1 the gradient of a plain sigmoid is 0; the true one is e^-z, times 2 (1 + 1/2) for MBAUC."""
    wrong = -z if label else z
    _, gradient = backward(loss(), torch.tensor([wrong, 0.0], dtype=dtype), torch.tensor([label, 1 - label]))
    assert float(gradient[0]) == pytest.approx(math.copysign(factor * math.exp(-z), wrong), rel=1e-5)
