"""Every base loss against its formula written out, in value and gradient, and the limits in which it is BCE."""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from prostate_alm.losses import (
    AsymmetricFocalLoss,
    AsymmetricMarginLoss,
    BCELoss,
    ClassBalancedBCELoss,
    MBAUCLoss,
    MSFELoss,
    SymmetricFocalLoss,
    SymmetricMarginLoss,
    WeightedBCELoss,
)

Z = [-3.0, -0.5, 0.0, 0.25, 2.0, 4.0, 1.5]
Y = [0, 1, 1, 0, 0, 1, 0]  # more negatives than positives: a swap of the two counts shows

Batch = Callable[[list[float], list[int], str], float]
batches = st.lists(
    st.tuples(st.integers(-64, 64).map(lambda eighth: eighth / 8), st.sampled_from([0, 1])), min_size=1, max_size=8
)


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def bce(z: float, y: int) -> float:
    return -math.log(sigmoid(z)) if y == 1 else -math.log(1 - sigmoid(z))


def symmetric_margin(z: float, y: int, m: float) -> float:
    return -math.log(sigmoid(z - m)) if y == 1 else -math.log(1 - sigmoid(z + m))


def asymmetric_margin(z: float, y: int, m: float) -> float:
    return -math.log(sigmoid(z - m)) if y == 1 else -math.log(1 - sigmoid(z))


def symmetric_focal(z: float, y: int, g: float) -> float:
    s = sigmoid(z)
    return -math.log(s) * (1 - s) ** g if y == 1 else -math.log(1 - s) * s**g


def asymmetric_focal(z: float, y: int, g: float) -> float:
    s = sigmoid(z)
    return -math.log(s) if y == 1 else -math.log(1 - s) * s**g


def weighted(z: float, y: int, c: float) -> float:
    return c * bce(z, y) if y == 1 else bce(z, y)


def class_balanced(z: float, y: int, n: tuple[int, int], b: float) -> float:
    return bce(z, y) * (1 - b) / (1 - b ** n[y])


def msfe(z: list[float], y: list[int], reduction: str) -> float:
    total = 0.0
    for label in (0, 1):
        errors = [(sigmoid(a) - b) ** 2 / 2 for a, b in zip(z, y, strict=True) if b == label]
        if errors:
            total += (sum(errors) / (len(errors) if reduction == "mean" else 1)) ** 2
    return total


def mbauc(z: list[float], y: list[int], reduction: str) -> float:
    pairs: list[float] = []
    for j in range(len(z)):
        for k in range(len(z)):
            if y[j] == 1 and y[k] == 0:
                pairs.append((1 - (sigmoid(z[j]) - sigmoid(z[k]))) ** 2)
    return sum(pairs) / (max(1, len(pairs)) if reduction == "mean" else 1)


def over_cases(formula: Callable[[float, int], float]) -> Batch:
    """The sum or mean of a formula per case; the mean divides by B whatever the weights."""

    def batch(z: list[float], y: list[int], reduction: str) -> float:
        return sum(map(formula, z, y)) / (len(z) if reduction == "mean" else 1)

    return batch


CASE_LOSSES = [
    (BCELoss, bce),
    *((partial(SymmetricMarginLoss, m), partial(symmetric_margin, m=m)) for m in (0.1, 0.5, 2.0, 4.0)),
    *((partial(AsymmetricMarginLoss, m), partial(asymmetric_margin, m=m)) for m in (0.1, 0.5, 2.0, 4.0)),
    *((partial(SymmetricFocalLoss, g), partial(symmetric_focal, g=g)) for g in (0.5, 1.0, 2.0, 4.0, 5.0)),
    *((partial(AsymmetricFocalLoss, g), partial(asymmetric_focal, g=g)) for g in (0.5, 1.0, 2.0, 4.0, 5.0)),
    *((partial(WeightedBCELoss, c), partial(weighted, c=c)) for c in (0.25, 3.0, 19.0)),
    *(
        (partial(ClassBalancedBCELoss, (300, 15), b), partial(class_balanced, n=(300, 15), b=b))
        for b in (0.5, 0.99, 0.999, 0.9999)
    ),
]
ALL_LOSSES = [*((loss, over_cases(formula)) for loss, formula in CASE_LOSSES), (MSFELoss, msfe), (MBAUCLoss, mbauc)]
IS_BCE = [
    SymmetricMarginLoss(0.0),
    AsymmetricMarginLoss(0.0),
    SymmetricFocalLoss(0.0),
    AsymmetricFocalLoss(0.0),
    WeightedBCELoss(1.0),
    ClassBalancedBCELoss((300, 15), beta=0.0),
    ClassBalancedBCELoss((1, 1), beta=0.9),
]


def value_and_gradient(loss: Callable[[Tensor, Tensor], Tensor], z: list[float], y: list[int]) -> tuple[Tensor, Tensor]:
    logits = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    value = loss(logits, torch.tensor(y, dtype=torch.float64))
    return value.detach(), torch.autograd.grad(value.sum(), logits)[0]


def slopes(formula: Batch, z: list[float], y: list[int], reduction: str) -> list[float]:
    """Central differences of the oracle."""
    h = 1e-5

    def moved(index: int, by: float) -> float:
        return formula([*z[:index], z[index] + by, *z[index + 1 :]], y, reduction)

    return [(moved(index, h) - moved(index, -h)) / (2 * h) for index in range(len(z))]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("loss", "formula"), ALL_LOSSES)
def test_a_loss_is_its_formula(loss: Callable[..., nn.Module], formula: Batch, reduction: str) -> None:
    value, gradient = value_and_gradient(loss(reduction=reduction), Z, Y)
    assert value.shape == ()
    assert float(value) == pytest.approx(formula(Z, Y, reduction), rel=1e-11)
    assert gradient.tolist() == pytest.approx(slopes(formula, Z, Y, reduction), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(("loss", "formula"), CASE_LOSSES)
def test_every_case_has_its_own_term(loss: Callable[..., nn.Module], formula: Callable[[float, int], float]) -> None:
    value, _ = value_and_gradient(loss(reduction="none"), Z, Y)
    assert value.tolist() == pytest.approx(list(map(formula, Z, Y)), rel=1e-11)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("loss", "formula"), [(MSFELoss, msfe), (MBAUCLoss, mbauc)])
@given(batch=batches)
def test_a_loss_over_classes_is_its_loop(
    loss: Callable[..., nn.Module], formula: Batch, reduction: str, batch: list[tuple[float, int]]
) -> None:
    z, y = map(list, zip(*batch, strict=True))
    value, gradient = value_and_gradient(loss(reduction=reduction), z, y)
    assert float(value) == pytest.approx(formula(z, y, reduction), rel=1e-10, abs=1e-14)
    assert gradient.tolist() == pytest.approx(slopes(formula, z, y, reduction), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_bce_is_torch_s(reduction: str) -> None:
    ours = value_and_gradient(BCELoss(reduction), Z, Y)
    wanted = value_and_gradient(lambda z, y: binary_cross_entropy_with_logits(z, y, reduction=reduction), Z, Y)
    for a, b in zip(ours, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("loss", IS_BCE, ids=repr)
@given(batch=batches)
def test_in_its_limit_a_loss_is_bce(loss: nn.Module, batch: list[tuple[float, int]]) -> None:
    z, y = map(list, zip(*batch, strict=True))
    wanted = value_and_gradient(lambda z, y: binary_cross_entropy_with_logits(z, y), z, y)
    for a, b in zip(value_and_gradient(loss, z, y), wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-15)


def test_the_limits_are_reached_from_near() -> None:
    tiny = 1e-9
    near = [
        SymmetricMarginLoss(tiny),
        AsymmetricMarginLoss(tiny),
        SymmetricFocalLoss(tiny),
        AsymmetricFocalLoss(tiny),
        WeightedBCELoss(1 + tiny),
        ClassBalancedBCELoss((300, 15), beta=tiny),
    ]
    wanted = value_and_gradient(BCELoss(), Z, Y)
    for loss in near:
        for a, b in zip(value_and_gradient(loss, Z, Y), wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-8)
            assert not torch.equal(a, b)


@pytest.mark.parametrize("beta", [5e-324, 1e-12, 0.5, 0.99, 0.9999, 1 - 2.0**-53])
@pytest.mark.parametrize("count", [1, 2, 300, 4000])
def test_class_balanced_factors_are_exact(beta: float, count: int) -> None:
    b = Fraction(beta)
    wanted = float((1 - b) / (1 - b**count)) if beta > 1e-300 else 1.0
    for label, counts in ((0, (count, 7)), (1, (7, count))):
        loss = ClassBalancedBCELoss(counts, beta)
        value = float(loss(torch.zeros(1, dtype=torch.float64), torch.tensor([label])))
        assert value / math.log(2) == pytest.approx(wanted, rel=1e-13)


def test_class_balancing_shrinks_the_loss_some_300_times() -> None:
    logits, labels = torch.tensor([0.5, -1.0]), torch.tensor([0, 0])
    shrunk = ClassBalancedBCELoss((300, 15), beta=0.9999)(logits, labels)
    assert float(BCELoss()(logits, labels) / shrunk) == pytest.approx(296, abs=1)


@pytest.mark.parametrize("label", [0, 1])
def test_a_badly_wrong_case_still_learns_in_single_precision(label: int) -> None:
    """s(z) is 1 in float32 from z = 17 on, and 1 - s(z) would be 0; the gradient is not."""
    z = torch.tensor([-20.0 if label else 20.0], requires_grad=True)
    MSFELoss()(z, torch.tensor([label])).backward()
    assert z.grad is not None
    assert abs(float(z.grad)) == pytest.approx(math.exp(-20), rel=1e-5)  # d/dz of s^4 / 4 is s^4 (1 - s)


def test_well_ordered_pairs_keep_their_digits_in_single_precision() -> None:
    z = torch.tensor([20.0, -20.0], requires_grad=True)
    value = MBAUCLoss()(z, torch.tensor([1, 0]))
    value.backward()
    assert z.grad is not None
    assert float(value.detach()) == pytest.approx((2 * math.exp(-20)) ** 2, rel=1e-5)
    assert z.grad.tolist() == pytest.approx([-4 * math.exp(-40), 4 * math.exp(-40)], rel=1e-5)
