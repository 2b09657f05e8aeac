"""The losses that are a mean over cases, against their formulas in plain numbers and at their limits."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.modules.loss import _Loss

from prostate_alm.losses import (
    AsymmetricFocalLoss,
    AsymmetricMarginLoss,
    BCELoss,
    ClassBalancedBCELoss,
    SymmetricFocalLoss,
    SymmetricMarginLoss,
    WeightedBCELoss,
)

Z = [-6.0, -3.0, -0.5, 0.0, 0.25, 2.0, 4.0]
CASES = [(z, y) for z in Z for y in (0, 1)]
Formula = Callable[[float, int], float]


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def bce(z: float, y: int) -> float:
    s = sigmoid(z)
    return -y * math.log(s) - (1 - y) * math.log(1 - s)


def symmetric_margin(m: float) -> Formula:
    return lambda z, y: -y * math.log(sigmoid(z - m)) - (1 - y) * math.log(1 - sigmoid(z + m))


def asymmetric_margin(m: float) -> Formula:
    return lambda z, y: -y * math.log(sigmoid(z - m)) - (1 - y) * math.log(1 - sigmoid(z))


def symmetric_focal(g: float) -> Formula:
    def formula(z: float, y: int) -> float:
        s = sigmoid(z)
        return -y * (1 - s) ** g * math.log(s) - (1 - y) * s**g * math.log(1 - s)

    return formula


def asymmetric_focal(g: float) -> Formula:
    def formula(z: float, y: int) -> float:
        s = sigmoid(z)
        return -y * math.log(s) - (1 - y) * s**g * math.log(1 - s)

    return formula


def weighted(c: float) -> Formula:
    return lambda z, y: (c if y == 1 else 1) * bce(z, y)


def class_balanced(counts: Sequence[int], beta: float) -> Formula:
    # the effective number of Cui et al. as the sum that (1 - beta^n) / (1 - beta) is short for
    effective = [math.fsum(beta**k for k in range(count)) for count in counts]
    return lambda z, y: bce(z, y) / effective[y]


def value_and_gradient(loss: _Loss) -> tuple[Tensor, Tensor]:
    logits = torch.tensor([z for z, _ in CASES], dtype=torch.float64, requires_grad=True)
    value = loss(logits, torch.tensor([y for _, y in CASES]))
    return value.detach(), torch.autograd.grad(value.sum(), logits)[0]


@pytest.mark.parametrize(
    ("loss", "formula"),
    [
        (BCELoss("none"), bce),
        *((SymmetricMarginLoss(m, "none"), symmetric_margin(m)) for m in (0.1, 0.5, 2, 4)),
        *((AsymmetricMarginLoss(m, "none"), asymmetric_margin(m)) for m in (0.1, 0.5, 2, 4)),
        *((SymmetricFocalLoss(g, "none"), symmetric_focal(g)) for g in (0.5, 1, 2, 4, 5)),
        *((AsymmetricFocalLoss(g, "none"), asymmetric_focal(g)) for g in (0.5, 1, 2, 4, 5)),
        *((WeightedBCELoss(c, "none"), weighted(c)) for c in (0.2, 3, 9)),
        *((ClassBalancedBCELoss((300, 40), b, "none"), class_balanced((300, 40), b)) for b in (0.5, 0.99, 0.9999)),
    ],
    ids=str,
)
def test_the_loss_is_its_formula(loss: _Loss, formula: Formula) -> None:
    value, gradient = value_and_gradient(loss)
    assert value.tolist() == pytest.approx([formula(z, y) for z, y in CASES], rel=1e-12)
    h = 1e-5
    slopes = [(formula(z + h, y) - formula(z - h, y)) / (2 * h) for z, y in CASES]
    assert gradient.tolist() == pytest.approx(slopes, rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    "build",
    [
        lambda reduction: SymmetricMarginLoss(0.0, reduction),
        lambda reduction: AsymmetricMarginLoss(0.0, reduction),
        lambda reduction: SymmetricFocalLoss(0.0, reduction),
        lambda reduction: AsymmetricFocalLoss(0.0, reduction),
        lambda reduction: WeightedBCELoss(1.0, reduction),
        lambda reduction: ClassBalancedBCELoss((300, 40), 0.0, reduction),
        lambda reduction: ClassBalancedBCELoss((300, 40), 1e-15, reduction),
        lambda reduction: ClassBalancedBCELoss((300, 40), 5e-324, reduction),
        lambda reduction: ClassBalancedBCELoss((1, 1), 0.9, reduction),
    ],
    ids=["s-ml", "a-ml", "s-fl", "a-fl", "w-bce", "cb-bce", "cb-bce near 0", "cb-bce nearest 0", "cb-bce of one case"],
)
def test_the_limit_is_bce(build: Callable[[str], _Loss], reduction: str) -> None:
    for ours, wanted in zip(value_and_gradient(build(reduction)), value_and_gradient(BCELoss(reduction)), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=3e-15, atol=0)


@pytest.mark.parametrize(("dtype", "rel"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
@pytest.mark.parametrize(("z", "y"), [(30.0, 1), (-30.0, 0)])
def test_a_case_that_is_almost_right_keeps_its_digits(z: float, y: int, dtype: torch.dtype, rel: float) -> None:
    """Where 1 - s rounds to 0."""
    logits = torch.tensor([z], dtype=dtype, requires_grad=True)
    value = BCELoss()(logits, torch.tensor([y]))
    (gradient,) = torch.autograd.grad(value, logits)
    assert float(value.detach()) == pytest.approx(math.log1p(math.exp(-30)), rel=rel)
    assert float(gradient) == pytest.approx(-math.copysign(1 / (1 + math.exp(30)), z), rel=rel)


def test_the_mean_of_w_bce_divides_by_the_cases() -> None:
    loss = WeightedBCELoss(weight=9.0)
    assert float(loss(torch.zeros(2), torch.tensor([1, 0]))) == pytest.approx((9 + 1) * math.log(2) / 2)


def test_cb_bce_towards_beta_one_divides_by_the_counts() -> None:
    loss = ClassBalancedBCELoss((300, 40), beta=1 - 2**-53, reduction="none")
    value = loss(torch.zeros(2, dtype=torch.float64), torch.tensor([0, 1]))
    assert value.tolist() == pytest.approx([math.log(2) / 300, math.log(2) / 40], rel=1e-12)


@pytest.mark.parametrize("counts", [[300, 40], np.array([300, 40]), torch.tensor([300, 40]), (300.0, 40.0)])
def test_class_counts_may_be_any_sequence_of_whole_numbers(counts: Sequence[int]) -> None:
    loss = ClassBalancedBCELoss(counts, beta=0.99)
    assert repr(loss) == "ClassBalancedBCELoss(class_counts=(300, 40), beta=0.99)"


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (SymmetricMarginLoss(2.0), "SymmetricMarginLoss(margin=2.0)"),
        (AsymmetricFocalLoss(4.0), "AsymmetricFocalLoss(gamma=4.0)"),
        (WeightedBCELoss(3.0), "WeightedBCELoss(weight=3.0)"),
    ],
)
def test_the_parameter_is_shown(loss: _Loss, shown: str) -> None:
    assert repr(loss) == shown


@pytest.mark.parametrize("focal", [SymmetricFocalLoss, AsymmetricFocalLoss])
@pytest.mark.parametrize("gamma", [-0.1, math.inf, math.nan])
def test_gamma_out_of_range_is_rejected(focal: Callable[..., _Loss], gamma: float) -> None:
    with pytest.raises(ValueError, match=f"gamma must be finite and >= 0, got {gamma}"):
        focal(gamma=gamma)


@pytest.mark.parametrize("build", [SymmetricMarginLoss, AsymmetricMarginLoss])
@pytest.mark.parametrize("margin", [-0.1, math.inf, math.nan])
def test_margin_out_of_range_is_rejected(build: Callable[..., _Loss], margin: float) -> None:
    with pytest.raises(ValueError, match=f"margin must be finite and >= 0, got {margin}"):
        build(margin=margin)


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_weight_out_of_range_is_rejected(weight: float) -> None:
    with pytest.raises(ValueError, match=f"weight must be finite and > 0, got {weight}"):
        WeightedBCELoss(weight)


@pytest.mark.parametrize("beta", [-0.1, 1.0, math.inf, math.nan])
def test_beta_out_of_range_is_rejected(beta: float) -> None:
    with pytest.raises(ValueError, match=rf"beta must be within \[0, 1\), got {beta}"):
        ClassBalancedBCELoss((2, 1), beta)


@pytest.mark.parametrize(
    "counts", [(), (3,), (3, 2, 1), (0, 1), (3, 0), (3, -1), (2.5, 1), (math.inf, 1), (1, math.nan)]
)
def test_class_counts_that_count_nothing_are_rejected(counts: Sequence[int]) -> None:
    with pytest.raises(ValueError, match=r"class_counts must be two whole numbers >= 1, .*, got \("):
        ClassBalancedBCELoss(counts)
