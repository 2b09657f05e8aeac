"""MSFE and MBAUC against loops over cases and over pairs."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from prostate_alm.losses import MBAUCLoss, MSFELoss

BATCHES = [
    ([-3.0, -0.5, 0.0, 0.25, 2.0, 4.0], [0, 1, 1, 0, 0, 1]),
    ([1.0, -1.0, 0.5, -2.0, 3.0], [0, 0, 0, 0, 1]),
    ([-1.0, 1.5], [1, 0]),
    ([0.5, -0.5, 1.0], [0, 0, 0]),
    ([0.5, -0.5], [1, 1]),
]


def msfe(logits: list[float], labels: list[int], reduction: str) -> float:
    value = 0.0
    for label in (0, 1):
        total, count = 0.0, 0
        for z, y in zip(logits, labels, strict=True):
            if y == label:
                total += (1 / (1 + math.exp(-z)) - y) ** 2 / 2
                count += 1
        if count:
            value += (total / count if reduction == "mean" else total) ** 2
    return value


def mbauc(logits: list[float], labels: list[int], reduction: str) -> float:
    scores = [1 / (1 + math.exp(-z)) for z in logits]
    total, pairs = 0.0, 0
    for s_j, y_j in zip(scores, labels, strict=True):
        for s_k, y_k in zip(scores, labels, strict=True):
            if y_j == 1 and y_k == 0:
                total += (1 - (s_j - s_k)) ** 2
                pairs += 1
    return total / pairs if reduction == "mean" and pairs else total


def value_and_gradient(loss: _Loss, logits: list[float], labels: list[int]) -> tuple[Tensor, Tensor]:
    leaf = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    value = loss(leaf, torch.tensor(labels))
    return value.detach(), torch.autograd.grad(value, leaf)[0]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("logits", "labels"), BATCHES)
@pytest.mark.parametrize(("build", "formula"), [(MSFELoss, msfe), (MBAUCLoss, mbauc)])
def test_the_loss_is_its_loop(
    build: Callable[..., _Loss],
    formula: Callable[..., float],
    logits: list[float],
    labels: list[int],
    reduction: str,
) -> None:
    value, gradient = value_and_gradient(build(reduction), logits, labels)
    assert float(value) == pytest.approx(formula(logits, labels, reduction), rel=1e-13)
    h, slopes = 1e-5, []
    for i, z in enumerate(logits):
        above, below = ([*logits[:i], z + step, *logits[i + 1 :]] for step in (h, -h))
        slopes.append((formula(above, labels, reduction) - formula(below, labels, reduction)) / (2 * h))
    assert gradient.tolist() == pytest.approx(slopes, rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("label", [0, 1])
def test_mbauc_without_pairs_is_an_exact_zero(reduction: str, label: int) -> None:
    value, gradient = value_and_gradient(MBAUCLoss(reduction), [0.5, -1e4, 3.0], [label] * 3)
    assert float(value) == 0.0
    assert gradient.tolist() == [0.0] * 3


def test_msfe_counts_both_classes_the_same() -> None:
    few, _ = value_and_gradient(MSFELoss(), [1.0, -1.0], [0, 1])
    many, _ = value_and_gradient(MSFELoss(), [1.0] * 50 + [-1.0], [0] * 50 + [1])
    torch.testing.assert_close(many, few)


@pytest.mark.parametrize(("dtype", "z"), [(torch.float32, 30.0), (torch.float64, 60.0)])
@pytest.mark.parametrize("label", [0, 1])
def test_a_badly_wrong_case_still_learns(
    build_class_mean: Callable[..., _Loss], label: int, dtype: torch.dtype, z: float
):
    """Where s rounds to 1 the gradient of a plain sigmoid is 0; its true size is of the order of e^-z."""
    wrong = z if label == 0 else -z
    logits = torch.tensor([wrong, 0.0], dtype=dtype, requires_grad=True)
    (gradient,) = torch.autograd.grad(build_class_mean()(logits, torch.tensor([label, 1 - label])), logits)
    slope = {MSFELoss: 1.0, MBAUCLoss: 3.0}[build_class_mean] * math.exp(-z)
    assert float(gradient[0]) == pytest.approx(math.copysign(slope, wrong), rel=1e-5)
