"""What ranks need besides the gather: devices, shares, the base loss of the whole batch, and refusals."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from prostate_alm.errors import UsageError
from prostate_alm.losses import ALMLoss, BCELoss, MSFELoss
from prostate_alm.training import (
    BindPadding,
    GatheredLoss,
    SeedEpoch,
    join_ranks,
    leave_ranks,
    over_ranks,
    rank_device,
    rank_share,
    ranks,
)
from prostate_alm.training.ranks import all_agree, bare


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """A process group of one."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1)
    yield
    leave_ranks()
    assert not dist.is_initialized()


@pytest.mark.parametrize("told", ["", "first"])
def test_a_process_that_was_not_started_as_a_rank_is_told_how(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", told)
    with pytest.raises(UsageError, match=r"python -m torch\.distributed\.run --nproc_per_node=N"):
        rank_device()


@pytest.mark.parametrize(("gpus", "device"), [(0, "cpu"), (2, "cuda:1")])
def test_a_rank_computes_on_its_own_gpu_or_on_the_cpu(gpus: int, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert rank_device() == torch.device(device)


def test_more_ranks_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="1 is no GPU here, there are 1: lower --nproc_per_node"):
        rank_device()


@pytest.mark.parametrize(("device", "backend"), [("cpu", "gloo"), ("cuda:1", "nccl")])
def test_the_backend_follows_the_device(device: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(ranks.torch.cuda, "set_device", calls.append)
    monkeypatch.setattr(ranks.dist, "init_process_group", calls.append)
    join_ranks(device)
    assert calls == [torch.device(device), backend] if backend == "nccl" else [backend]


def test_a_group_is_joined_and_left_once(group: None) -> None:
    join_ranks("cpu")
    assert dist.get_world_size() == 1
    leave_ranks()
    leave_ranks()


@pytest.mark.parametrize("count", [3, 4, 8])
def test_every_case_is_validated_by_one_rank(count: int) -> None:
    shares = [rank_share(range(count), ranks=3, rank=rank) for rank in range(3)]
    assert sorted(case for share in shares for case in share) == list(range(count))
    assert all(shares)


def test_a_rank_without_a_case_to_validate_is_refused() -> None:
    with pytest.raises(UsageError, match="3 ranks cannot share 2 validation cases"):
        rank_share([1, 2], ranks=3, rank=0)


def test_the_share_asks_the_group(group: None) -> None:
    assert rank_share([1, 2]) == [1, 2]
    assert all_agree(5, "cpu")


def test_ranks_that_say_other_numbers_do_not_agree(group: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_rank_says(values: torch.Tensor, _operation: Any) -> None:
        values.copy_(torch.maximum(values, torch.tensor([3, -3])))

    monkeypatch.setattr(ranks.dist, "all_reduce", other_rank_says)
    assert [all_agree(number, "cpu") for number in (2, 3, 4)] == [False, True, False]


def test_the_network_comes_out_of_its_wrapper(group: None) -> None:
    network = nn.Linear(2, 1)
    assert bare(DistributedDataParallel(network)) is network
    assert bare(network) is network


@pytest.mark.parametrize("columns", [False, True])
def test_a_gathered_loss_leaves_padding_out(columns: bool) -> None:
    logits, labels = torch.tensor([0.3, -0.2, 0.8, 5.0]), torch.tensor([1.0, 0.0, 0.0, 1.0])
    wanted = MSFELoss()(logits[:3], labels[:3])
    loss = GatheredLoss(MSFELoss())
    loss.bind(torch.tensor([False, False, False, True]))
    found = loss(logits[:, None], labels[:, None]) if columns else loss(logits, labels)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_a_gathered_loss_wants_marks_for_every_batch_and_case() -> None:
    loss = GatheredLoss(BCELoss())
    with pytest.raises(RuntimeError, match="no padding marks are bound"):
        loss(torch.zeros(2), torch.zeros(2))
    loss.bind([False])
    with pytest.raises(ValueError, match="2 logits, 2 labels and 1 padding marks"):
        loss(torch.zeros(2), torch.zeros(2))
    with pytest.raises(RuntimeError, match="no padding marks"):  # the refused batch has used them up
        loss(torch.zeros(2), torch.zeros(2))


def test_alm_gathers_by_itself() -> None:
    alm, base = ALMLoss(BCELoss()), BCELoss()
    assert over_ranks(alm) is alm
    assert isinstance(gathered := over_ranks(base), GatheredLoss)
    assert gathered.loss is base


def test_marks_of_the_batch_reach_a_gathered_loss_alone() -> None:
    for loss, bound in ((GatheredLoss(BCELoss()), True), (ALMLoss(BCELoss()), False)):
        engine = Engine(lambda engine, _batch: engine.fire_event(IterationEvents.FORWARD_COMPLETED))
        engine.register_events(*IterationEvents)
        BindPadding(loss).attach(engine)  # pyright: ignore[reportArgumentType]
        engine.run([{"padding": torch.tensor([True, False])}])
        assert loss._padding == ([True, False] if bound else None)


def test_dropout_of_ranks_differs_and_is_seeded() -> None:
    def drawn(rank: int) -> float:
        torch.manual_seed(0)
        SeedEpoch(1, 1)(SimpleNamespace(state=SimpleNamespace(epoch=2, rank=rank)))  # pyright: ignore[reportArgumentType]
        return float(torch.rand(()))

    assert drawn(0) == drawn(0)
    assert drawn(1) == drawn(1) != drawn(0)
