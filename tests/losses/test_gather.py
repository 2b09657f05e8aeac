"""Two processes against one: gradients, multipliers, padding, a rank without a positive, ranks of unequal size."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from prostate_alm.errors import NotFiniteError
from prostate_alm.losses import ALMLoss, BCELoss, MBAUCLoss, MSFELoss, gather
from prostate_alm.losses.gather import gather_batch

LABELS = [1, 0, 0, 1, 0, 1, 0, 0, 0, 1]
IDS = ["a", "n1", "n2", "b", "n3", "a", "n4", "n5", "n6", "c"]  # "a" is drawn twice on purpose
WHOLE = list(range(10))
# name: (places of either rank, how many of its last cases are padding)
DEALS: dict[str, list[tuple[list[int], int]]] = {
    "even": [(WHOLE[:5], 0), (WHOLE[5:], 0)],
    "uneven": [(WHOLE[:7], 0), (WHOLE[7:], 0)],
    "a rank without a positive": [([0, 3, 5, 9, 1], 0), ([2, 4, 6, 7, 8], 0)],
    "padding": [([*WHOLE[:4], 0, 1], 2), (WHOLE[4:], 0)],
    "a rank of padding alone": [(WHOLE, 0), ([0, 1], 2)],
}
BASES: dict[str, Callable[[], nn.Module]] = {"bce": BCELoss, "msfe": MSFELoss, "mbauc": MBAUCLoss}


def images() -> Tensor:
    return torch.randn(10, 3, generator=torch.Generator().manual_seed(1))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def two_steps(model: nn.Module, base: str, places: list[int], padding: int) -> dict[str, Any]:
    """Algorithm 1 over some cases, twice; the gradients of the second step, and the loss's state."""
    loss = ALMLoss(BASES[base](), margin=1.0, penalty=0.3, growth=3.0)
    labels, marks = (
        torch.tensor([LABELS[place] for place in places]),
        [place >= len(places) - padding for place in range(len(places))],
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(2):
        optimizer.zero_grad()
        loss.bind([IDS[place] for place in places], padding=marks if padding else None)
        logits = model(images()[places])
        value = loss(logits, labels)
        value.backward()
        loss.raise_multipliers(logits.detach(), labels)
        optimizer.step()
    gradients = [parameter.grad for parameter in model.parameters()]
    return {"loss": value.detach(), "gradients": gradients, "state": loss.state_dict()["_extra_state"]}


def refusals(rank: int) -> list[str]:
    """What either rank says of a batch that one of them cannot take."""
    said: list[str] = []
    for broken, labels in ((torch.tensor([0.0, torch.nan]), [1.0, 0.0]), (torch.zeros(2), [1.0, 2.0])):
        loss = ALMLoss(BCELoss())
        loss.bind([1, 2])
        try:
            loss(broken if rank else torch.zeros(2), torch.tensor(labels if rank else [1.0, 0.0]))
        except (ValueError, RuntimeError) as error:
            said.append(str(error))
    return said


def without_graph(rank: int) -> list[float]:
    """The gradient where rank 1 has no case and no graph."""
    logits = torch.tensor([0.0, 0.5], requires_grad=True) if rank == 0 else torch.zeros(0)
    loss = ALMLoss(BCELoss())
    loss.bind([1, 2] if rank == 0 else [])
    loss(logits, torch.tensor([1.0, 0.0]) if rank == 0 else torch.zeros(0)).backward()
    return [] if logits.grad is None else logits.grad.tolist()


def work(rank: int, port: int, folder: str) -> None:
    """One of two processes."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    try:
        results: dict[str, Any] = {
            f"{deal}, {base}": two_steps(DistributedDataParallel(network()), base, *DEALS[deal][rank])
            for deal in DEALS
            for base in BASES
        }
        results |= {"refusals": refusals(rank), "without graph": without_graph(rank)}
    finally:
        dist.destroy_process_group()
    torch.save(results, Path(folder) / f"{rank}.pt")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(work, args=(port, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("deal", DEALS)
def test_two_processes_are_one_with_the_whole_batch(ranks: list[dict[str, Any]], deal: str, base: str) -> None:
    whole = two_steps(network(), base, WHOLE, 0)
    for rank in ranks:
        ours = rank[f"{deal}, {base}"]
        torch.testing.assert_close(ours["loss"], whole["loss"], rtol=1e-6, atol=1e-6)
        for gradient, wanted in zip(ours["gradients"], whole["gradients"], strict=True):
            torch.testing.assert_close(gradient, wanted, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(ours["state"], whole["state"], rtol=1e-6, atol=1e-6)
    first, second = (rank[f"{deal}, {base}"]["state"]["multipliers"] for rank in ranks)
    assert torch.equal(first["keys"], second["keys"])
    assert torch.equal(first["values"], second["values"])
    assert len(first["keys"]) == 3
    assert bool((first["values"] > 0).all())


def test_a_rank_that_refuses_its_batch_does_not_keep_the_others_waiting(ranks: list[dict[str, Any]]) -> None:
    assert ranks[0]["refusals"] == ["rank 1 has refused its batch; its own message says why"] * 2
    assert "got nan at position 1" in ranks[1]["refusals"][0]
    assert "labels must be 0 or 1, got 2.0" in ranks[1]["refusals"][1]


def test_a_rank_without_cases_or_graph_takes_part(ranks: list[dict[str, Any]]) -> None:
    logits = torch.tensor([0.0, 0.5], requires_grad=True)
    loss = ALMLoss(BCELoss())
    loss.bind([1, 2])
    loss(logits, torch.tensor([1.0, 0.0])).backward()
    assert logits.grad is not None
    assert ranks[0]["without graph"] == pytest.approx([2 * slope for slope in logits.grad.tolist()])  # of two ranks
    assert ranks[1]["without graph"] == []


def test_a_group_of_one_is_one_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    whole = two_steps(network(), "msfe", WHOLE, 0)
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    try:
        alone = two_steps(network(), "msfe", WHOLE, 0)
        loss = ALMLoss(BCELoss())
        loss.bind([1, 2])
        with pytest.raises(NotFiniteError):
            loss(torch.tensor([0.0, torch.nan]), torch.tensor([1, 0]))
        monkeypatch.setattr(gather, "_announce", lambda *_: ([2, gather.REFUSED], [True, False]))
        with pytest.raises(RuntimeError, match="rank 1 has refused"):
            loss(torch.zeros(2), torch.tensor([1, 0]))
        monkeypatch.setattr(gather, "_announce", lambda *_: ([2], [True]))
        assert bool(loss(torch.zeros(2), torch.tensor([1, 0])).requires_grad)
    finally:
        dist.destroy_process_group()
    torch.testing.assert_close(alone, whole, rtol=0, atol=0)


def test_one_process_drops_its_padding() -> None:
    whole, padded = two_steps(network(), "msfe", WHOLE, 0), two_steps(network(), "msfe", [*WHOLE, 0, 3], 2)
    for ours, wanted in zip(padded["gradients"], whole["gradients"], strict=True):
        assert torch.equal(ours, wanted)
    torch.testing.assert_close(padded["state"], whole["state"], rtol=0, atol=0)


def test_a_case_drawn_twice_is_no_padding() -> None:
    logits, labels = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 1.0, 0.0])
    loss = ALMLoss(BCELoss(), penalty=0.5)
    loss.bind(["a", "a", "n"], padding=torch.tensor([False, False, False]))
    loss.raise_multipliers(logits, labels)
    assert loss.multipliers.of(["a"]).tolist() == [2.0]
    loss.bind(["a", "a", "n"], padding=[False, True, False])
    loss.raise_multipliers(logits, labels)
    assert loss.multipliers.of(["a"]).tolist() == [3.0]


def test_without_padding_or_ranks_the_batch_is_as_it_was() -> None:
    logits, labels, keys = torch.zeros(2, requires_grad=True), torch.tensor([1.0, 0.0]), [5, 6]
    batch = gather_batch(logits, labels, keys)
    assert batch[0] is logits
    assert batch[1] is labels
    assert batch[2] is keys


def test_marks_must_be_as_many_as_ids() -> None:
    with pytest.raises(ValueError, match="2 case ids but 1 padding marks"):
        ALMLoss(BCELoss()).bind(["a", "b"], padding=[True])
