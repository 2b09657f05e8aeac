"""One batch out of the batches of all ranks, since the constraint pairs every positive with every negative.

Pairs within a rank alone are not the full batch's constraint, and a gather without gradients loses those of the other
ranks. Every rank therefore computes the whole loss of the whole batch; averaged over the ranks, as
`DistributedDataParallel` does, the gradients are those of one process with the full batch.
"""

# torch's collectives and tolist are untyped
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor

REFUSED = -1  # instead of a number of cases


def gather_batch(
    logits: Tensor, labels: Tensor, keys: list[int], padding: list[bool] | None = None
) -> tuple[Tensor, Tensor, list[int]]:
    """The cases of all ranks in the order of the ranks, without padding; in one process the batch without padding.

    Call it on every rank, as often and in the same order; a rank may have fewer cases than another, or none. A rank
    that cannot calls `refuse_batch` instead.

    Args:
        logits: (B,) of this rank; gradients flow back from every rank.
        labels: (B,).
        keys: B keys of the cases.
        padding: B marks of duplicates that a sampler added to make the ranks even; None if there are none.

    Returns:
        Logits, labels and keys of the global batch.

    Raises:
        RuntimeError: if another rank has refused its batch.
    """
    if padding is not None:
        kept = [place for place, mark in enumerate(padding) if not mark]
        logits, labels, keys = logits[kept], labels[kept], [keys[place] for place in kept]
    if not _distributed():
        return logits, labels, keys
    sizes, graphs = _announce(len(keys), logits.requires_grad, logits.device)
    if REFUSED in sizes:
        raise RuntimeError(f"rank {sizes.index(REFUSED)} has refused its batch; its own message says why")
    if any(graphs) and not logits.requires_grad:
        logits = logits.detach().requires_grad_()  # every rank takes part in the backward
    known = _rows(torch.tensor(keys, dtype=torch.int64, device=logits.device), sizes)
    return _rows(logits, sizes), _rows(labels, sizes), [int(key) for key in known.tolist()]


def refuse_batch(device: torch.device) -> None:
    """Tell the other ranks, who would wait for ever in `gather_batch`; nothing in one process."""
    if _distributed():
        _announce(REFUSED, False, device)


def _distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def _announce(size: int, graph: bool, device: torch.device) -> tuple[list[int], list[bool]]:
    """How many cases every rank has, and whether its logits carry a graph."""
    said = _all_gather(torch.tensor([size, int(graph)], device=device)).tolist()
    return [int(size) for size, _ in said], [bool(graph) for _, graph in said]


def _rows(values: Tensor, sizes: list[int]) -> Tensor:
    """The rows of all ranks, one rank after the other; each is filled up to the longest for the way."""
    filling = values.new_zeros(max(sizes) - len(values))
    whole = torch.cat([values, filling])
    parts = cast(Tensor, _AllGather.apply(whole)) if values.requires_grad else _all_gather(whole)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def _all_gather(values: Tensor) -> Tensor:
    """(ranks, *shape)."""
    parts = [torch.empty_like(values) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, values.contiguous())
    return torch.stack(parts)


class _AllGather(torch.autograd.Function):
    """A gather whose backward adds up what every rank's loss says of this rank's values."""

    @staticmethod
    def forward(_ctx: Any, values: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _all_gather(values)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient[dist.get_rank()]
