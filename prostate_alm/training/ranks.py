"""Several processes, one training: `python -m torch.distributed.run`, one rank per GPU, or several on the CPU.

All ranks together are one process with the whole batch: the same cases in the same order (`RankSampler`), the loss of
the gathered batch on every rank (`GatheredLoss`, or `ALMLoss` by itself), its gradients averaged by
`DistributedDataParallel`. Rank 0 alone writes; all ranks resume from its files.
"""

import os
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from ignite.engine import Engine
from monai.engines import Trainer
from monai.engines.utils import IterationEvents
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss
from torch.nn.parallel import DistributedDataParallel

from prostate_alm.errors import UsageError
from prostate_alm.losses import ALMLoss
from prostate_alm.losses.gather import gather_batch, refuse_batch

Case = TypeVar("Case")


def rank_device() -> torch.device:
    """The GPU of this process by its `LOCAL_RANK`, or the CPU where there is no GPU.

    Raises:
        UsageError: if the process was not started by `python -m torch.distributed.run`, or there are fewer GPUs than
            processes.
    """
    told = os.environ.get("LOCAL_RANK", "")
    if not told.isdecimal():
        raise UsageError(
            "training on several GPUs is started by 'python -m torch.distributed.run --nproc_per_node=N -m "
            "monai.bundle run ...'; without it, leave out configs/multi_gpu_train.json"
        )
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if int(told) >= torch.cuda.device_count():
        raise UsageError(f"{told} is no GPU here, there are {torch.cuda.device_count()}: lower --nproc_per_node")
    return torch.device("cuda", int(told))


def join_ranks(device: torch.device | str) -> None:
    """Join the process group, over NCCL on GPUs and Gloo on CPUs; nothing if this process has joined one.

    Args:
        device: what this rank computes on.
    """
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def leave_ranks() -> None:
    """Leave the process group; nothing if there is none."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank_share(cases: Sequence[Case], ranks: int | None = None, rank: int | None = None) -> list[Case]:
    """Every case on exactly one rank, for validation: metrics gather the ranks' logits, so none may come twice.

    Args:
        cases: of all ranks.
        ranks: number of processes; None (default) asks the process group.
        rank: of this process; None (default) asks the process group.

    Raises:
        UsageError: if a rank would have no case.

    Example:
        >>> rank_share("abcde", ranks=2, rank=1)
        ['b', 'd']
    """
    ranks = dist.get_world_size() if ranks is None else ranks
    if len(cases) < ranks:
        raise UsageError(f"{ranks} ranks cannot share {len(cases)} validation cases: lower --nproc_per_node")
    return list(cases[dist.get_rank() if rank is None else rank :: ranks])


def all_agree(number: int, device: torch.device | str) -> bool:
    """Whether all ranks say the same number; True in one process."""
    if not (dist.is_available() and dist.is_initialized()):
        return True
    extremes = torch.tensor([number, -number], device=device)
    dist.all_reduce(extremes, dist.ReduceOp.MAX)
    return int(extremes[0]) == -int(extremes[1])


def bare(network: nn.Module) -> nn.Module:
    """The network itself, whose weights load anywhere, out of its `DistributedDataParallel`."""
    return network.module if isinstance(network, DistributedDataParallel) else network


class GatheredLoss(_Loss):
    """A loss of the batch of all ranks together, without padding, on every rank.

    A loss that is no mean over cases, such as MSFE, is not the mean of the ranks' losses; and ranks with padding do
    not weigh the same. All ranks must make the same calls.

    Args:
        loss: of (logits, labels), a scalar.

    Shapes:
        input: (B,) or (B, 1), B of this rank; target: (B,) or (B, 1); output: scalar.

    Raises:
        ValueError: if there are not as many labels or marks as logits.
        RuntimeError: if no marks were bound for this batch, or another rank has refused its batch.

    Example:
        >>> from prostate_alm.losses import MSFELoss
        >>> loss = GatheredLoss(MSFELoss())
        >>> loss.bind([False, False, True])
        >>> loss(torch.tensor([0.0, 0.0, 9.0]), torch.tensor([1.0, 0.0, 0.0]))
        tensor(0.0312)
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self._padding: list[bool] | None = None

    def bind(self, padding: Sequence[bool] | Tensor) -> None:
        """Say which cases of the next batch are padding, B marks."""
        self._padding = [bool(mark) for mark in padding]

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of the gathered batch; the marks are used up."""
        padding, self._padding = self._padding, None
        if padding is None or not input.numel() == target.numel() == len(padding):
            refuse_batch(input.device)
            if padding is None:
                raise RuntimeError("no padding marks are bound: call bind(padding) before each training batch")
            raise ValueError(f"{input.numel()} logits, {target.numel()} labels and {len(padding)} padding marks")
        logits, labels, _ = gather_batch(input.reshape(-1), target.reshape(-1), [0] * len(padding), padding)
        return self.loss(logits.reshape(-1, *input.shape[1:]), labels.reshape(-1, *target.shape[1:]))


def over_ranks(loss: nn.Module) -> nn.Module:
    """A loss of the batch of all ranks: `ALMLoss` is one by itself, any other is gathered.

    Example:
        >>> from prostate_alm.losses import BCELoss
        >>> over_ranks(BCELoss())
        GatheredLoss(
          (loss): BCELoss()
        )
    """
    return loss if isinstance(loss, ALMLoss) else GatheredLoss(loss)


class BindPadding:
    """Tells a `GatheredLoss` which cases of a batch are padding; an `ALMLoss` is told by its own handler.

    Args:
        loss: the trainer's loss.
        padding_key: key of the marks in a batch.
    """

    def __init__(self, loss: nn.Module, padding_key: str = "padding") -> None:
        self.loss = loss
        self.padding_key = padding_key

    def attach(self, engine: Trainer) -> None:
        """Register on the trainer."""
        if isinstance(self.loss, GatheredLoss):
            engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self, self.loss)

    def __call__(self, engine: Engine, loss: GatheredLoss) -> None:
        """Bind the marks of the batch."""
        batch: Any = engine.state.batch
        loss.bind(batch[self.padding_key])
