"""The Augmented Lagrangian loss: Eq. 8 as a double loop, and Algorithm 1 redone by hand."""

import copy
import io
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.checkpoint import checkpoint

from prostate_alm.errors import NotFiniteError
from prostate_alm.losses import ALMLoss, AsymmetricFocalLoss, BCELoss

Lambdas = dict[str, float]


def eq_8(
    logits: Tensor, labels: list[int], ids: list[str], multipliers: Lambdas, penalty: float, margin: float
) -> tuple[Tensor, dict[int, float]]:
    """The loss over BCE, pair by pair, and q by position."""
    total = binary_cross_entropy_with_logits(logits, torch.tensor(labels, dtype=logits.dtype))
    positives = [index for index, label in enumerate(labels) if label == 1]
    negatives = [index for index, label in enumerate(labels) if label == 0]
    amounts: dict[int, float] = {}
    for j in positives:
        q = torch.zeros((), dtype=logits.dtype)
        for k in negatives:
            gap = margin - (logits[j] - logits[k])
            if float(gap.detach()) > 0:
                q = q + gap
        amounts[j] = float(q.detach())
        pairs = len(positives) * len(negatives)
        if pairs:
            total = total + penalty * q**2 / (2 * pairs) + multipliers.get(ids[j], 0.0) * q / pairs
    return total, amounts


batches = st.lists(
    st.tuples(st.integers(-24, 24).map(lambda eighth: eighth / 8), st.sampled_from([0, 1]), st.sampled_from("abcdef")),
    min_size=1,
    max_size=8,
)
KNOWN = {"a": 0.5, "b": 0.0, "c": 2.0}


def loss_with(known: Lambdas, penalty: float = 0.3, margin: float = 1.0) -> ALMLoss:
    loss = ALMLoss(BCELoss(), margin=margin, penalty=penalty, growth=3.0)
    loss.multipliers.add(list(known), list(known.values()))
    return loss


def columns(batch: list[tuple[float, int, str]]) -> tuple[Tensor, list[int], list[str]]:
    logits, labels, ids = zip(*batch, strict=True)
    return torch.tensor(logits, dtype=torch.float64, requires_grad=True), list(labels), list(ids)


@given(batch=batches, margin=st.sampled_from([0.0, 1.0, 1.5]))
def test_the_loss_equals_the_double_loop_in_value_and_gradient(
    batch: list[tuple[float, int, str]], margin: float
) -> None:
    logits, labels, ids = columns(batch)
    loss = loss_with(KNOWN, margin=margin)
    loss.bind(ids)
    ours = loss(logits, torch.tensor(labels))
    wanted, amounts = eq_8(logits, labels, ids, KNOWN, 0.3, margin)
    assert float(ours.detach()) == pytest.approx(float(wanted.detach()), rel=1e-12)
    gradients = [torch.autograd.grad(value, logits)[0] for value in (ours, wanted)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)
    assert loss.raise_multipliers(logits, torch.tensor(labels)).tolist() == pytest.approx(list(amounts.values()))


@given(batch=batches, seed=st.integers(0, 99), shift=st.integers(-5, 5))
def test_order_does_not_matter_nor_a_shift_for_the_constraint(
    batch: list[tuple[float, int, str]], seed: int, shift: int
) -> None:
    order = torch.randperm(len(batch), generator=torch.Generator().manual_seed(seed)).tolist()
    results: list[tuple[float, list[float]]] = []
    for rows, offset in ((batch, 0), ([batch[index] for index in order], shift)):
        logits, labels, ids = columns(rows)
        loss, targets = loss_with(KNOWN), torch.tensor(labels)
        loss.bind(ids)
        constraint = loss(logits + offset, targets) - BCELoss()(logits + offset, targets)
        loss.raise_multipliers(logits + offset, targets)
        results.append((float(constraint.detach()), loss.multipliers.of("abcdef").tolist()))
    assert results[0][0] == pytest.approx(results[1][0], abs=1e-9)
    assert results[0][1] == pytest.approx(results[1][1], abs=1e-9)


@given(batch=batches)
def test_the_loss_grows_with_the_margin_and_multipliers_never_fall(batch: list[tuple[float, int, str]]) -> None:
    logits, labels, ids = columns(batch)
    values: list[float] = []
    for margin in (0.0, 0.5, 2.0):
        loss = loss_with(KNOWN, margin=margin)
        loss.bind(ids)
        values.append(float(loss(logits, torch.tensor(labels)).detach()))
        loss.raise_multipliers(logits, torch.tensor(labels))
        assert bool((loss.multipliers.of(list(KNOWN)) >= torch.tensor(list(KNOWN.values()))).all())
    assert values == sorted(values)


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1]])
def test_a_batch_of_one_class_is_the_base_loss(labels: list[int]) -> None:
    base = AsymmetricFocalLoss(2.0)
    loss = ALMLoss(base)
    loss.multipliers.add(["a"], [3.0])
    logits = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
    loss.bind(["a", "b", "c"])
    value, wanted = loss(logits, torch.tensor(labels)), base(logits, torch.tensor(labels))
    assert torch.equal(value, wanted)
    gradients = [torch.autograd.grad(term, logits)[0] for term in (value, wanted)]
    assert torch.equal(*gradients)
    loss.raise_multipliers(logits, torch.tensor(labels))
    assert loss.multipliers.of(["a", "b"]).tolist() == [3.0, 0.0]


def test_two_training_steps_redone_by_hand() -> None:
    """Two epochs of one batch each, SGD in float64, the validation AUC falling in between."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 6, 3, dtype=torch.float64, generator=generator)
    labels, aucs = [[1, 0, 1, 0, 0, 1], [0, 1, 0, 1, 1, 0]], [0.8, 0.7]
    ids = [["a", "n1", "b", "n2", "n3", "a"], ["n1", "c", "n2", "b", "a", "n4"]]  # "a" is drawn twice at first
    network = nn.Linear(3, 1).double()
    weight = network.weight.detach().clone().requires_grad_()
    bias = network.bias.detach().clone().requires_grad_()

    loss, optimizer = (
        ALMLoss(BCELoss(), margin=1.5, penalty=0.3, growth=4.0),
        torch.optim.SGD(network.parameters(), lr=0.1),
    )
    for step in range(2):
        loss.bind(ids[step])
        logits, targets = network(images[step]), torch.tensor(labels[step])
        optimizer.zero_grad()
        loss(logits, targets).backward()
        loss.raise_multipliers(logits.detach(), targets)
        optimizer.step()
        loss.raise_penalty(aucs[step])

    multipliers: Lambdas = {}
    penalty, previous = 0.3, math.nan
    for step in range(2):
        value, amounts = eq_8(
            (images[step] @ weight.T + bias)[:, 0], labels[step], ids[step], multipliers, penalty, 1.5
        )
        slopes = torch.autograd.grad(value, (weight, bias))
        for j, q in amounts.items():
            multipliers[ids[step][j]] = multipliers.get(ids[step][j], 0.0) + penalty * q
        with torch.no_grad():
            weight -= 0.1 * slopes[0]
            bias -= 0.1 * slopes[1]
        penalty, previous = penalty * 4.0 if aucs[step] < previous else penalty, aucs[step]

    torch.testing.assert_close(network.weight, weight, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(network.bias, bias, rtol=1e-12, atol=1e-12)
    assert loss.multipliers.of(list(multipliers)).tolist() == pytest.approx(list(multipliers.values()), rel=1e-12)
    assert len(loss.multipliers) == len(multipliers) == 3
    assert loss.schedule.penalty == pytest.approx(penalty) == pytest.approx(1.2)


def bound_loss() -> tuple[ALMLoss, Tensor, Tensor]:
    loss = loss_with(KNOWN)
    loss.bind(["a", "x", "c"])
    return loss, torch.tensor([0.0, 0.5, -1.0], requires_grad=True), torch.tensor([1, 0, 1])


def flat(state: dict[str, Any]) -> str:
    return repr(state)


def test_forward_changes_no_state() -> None:
    loss, logits, labels = bound_loss()
    before = flat(loss.state_dict())
    first = loss(logits, labels)
    assert torch.equal(first, loss(logits, labels))
    loss.eval()
    assert torch.equal(first, loss(logits, labels))
    again = checkpoint(loss, logits, labels, use_reentrant=False)
    assert torch.equal(first, again)
    again.backward()
    assert flat(loss.state_dict()) == before
    loss.raise_multipliers(logits, labels)
    assert flat(loss.state_dict()) != before


def test_unbound_or_wrongly_bound_is_refused() -> None:
    logits, labels = torch.zeros(2), torch.tensor([0, 1])
    loss = ALMLoss(BCELoss())
    for call in (loss, loss.raise_multipliers):
        with pytest.raises(RuntimeError, match="no case ids are bound"):
            call(logits, labels)
    loss.bind(["a", "b", "c"])
    with pytest.raises(RuntimeError, match="3 case ids are bound"):
        loss(logits, labels)
    loss.bind(torch.tensor([4, 5]))
    loss.raise_multipliers(logits, labels)
    with pytest.raises(RuntimeError, match="no case ids are bound"):
        loss(logits, labels)  # raising unbinds: the ids of one batch never serve another
    assert loss.multipliers.of([4, 5]).tolist() == pytest.approx([0.0, 0.2])


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
def test_a_loss_that_is_not_finite_raises_and_names_the_penalty(value: float) -> None:
    loss = ALMLoss(BCELoss(), penalty=0.25)
    loss.bind(["a", "b"])
    logits, labels = torch.tensor([-value, value]), torch.tensor([1, 0])  # 1e30 squared overflows float32
    with pytest.raises(NotFiniteError, match=r"mu = 0\.25.*penalty_cap"):
        loss(logits, labels)


@pytest.mark.parametrize(("value", "penalty"), [(math.nan, 0.25), (1.0, math.inf)])
def test_multipliers_are_not_raised_by_what_is_not_finite(value: float, penalty: float) -> None:
    loss = ALMLoss(BCELoss(), penalty=0.25)
    loss.schedule.penalty = penalty
    loss.bind(["a", "b"])
    with pytest.raises(NotFiniteError, match="mu = "):
        loss.raise_multipliers(torch.tensor([0.0, value]), torch.tensor([1, 0]))
    assert len(loss.multipliers) == 0


def test_state_survives_a_file_without_pickle() -> None:
    loss, logits, labels = bound_loss()
    loss.raise_multipliers(logits, labels)
    for auc in (0.9, 0.8):
        loss.raise_penalty(auc)
    file = io.BytesIO()
    torch.save(loss.state_dict(), file)
    file.seek(0)
    resumed = ALMLoss(BCELoss(), margin=1.0, penalty=0.3, growth=3.0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert flat(resumed.state_dict()) == flat(loss.state_dict())
    assert resumed.raise_penalty(0.7) == loss.raise_penalty(0.7)
    loss.bind(["a", "x", "c"])
    resumed.bind(["a", "x", "c"])
    assert torch.equal(resumed(logits, labels), loss(logits, labels))


def test_copies_do_not_share_multipliers() -> None:
    loss, logits, labels = bound_loss()
    other = copy.deepcopy(loss)
    other.raise_multipliers(logits, labels)
    assert loss.multipliers.of(["a", "c"]).tolist() == [0.5, 2.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_logits_are_paired_in_float32(dtype: torch.dtype) -> None:
    loss, logits, labels = bound_loss()
    value = loss(logits.to(dtype), labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(logits, labels))


def test_gradient_accumulation_counts_each_micro_batch_for_itself() -> None:
    """Two micro-batches before one step: N+ and N- are the micro-batch's, and the multipliers move in between."""
    parts = [([0.5, -0.25, 1.0], [1, 0, 0], ["a", "n", "m"]), ([0.0, 0.75, -1.0], [1, 0, 1], ["b", "n", "a"])]
    ours = torch.zeros((), dtype=torch.float64, requires_grad=True)
    loss, multipliers, wanted = loss_with({}), {}, 0.0
    for logits, labels, ids in parts:
        moved = torch.tensor(logits, dtype=torch.float64) * (1 + ours)
        loss.bind(ids)
        (loss(moved, torch.tensor(labels)) / 2).backward()
        loss.raise_multipliers(moved.detach(), torch.tensor(labels))
        weight = torch.zeros((), dtype=torch.float64, requires_grad=True)
        value, amounts = eq_8(
            torch.tensor(logits, dtype=torch.float64) * (1 + weight), labels, ids, multipliers, 0.3, 1.0
        )
        wanted += float(torch.autograd.grad(value / 2, weight)[0])
        for j, q in amounts.items():
            multipliers[ids[j]] = multipliers.get(ids[j], 0.0) + 0.3 * q
    assert ours.grad is not None
    assert float(ours.grad) == pytest.approx(wanted, rel=1e-12)
    assert loss.multipliers.of(["a", "b"]).tolist() == pytest.approx([multipliers["a"], multipliers["b"]], rel=1e-12)


@pytest.mark.parametrize("cases", [40, 800])  # by the table of pairs, and by sorting
def test_autocast_changes_nothing(cases: int) -> None:
    logits = 3 * torch.randn(cases, generator=torch.Generator().manual_seed(1))
    labels, loss = torch.arange(cases) % 3 == 0, loss_with(KNOWN)
    loss.bind(torch.arange(cases))
    plain, other = loss(logits, labels), copy.deepcopy(loss)
    raised = other.raise_multipliers(logits, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss(logits, labels), plain)
        assert torch.equal(loss.raise_multipliers(logits, labels), raised)


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_a_base_loss_of_torch_gets_what_it_wants(shape: tuple[int, ...]) -> None:
    logits, labels = torch.tensor([0.5, -0.5]).reshape(shape), torch.tensor([1, 0])
    values: list[Tensor] = []
    for base in (nn.BCEWithLogitsLoss(), BCELoss()):
        loss = ALMLoss(base)
        loss.bind(["a", "b"])
        values.append(loss(logits, labels))
    torch.testing.assert_close(*values)


def test_a_user_s_own_base_loss_will_do() -> None:
    class Mean(nn.Module):
        def forward(self, logits: Tensor, _labels: Tensor) -> Tensor:
            return logits.mean()

    loss = ALMLoss(Mean(), margin=1.0, penalty=0.5)
    loss.bind([1, 2])
    value = loss(torch.tensor([[2.0], [2.0]]), torch.tensor([[1], [0]]))
    assert float(value) == pytest.approx(2.0 + 0.25)


def test_a_base_loss_without_reduction_is_refused() -> None:
    loss = ALMLoss(BCELoss(reduction="none"))
    loss.bind([1, 2])
    with pytest.raises(ValueError, match=r"must give a scalar, got shape \(2,\)"):
        loss(torch.zeros(2), torch.tensor([1, 0]))


def test_only_training_cases_are_taken() -> None:
    loss = ALMLoss(BCELoss(), cases=[("a", 1), ("b", 0), ("c", 0)])
    loss.bind(["a", "c"])
    assert loss.raise_multipliers(torch.zeros(2), torch.tensor([1, 0])).tolist() == [1.0]
    with pytest.raises(ValueError, match="case id 'd' is none of the 3 training cases"):
        loss.bind(["a", "d"])


def test_a_label_against_the_training_set_is_refused() -> None:
    loss = ALMLoss(BCELoss(), cases=[(1, 1), (2, 0)])
    loss.bind([2, 1])
    with pytest.raises(ValueError, match="key 2 has label 1 here, 0 in cases"):
        loss(torch.zeros(2), torch.tensor([1, 0]))


@pytest.mark.parametrize("labels", [[0, 0], [1, 1], []])
def test_a_training_set_without_a_class_is_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match=rf"needs both classes, got {labels.count(0)} negatives"):
        ALMLoss(BCELoss(), cases=list(enumerate(labels)))


@pytest.mark.parametrize(
    "parameters", [{"margin": -0.1}, {"margin": math.nan}, {"penalty": 0.0}, {"growth": 1.0}, {"penalty_cap": 0.1}]
)
def test_parameters_out_of_range_are_rejected(parameters: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        ALMLoss(BCELoss(), **parameters)


def test_labels_that_are_none_are_rejected() -> None:
    loss = ALMLoss(BCELoss())
    loss.bind(["a"])
    with pytest.raises(ValueError, match="labels must be 0 or 1"):
        loss(torch.zeros(1), torch.tensor([2]))


def test_the_representation_names_every_parameter() -> None:
    loss = ALMLoss(BCELoss(), margin=1.5, penalty=0.3, growth=4.0, penalty_cap=9.0)
    assert "margin=1.5, penalty=0.3, growth=4.0, penalty_cap=9.0" in repr(loss)
    assert "gamma=2.5" in repr(AsymmetricFocalLoss(gamma=2.5))
