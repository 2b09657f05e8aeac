"""What all nine base losses promise: dtypes, shapes, extremes, guards, empty batches."""

import math
from collections.abc import Callable

import pytest
import torch
from monai.utils import LossReduction
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.modules.loss import _Loss

from prostate_alm.errors import NotFiniteError
from prostate_alm.losses import BCELoss
from prostate_alm.losses._binary import BinaryLoss, ClassMeanLoss

Z = [-3.0, -0.5, 0.0, 0.25, 2.0, 4.0]
Y = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
EXTREME = {  # negatives at 1e4 and -1e4, positives at 1e4 and -1e4: half of either class as wrong as can be
    "bce": 5e3,
    "s-ml": 5e3,
    "a-ml": 5e3,
    "s-fl": 5e3,
    "a-fl": 5e3,
    "w-bce": 1e4,
    "cb-bce": 2.5e3 * 0.01 * (1 / (1 - 0.99**30) + 1 / (1 - 0.99**15)),
    "msfe": 2 * 0.25**2,
    "mbauc": (4 + 1 + 1 + 0) / 4,
}


def backward(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, labels)
    return value.detach(), torch.autograd.grad(value, leaf)[0]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_bce_is_torch_s(reduction: str) -> None:
    logits, labels = torch.tensor(Z).double(), torch.tensor(Y).double()
    ours = BCELoss(reduction)(logits, labels)
    torch.testing.assert_close(ours, binary_cross_entropy_with_logits(logits, labels, reduction=reduction))


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_logits_stay_finite(loss: _Loss, dtype: torch.dtype, request: pytest.FixtureRequest) -> None:
    logits = torch.tensor([1e4, -1e4, 1e4, -1e4], dtype=dtype)
    value, gradient = backward(loss, logits, torch.tensor([0, 0, 1, 1]))
    assert float(value) == pytest.approx(EXTREME[request.node.callspec.params["build"]], rel=3e-3)
    assert gradient.dtype == dtype
    assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("dtype", DTYPES)
def test_low_precision_differs_by_its_rounding_of_the_logits_alone(loss: _Loss, dtype: torch.dtype) -> None:
    logits = torch.linspace(-9, 9, 12, dtype=torch.float64).to(dtype)
    labels = torch.tensor([0, 1, 1, 0, 0, 1] * 2)
    value, gradient = backward(loss, logits, labels)
    assert value.dtype == torch.promote_types(dtype, torch.float32)
    wanted, slope = backward(loss, logits.double(), labels)
    torch.testing.assert_close(value.double(), wanted, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient, slope.to(dtype), rtol=2 * torch.finfo(dtype).eps, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.float16, torch.float32, torch.float64])
def test_shapes_and_label_types_do_not_matter(loss: _Loss, dtype: torch.dtype) -> None:
    logits, labels = torch.tensor(Z), torch.tensor(Y, dtype=dtype)
    wanted = loss(logits, torch.tensor(Y))
    assert wanted.shape == ()
    for z in (logits, logits[:, None]):
        for y in (labels, labels[:, None]):
            assert torch.equal(loss(z, y), wanted)


def test_the_gradient_has_the_shape_of_the_logits(loss: _Loss) -> None:
    _, column = backward(loss, torch.tensor(Z)[:, None], torch.tensor(Y))
    _, flat = backward(loss, torch.tensor(Z), torch.tensor(Y))
    assert torch.equal(column, flat[:, None])
    assert bool((flat != 0).all())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_gradient_is_that_of_the_value(build: Callable[..., _Loss], reduction: str) -> None:
    loss, labels = build(reduction=reduction), torch.tensor(Y)
    logits = torch.tensor(Z, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: loss(z, labels), logits)


@pytest.mark.parametrize("reduction", ["mean", LossReduction.MEAN, "sum"])
@pytest.mark.parametrize("shape", [(0,), (0, 1)])
def test_the_empty_batch_is_an_exact_zero(build: Callable[..., _Loss], reduction: str, shape: tuple[int, ...]) -> None:
    value, gradient = backward(build(reduction=reduction), torch.zeros(shape), torch.zeros(shape))
    assert float(value) == 0.0
    assert gradient.shape == shape


@pytest.mark.parametrize("label", [0, 1])
def test_a_batch_of_one_class_is_finite(loss: _Loss, label: int) -> None:
    value, gradient = backward(loss, torch.tensor(Z), torch.full((6,), label))
    assert bool(value.isfinite() & gradient.isfinite().all())


def test_reductions_of_the_terms_of_cases(build_per_case: Callable[..., _Loss]) -> None:
    logits, labels = torch.tensor(Z, dtype=torch.float64)[:, None], torch.tensor(Y)[:, None]
    terms, total, mean = (build_per_case(reduction=name)(logits, labels) for name in ("none", "sum", "mean"))
    assert terms.shape == (6,)
    torch.testing.assert_close(total, terms.sum())
    torch.testing.assert_close(mean, terms.sum() / 6)
    assert build_per_case(reduction="none")(torch.zeros(0), torch.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ([0.0, 0.0], torch.tensor([0.0, 2.0]), r"labels must be 0 or 1, got 2\.0$"),
        ([0.0, 0.0], torch.tensor([0, -1]), "labels must be 0 or 1, got -1$"),
        ([0.0, 0.0], torch.tensor([5e-324, 1.0]).double(), "labels must be 0 or 1, got 5e-324$"),
        ([0.0] * 7, torch.tensor([0.5, math.nan, 0, 0.5, 2, 3, math.nan]), "got 0.5, nan, 2.0 and 1 more$"),
        ([math.nan, 0.0], torch.tensor([0.0, math.nan]), "labels must be 0 or 1, got nan$"),
        ([0.0, 0.0], torch.zeros(3), r"labels must have shape \(B,\) or \(B, 1\) with B = 2, got \(3,\)"),
        ([0.0, 0.0], torch.zeros(1, 2), "labels must have shape"),
        ([[0.0, 0.0]], torch.zeros(2), r"logits must have shape \(B,\) or \(B, 1\), got \(1, 2\)"),
        (0.0, torch.zeros(1), "logits must have shape"),
        ([0, 0], torch.zeros(2), "logits must be floating point, got torch.int64"),
    ],
)
def test_bad_input_is_rejected(loss: _Loss, logits: object, labels: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        loss(torch.tensor(logits), labels)
    assert not isinstance(caught.value, NotFiniteError)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_logits_that_are_not_finite_are_named(
    loss: _Loss, wrong: float, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    logits = torch.tensor([0.0, 1.0, wrong, math.nan], dtype=dtype, requires_grad=True)
    with pytest.raises(NotFiniteError, match=f"logits must be finite, got {wrong} at position 2: ") as caught:
        loss(logits.reshape(shape), torch.tensor([0, 1, 1, 0]))
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("reduction", ["median", "", None])
def test_an_unknown_reduction_is_rejected(build: Callable[..., _Loss], reduction: str) -> None:
    with pytest.raises(ValueError, match=f"{reduction!r}? is not a valid LossReduction"):
        build(reduction=reduction)


def test_a_loss_of_class_means_has_no_terms(build_class_mean: Callable[..., _Loss]) -> None:
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'sum', got 'none': M[A-Z]+Loss"):
        build_class_mean(reduction="none")


@pytest.mark.parametrize("base", [BinaryLoss, ClassMeanLoss])
def test_the_base_classes_have_no_formula(base: Callable[..., _Loss]) -> None:
    with pytest.raises(NotImplementedError):
        base()(torch.zeros(1), torch.zeros(1))
