"""What holds for every base loss: laws, dtypes, extremes, shapes."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from every_loss import BETA, COUNTS, every_loss
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

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
Y = [0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0]
W0, W1 = ((1 - BETA) / (1 - BETA**count) for count in COUNTS)


ALL = every_loss()
SYMMETRIC = [BCELoss(), SymmetricMarginLoss(0.5), SymmetricFocalLoss(2.0), MSFELoss(), MBAUCLoss(), MBAUCLoss("sum")]
ASYMMETRIC = [AsymmetricMarginLoss(0.5), AsymmetricFocalLoss(2.0), WeightedBCELoss(9.0), ClassBalancedBCELoss(COUNTS)]

Batch = list[tuple[float, int]]
eighths = st.integers(-80, 80).map(lambda eighth: eighth / 8)
batches = st.lists(st.tuples(eighths, st.sampled_from([0, 1])), min_size=1, max_size=8)


def columns(batch: Batch) -> tuple[Tensor, Tensor]:
    logits, labels = zip(*batch, strict=True)
    return torch.tensor(logits, dtype=torch.float64), torch.tensor(labels)


@pytest.mark.parametrize("loss", [*ALL, *every_loss("sum")], ids=repr)
@given(batch=batches, random=st.randoms(use_true_random=False))
def test_the_order_of_the_batch_does_not_matter(loss: nn.Module, batch: Batch, random: Random) -> None:
    shuffled = random.sample(batch, len(batch))
    torch.testing.assert_close(loss(*columns(shuffled)), loss(*columns(batch)), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", ALL, ids=repr)
@given(batch=batches, step=eighths.map(abs), place=st.integers(0, 7))
def test_a_case_moved_the_right_way_never_raises_the_loss(
    loss: nn.Module, batch: Batch, step: float, place: int
) -> None:
    logits, labels = columns(batch)
    before = float(loss(logits, labels))
    case = place % len(batch)
    logits[case] += step if labels[case] == 1 else -step
    assert 0 <= float(loss(logits, labels)) <= before * (1 + 1e-12)


@pytest.mark.parametrize("loss", SYMMETRIC, ids=repr)
@given(batch=batches)
def test_a_symmetric_loss_does_not_tell_the_classes_apart(loss: nn.Module, batch: Batch) -> None:
    logits, labels = columns(batch)
    torch.testing.assert_close(loss(-logits, 1 - labels), loss(logits, labels), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", ASYMMETRIC, ids=repr)
def test_an_asymmetric_loss_tells_the_critical_class(loss: nn.Module) -> None:
    """A missed positive costs more than a false alarm as far off."""
    missed, alarm = loss(torch.tensor([-1.0]), torch.tensor([1])), loss(torch.tensor([1.0]), torch.tensor([0]))
    assert float(missed) > 1.1 * float(alarm)


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_gradients_are_the_slopes(loss: nn.Module) -> None:
    logits = torch.tensor(Z, dtype=torch.float64)[:, None].requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, torch.tensor(Y)[:, None]), logits)


@pytest.mark.parametrize(
    ("loss", "value", "gradient"),
    [
        (BCELoss(), lambda z: z / 2, (0.25, -0.25)),
        (SymmetricMarginLoss(0.5), lambda z: (z + 0.5) / 2, (0.25, -0.25)),
        (AsymmetricMarginLoss(0.5), lambda z: (2 * z + 0.5) / 4, (0.25, -0.25)),
        (SymmetricFocalLoss(2.0), lambda z: z / 2, (0.25, -0.25)),
        (AsymmetricFocalLoss(2.0), lambda z: z / 2, (0.25, -0.25)),
        (SymmetricFocalLoss(0.5), lambda z: z / 2, (0.25, -0.25)),
        (AsymmetricFocalLoss(0.0), lambda z: z / 2, (0.25, -0.25)),
        (WeightedBCELoss(9.0), lambda z: 10 * z / 4, (0.25, -2.25)),
        (ClassBalancedBCELoss(COUNTS, BETA), lambda z: (W0 + W1) * z / 4, (W0 / 4, -W1 / 4)),
        (MSFELoss(), lambda _: 0.125, (0.0, 0.0)),  # (1/4)^2 for each class
        (MBAUCLoss(), lambda _: 1.5, (0.0, 0.0)),  # (1 - gap)^2 of the four pairs: 4, 1, 1, 0
    ],
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_extreme_logits_stay_finite(
    loss: nn.Module, value: Callable[[float], float], gradient: tuple[float, float], dtype: torch.dtype
) -> None:
    """A wrong and a right case of each class; the right ones get no gradient."""
    logits = torch.tensor([1e4, -1e4, 1e4, -1e4], dtype=dtype, requires_grad=True)
    ours = loss(logits, torch.tensor([0, 1, 1, 0]))
    ours.backward()
    assert ours.dtype == torch.promote_types(dtype, torch.float32)
    assert logits.grad is not None
    assert float(ours.detach()) == pytest.approx(value(float(logits[0].detach())), rel=1e-6)
    assert logits.grad.tolist() == pytest.approx([*gradient, 0.0, 0.0], rel=1e-2)


@pytest.mark.parametrize("loss", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_low_precision_differs_by_its_rounding_of_the_logits_alone(loss: nn.Module, dtype: torch.dtype) -> None:
    logits, labels = torch.tensor(Z), torch.tensor(Y)  # every logit is exact in every dtype
    torch.testing.assert_close(loss(logits.to(dtype), labels), loss(logits.double(), labels).float())


@pytest.mark.parametrize("loss", ALL, ids=repr)
@pytest.mark.parametrize("labels", [torch.tensor(Y), torch.tensor(Y).long(), torch.tensor(Y).bool()])
def test_shapes_and_label_types_do_not_matter(loss: nn.Module, labels: Tensor) -> None:
    logits = torch.tensor(Z)
    wanted = loss(logits, torch.tensor(Y))
    for z in (logits, logits[:, None]):
        for y in (labels, labels[:, None]):
            assert torch.equal(loss(z, y), wanted)


@pytest.mark.parametrize("loss", [BCELoss("none"), AsymmetricMarginLoss(0.5, "none"), WeightedBCELoss(2.0, "none")])
def test_terms_come_as_a_row(loss: nn.Module) -> None:
    assert loss(torch.tensor(Z)[:, None], torch.tensor(Y)[:, None]).shape == (len(Z),)


@pytest.mark.parametrize("loss", [*ALL, *every_loss("sum")], ids=repr)
@pytest.mark.parametrize("shape", [(0,), (0, 1)])
def test_no_cases_give_an_exact_zero(loss: nn.Module, shape: tuple[int, ...]) -> None:
    logits = torch.zeros(shape, requires_grad=True)
    value = loss(logits, torch.zeros(shape))
    value.backward()
    assert float(value.detach()) == 0
    assert logits.grad is not None


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("label", [0, 1])
def test_msfe_of_one_class_is_that_class_s_error(reduction: str, label: int) -> None:
    """s = 1/2 twice: errors of 1/8 each, and nothing from the absent class."""
    logits = torch.zeros(2, requires_grad=True)
    value = MSFELoss(reduction)(logits, torch.full((2,), label))
    value.backward()
    assert float(value.detach()) == {"mean": 1 / 64, "sum": 1 / 16}[reduction]
    assert logits.grad is not None
    assert bool((logits.grad * (1 - 2 * label) > 0).all())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("label", [0, 1])
def test_mbauc_without_pairs_is_an_exact_zero(reduction: str, label: int) -> None:
    logits = torch.tensor([0.5, -2.0], requires_grad=True)
    value = MBAUCLoss(reduction)(logits, torch.full((2,), label))
    value.backward()
    assert float(value.detach()) == 0
    assert logits.grad is not None
    assert logits.grad.tolist() == [0, 0]


class Waits(TorchDispatchMode):
    """Counts the operations that make the host wait for a GPU."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.overloadpacket.__name__ in ("_local_scalar_dense", "nonzero", "index", "masked_select")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_a_training_step_waits_for_the_device_once(loss: nn.Module) -> None:
    logits = torch.tensor(Z, requires_grad=True)
    with Waits() as waits:
        loss(logits, torch.tensor(Y)).backward()
    assert waits.count == 1
