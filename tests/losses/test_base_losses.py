"""The base losses against torch and against their formulas written out."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from prostate_alm.losses import BASE_LOSSES, AsymmetricFocalLoss, BCELoss, SymmetricFocalLoss
from prostate_alm.losses._binary import BinaryLoss

Z = [-3.0, -0.5, 0.0, 0.25, 2.0, 4.0]
Y = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0]
ALL = [BCELoss(), SymmetricFocalLoss(2.0), AsymmetricFocalLoss(2.0), SymmetricFocalLoss(0.5), AsymmetricFocalLoss(0.0)]


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def symmetric(z: float, y: float, gamma: float) -> float:
    s = sigmoid(z)
    return -math.log(s) * (1 - s) ** gamma if y == 1 else -math.log(1 - s) * s**gamma


def asymmetric(z: float, y: float, gamma: float) -> float:
    return -math.log(sigmoid(z)) if y == 1 else symmetric(z, y, gamma)


def value_and_gradient(loss: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    logits = torch.tensor(Z, dtype=torch.float64, requires_grad=True)
    value = loss(logits, torch.tensor(Y, dtype=torch.float64))
    return value.detach(), torch.autograd.grad(value.sum(), logits)[0]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_bce_is_torch_s(reduction: str) -> None:
    ours = value_and_gradient(BCELoss(reduction))
    wanted = value_and_gradient(lambda z, y: binary_cross_entropy_with_logits(z, y, reduction=reduction))
    for a, b in zip(ours, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("focal", [SymmetricFocalLoss, AsymmetricFocalLoss])
def test_focal_without_focusing_is_bce(focal: Callable[..., BinaryLoss]) -> None:
    for ours, wanted in zip(value_and_gradient(focal(gamma=0.0)), value_and_gradient(BCELoss()), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize(("focal", "formula"), [(SymmetricFocalLoss, symmetric), (AsymmetricFocalLoss, asymmetric)])
def test_focal_is_its_formula(focal: Callable[..., BinaryLoss], formula: Callable[..., float], gamma: float) -> None:
    wanted = [formula(z, y, gamma) for z, y in zip(Z, Y, strict=True)]
    value, gradient = value_and_gradient(focal(gamma=gamma, reduction="none"))
    assert value.tolist() == pytest.approx(wanted, rel=1e-12)
    h = 1e-6
    slopes = [(formula(z + h, y, gamma) - formula(z - h, y, gamma)) / (2 * h) for z, y in zip(Z, Y, strict=True)]
    assert gradient.tolist() == pytest.approx(slopes, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_extreme_logits_stay_finite(loss: BinaryLoss, dtype: torch.dtype) -> None:
    logits = torch.tensor([1e4, -1e4, 1e4, -1e4], dtype=dtype, requires_grad=True)
    value = loss(logits, torch.tensor([0, 1, 1, 0]))
    value.backward()
    assert value.dtype == torch.promote_types(dtype, torch.float32)
    assert logits.grad is not None
    assert bool(value.isfinite() and logits.grad.isfinite().all())
    assert float(value.detach()) >= 2.4e3


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_low_precision_differs_by_its_rounding_of_the_logits_alone(loss: BinaryLoss, dtype: torch.dtype) -> None:
    logits, labels = torch.tensor(Z), torch.tensor(Y)  # every logit is exact in every dtype
    torch.testing.assert_close(loss(logits.to(dtype), labels), loss(logits.double(), labels).float())


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("labels", [torch.tensor(Y), torch.tensor(Y).long(), torch.tensor(Y).bool()])
def test_shapes_and_label_types_do_not_matter(loss: BinaryLoss, labels: Tensor) -> None:
    logits = torch.tensor(Z)
    wanted = loss(logits, torch.tensor(Y))
    for z in (logits, logits[:, None]):
        for y in (labels, labels[:, None]):
            assert torch.equal(loss(z, y), wanted)


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.zeros(2), torch.tensor([0.0, 2.0]), "labels must be 0 or 1"),
        (torch.zeros(2), torch.tensor([0.0, 0.5]), "labels must be 0 or 1"),
        (torch.zeros(2), torch.tensor([0.0, math.nan]), "labels must be 0 or 1"),
        (torch.zeros(2), torch.zeros(3), "labels must have shape"),
        (torch.zeros(2), torch.zeros(1, 2), "labels must have shape"),
        (torch.zeros(2, 2), torch.zeros(4), "logits must have shape"),
        (torch.zeros(()), torch.zeros(1), "logits must have shape"),
        (torch.zeros(2, dtype=torch.int64), torch.zeros(2), "floating point"),
    ],
)
def test_bad_input_is_rejected(loss: BinaryLoss, logits: Tensor, labels: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss(logits, labels)


@pytest.mark.parametrize("focal", [SymmetricFocalLoss, AsymmetricFocalLoss])
@pytest.mark.parametrize("gamma", [-0.1, math.inf, math.nan])
def test_gamma_out_of_range_is_rejected(focal: Callable[..., BinaryLoss], gamma: float) -> None:
    with pytest.raises(ValueError, match="gamma"):
        focal(gamma=gamma)


def test_an_unknown_reduction_is_rejected() -> None:
    with pytest.raises(ValueError, match="median"):
        BCELoss(reduction="median")


def test_the_base_class_has_no_terms() -> None:
    with pytest.raises(NotImplementedError):
        BinaryLoss()(torch.zeros(1), torch.zeros(1))


def test_the_bundle_s_names_lead_to_the_losses() -> None:
    from pydoc import locate

    classes = [locate(path) for path in BASE_LOSSES.values()]
    assert classes == [BCELoss, SymmetricFocalLoss, AsymmetricFocalLoss]
