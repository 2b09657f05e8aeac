"""Laws of the base losses, on batches that Hypothesis thinks up."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.modules.loss import _Loss

from prostate_alm.losses import MBAUCLoss

Cases = list[tuple[float, int]]
cases = st.tuples(st.floats(-60, 60), st.integers(0, 1))
batches = st.lists(cases, max_size=8)
REDUCTIONS = ["mean", "sum"]
ROUNDING = 1e-13
"""Relative: what the order of a sum in float64 may change."""


def tensors(batch: Cases) -> tuple[Tensor, Tensor]:
    logits = torch.tensor([logit for logit, _ in batch], dtype=torch.float64)
    return logits, torch.tensor([label for _, label in batch], dtype=torch.int64)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(pair=batches.flatmap(lambda batch: st.tuples(st.just(batch), st.permutations(batch))))
def test_the_order_of_the_batch_does_not_matter(
    build: Callable[..., _Loss], reduction: str, pair: tuple[Cases, Cases]
) -> None:
    batch, shuffled = pair
    loss = build(reduction=reduction)
    torch.testing.assert_close(loss(*tensors(shuffled)), loss(*tensors(batch)), rtol=ROUNDING, atol=0)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(batch=batches)
def test_no_loss_is_negative(build: Callable[..., _Loss], reduction: str, batch: Cases) -> None:
    assert float(build(reduction=reduction)(*tensors(batch))) >= 0


@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(others=batches, case=cases, step=st.floats(0, 60))
def test_a_logit_nearer_to_its_label_never_raises_the_loss(
    build: Callable[..., _Loss], reduction: str, others: Cases, case: tuple[float, int], step: float
) -> None:
    """A positive's logit up or a negative's down."""
    logit, label = case
    loss = build(reduction=reduction)
    before = float(loss(*tensors([case, *others])))
    after = float(loss(*tensors([(logit + (2 * label - 1) * step, label), *others])))
    assert after <= before * (1 + ROUNDING)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@given(batch=batches)
def test_mbauc_does_not_know_which_class_is_critical(reduction: str, batch: Cases) -> None:
    swapped = [(-logit, 1 - label) for logit, label in batch]
    loss = MBAUCLoss(reduction)
    torch.testing.assert_close(loss(*tensors(swapped)), loss(*tensors(batch)), rtol=ROUNDING, atol=0)
