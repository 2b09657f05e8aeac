"""Cases in, batches out, every random draw a function of (seed, stage, epoch, case id).

A resumed run is then the same run, in whatever order or process the cases are drawn.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from monai.data import DistributedSampler
from monai.data.utils import pickle_hashing
from monai.transforms import Compose
from torch.utils.data import Dataset

from prostate_alm.alm import case_key
from prostate_alm.training.tensors import save_tensors
from prostate_alm.transforms import preprocess

EpochAndIndex = tuple[int, int]


def draw_seed(*parts: int) -> int:
    """One 32-bit seed from several non-negative integers, such as (seed, stage, epoch, case key)."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


class CaseDataset(Dataset[dict[str, Any]]):
    """Cases through a fixed preprocessing, cached on disk, and then through seeded augmentation.

    Args:
        data: one mapping per case, with `case_id`.
        transform: the deterministic preprocessing.
        augmentation: random transforms; None for validation.
        cache_dir: where preprocessed cases are kept across stages and restarts; None keeps nothing. A changed
            preprocessing or volume is computed anew. Files appear whole, so that a killed run leaves none half-written.
        seed: the run's seed.
        stage: number of the training stage.

    Example:
        >>> dataset = CaseDataset([{"case_id": "a", "image": 1}], transform=lambda case: case)
        >>> dataset[0]
        {'case_id': 'a', 'image': 1}
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        transform: Any,
        augmentation: Compose | None = None,
        cache_dir: Path | str | None = None,
        seed: int = 0,
        stage: int = 0,
    ) -> None:
        self.data = data
        self.transform = transform
        self.augmentation = augmentation
        self.cache_dir = None if cache_dir is None else Path(cache_dir)
        self.seed = seed
        self.stage = stage
        self._pipeline = b""
        if self.cache_dir is not None:
            self.cache_dir.mkdir(parents=True, exist_ok=True)
            steps = transform.flatten().transforms if isinstance(transform, Compose) else transform
            self._pipeline = pickle_hashing(steps)  # not of a Compose itself, which holds a random state

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key: int | EpochAndIndex) -> dict[str, Any]:
        """A case as it is (index), or augmented for an epoch ((epoch, index), from `CaseSampler`)."""
        epoch, index = key if isinstance(key, tuple) else (None, key)
        case = self._preprocessed(self.data[index])
        if self.augmentation is None or epoch is None:
            return case
        seed = draw_seed(self.seed, self.stage, epoch, case_key(case["case_id"]))
        self.augmentation.set_random_state(seed=seed)
        return cast(dict[str, Any], self.augmentation(case))

    def _preprocessed(self, case: Mapping[str, Any]) -> dict[str, Any]:
        if self.cache_dir is None:
            return preprocess(self.transform, case)
        path = self.cache_dir / f"{_content_key(case, self._pipeline)}.pt"
        if not path.is_file():
            save_tensors(path, preprocess(self.transform, case))
        return torch.load(path, weights_only=True)


def _content_key(case: Mapping[str, Any], pipeline: bytes) -> str:
    """Of the case, the state of its files, and the preprocessing."""
    files = [Path(value) for value in case.values() if isinstance(value, str) and Path(value).is_file()]
    states = [(stat.st_size, stat.st_mtime_ns) for stat in map(Path.stat, files)]
    text = json.dumps([case, states], sort_keys=True)
    return hashlib.sha256(pipeline + text.encode()).hexdigest()[:32]


class CaseSampler(DistributedSampler):
    """Shuffles by (seed, stage, epoch) and says with every index which epoch it is drawn for.

    MONAI's trainer sets the epoch of a `DistributedSampler` by itself.

    Example:
        >>> sampler = CaseSampler([10, 20, 30], seed=1, stage=1)
        >>> sampler.set_epoch(4)
        >>> sorted(sampler)
        [(4, 0), (4, 1), (4, 2)]
    """

    def __init__(self, dataset: Any, seed: int, stage: int) -> None:
        super().__init__(dataset, num_replicas=1, rank=0, shuffle=True, seed=draw_seed(seed, stage))

    def __iter__(self) -> Iterator[EpochAndIndex]:
        return ((self.epoch, index) for index in super().__iter__())
