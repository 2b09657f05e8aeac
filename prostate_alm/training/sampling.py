"""Which case is drawn when: by seed, stage and epoch alone, natural or balanced, whole or one rank's share."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any

import torch
from monai.data import DistributedSampler

from prostate_alm.errors import UsageError
from prostate_alm.training.data import Draw, DrawKey, draw_seed


class CaseSampler(DistributedSampler):
    """Shuffles by (seed, stage, epoch) and says with every place which epoch it is drawn for.

    MONAI's trainer sets the epoch of a `DistributedSampler` by itself.

    Args:
        dataset: the cases; to balance them it must have `data`, one mapping with `label` per case.
        seed: the run's seed.
        stage: number of the training stage.
        balanced: False (default) draws every case once per epoch. True draws as many positives as negatives, in about
            as many draws: of either class every case equally often, up to one. A case that is drawn again in an epoch
            is augmented anew and counts again in its batch, under the same id.

    Raises:
        UsageError: if a class to be balanced has no case.

    Example:
        >>> sampler = CaseSampler([10, 20, 30], seed=1, stage=1)
        >>> sampler.set_epoch(4)
        >>> sorted(sampler)
        [(4, 0), (4, 1), (4, 2)]
    """

    def __init__(self, dataset: Any, seed: int, stage: int, balanced: bool = False) -> None:
        super().__init__(dataset, num_replicas=1, rank=0, shuffle=True, seed=draw_seed(seed, stage))
        self.balanced = balanced
        self._classes = _classes(dataset.data) if balanced else ()

    def __len__(self) -> int:
        return self.num_samples // 2 * 2 if self.balanced else self.num_samples

    def __iter__(self) -> Iterator[DrawKey]:
        if self.balanced:
            return self._balanced()
        return ((self.epoch, index) for index in super().__iter__())

    def _balanced(self) -> Iterator[Draw]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        drawn = [place for places in self._classes for place in _in_turns(places, len(self) // 2, generator)]
        times: Counter[int] = Counter()
        for turn in torch.randperm(len(drawn), generator=generator).tolist():
            place = drawn[turn]
            yield Draw(self.epoch, place, repeat=times[place])
            times[place] += 1


def _classes(data: Sequence[Any]) -> tuple[list[int], list[int]]:
    """Places of the negatives and of the positives."""
    negatives, positives = ([place for place, case in enumerate(data) if case["label"] == label] for label in (0, 1))
    if not (negatives and positives):
        raise UsageError(
            f"balanced sampling needs both classes, the training set has {len(negatives)} negatives and "
            f"{len(positives)} positives: set balanced to false"
        )
    return negatives, positives


def _in_turns(places: Sequence[int], count: int, generator: torch.Generator) -> list[int]:
    """`count` of the places, shuffled: all of them before any comes again."""
    rounds = math.ceil(count / len(places))
    orders = [torch.randperm(len(places), generator=generator).tolist() for _ in range(rounds)]
    return [places[turn] for order in orders for turn in order][:count]


class RankSampler(DistributedSampler):
    """One rank's share of every batch: together the ranks' batches are the batches of one process, in their order.

    Every draw carries a mark. Where a batch, the last of an epoch, cannot be shared evenly, the last ranks get cases
    of it again, marked as padding: losses leave these out, so that no case counts more than in one process.

    Args:
        sampler: draws the cases of all ranks.
        batch_size: cases of all ranks together.
        ranks: number of processes; None (default) asks the process group.
        rank: of this process, from 0; None (default) asks the process group.

    Raises:
        UsageError: if the ranks cannot share a batch evenly.

    Example:
        >>> shares = [RankSampler(CaseSampler(range(7), 1, 1), batch_size=4, ranks=2, rank=rank) for rank in (0, 1)]
        >>> [len(share) for share in shares], shares[0].share
        ([4, 4], 2)
        >>> [[draw.padding for draw in share] for share in shares]
        [[False, False, False, False], [False, False, False, True]]
    """

    def __init__(
        self, sampler: CaseSampler, batch_size: int, ranks: int | None = None, rank: int | None = None
    ) -> None:
        super().__init__(sampler.dataset, num_replicas=ranks, rank=rank, shuffle=False, seed=sampler.seed)
        if batch_size < 1 or batch_size % self.num_replicas:
            raise UsageError(
                f"{self.num_replicas} ranks cannot share a batch of {batch_size} evenly: make batch_size, which counts "
                f"the cases of all ranks, a multiple of {self.num_replicas}"
            )
        self.sampler = sampler
        self.balanced = sampler.balanced
        self.batch_size = batch_size
        self.share = batch_size // self.num_replicas

    def set_epoch(self, epoch: int) -> None:
        """The epoch of the draws to come."""
        super().set_epoch(epoch)
        self.sampler.set_epoch(epoch)

    def __len__(self) -> int:
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full * self.share + math.ceil(rest / self.num_replicas)

    def __iter__(self) -> Iterator[Draw]:
        draws = [Draw(*key)._replace(padding=False) for key in self.sampler]
        for start in range(0, len(draws), self.batch_size):
            batch = draws[start : start + self.batch_size]
            share = math.ceil(len(batch) / self.num_replicas)
            spare = islice(cycle(batch), share * self.num_replicas - len(batch))
            batch += [draw._replace(padding=True) for draw in spare]
            yield from batch[self.rank * share : (self.rank + 1) * share]
