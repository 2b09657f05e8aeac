"""Cases in, batches out, every random draw a function of (seed, stage, epoch, case id).

A resumed run is then the same run, in whatever order or process the cases are drawn.
"""

import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from monai.data import get_track_meta, set_track_meta
from monai.data.utils import pickle_hashing
from monai.transforms import Compose
from torch.utils.data import Dataset

from prostate_alm.alm import case_key
from prostate_alm.errors import UsageError
from prostate_alm.training.tensors import save_tensors
from prostate_alm.transforms import preprocess


class Draw(NamedTuple):
    """What a sampler asks a dataset for; a shorter tuple, such as (epoch, place), leaves the rest as it is here.

    Args:
        epoch: number of the epoch.
        place: of the case in the dataset.
        repeat: how often this epoch has drawn the case before, so that it is not augmented alike twice.
        padding: True if the case is drawn only to make the ranks of a distributed training even; None (default) where
            nothing is padded: the batch then carries no marks.
    """

    epoch: int
    place: int
    repeat: int = 0
    padding: bool | None = None


DrawKey = tuple[Any, ...]
"""A `Draw`, or the beginning of one."""


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

    Raises:
        UsageError: if a cache is asked for a preprocessing that cannot be recognised later, such as a lambda.

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
            self._pipeline = _recognised(transform)
            self.cache_dir.mkdir(parents=True, exist_ok=True)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key: int | DrawKey) -> dict[str, Any]:
        """A case as it is (by its place), or augmented for a `Draw`, with its mark `padding` if the draw has one."""
        if not isinstance(key, tuple):
            return self._preprocessed(self.data[key])
        draw = Draw(*key)
        case = self._preprocessed(self.data[draw.place])
        if self.augmentation is not None:
            again = [draw.repeat] if draw.repeat else []
            seed = draw_seed(self.seed, self.stage, draw.epoch, case_key(case["case_id"]), *again)
            self.augmentation.set_random_state(seed=seed)
            with _without_metadata():
                case = cast(dict[str, Any], self.augmentation(case))
        return case if draw.padding is None else {**case, "padding": draw.padding}

    def _preprocessed(self, case: Mapping[str, Any]) -> dict[str, Any]:
        if self.cache_dir is None:
            return preprocess(self.transform, case)
        path = self.cache_dir / f"{_content_key(case, self._pipeline)}.pt"
        if path.is_file():
            with suppress(RuntimeError, EOFError, pickle.UnpicklingError):  # a damaged file is made anew
                return torch.load(path, weights_only=True)
        save_tensors(path, preprocess(self.transform, case))
        return torch.load(path, weights_only=True)


def _recognised(transform: Any) -> bytes:
    steps = transform.flatten().transforms if isinstance(transform, Compose) else transform
    try:
        return pickle_hashing(steps)  # not of a Compose itself, which holds a random state
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UsageError(
            f"the preprocessing cannot be recognised in a cache ({error}): name a function of an installed module "
            "instead of a lambda, or set cache_dir to null"
        ) from error


@contextmanager
def _without_metadata() -> Iterator[None]:
    """MONAI's transforms keep no affines: after preprocessing nobody asks for them, and they cost time."""
    tracking = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(tracking)


def _content_key(case: Mapping[str, Any], pipeline: bytes) -> str:
    """Of the case, the state of its files, and the preprocessing."""
    files = [Path(value) for value in case.values() if isinstance(value, str) and Path(value).is_file()]
    states = [(stat.st_size, stat.st_mtime_ns) for stat in map(Path.stat, files)]
    text = json.dumps([case, states], sort_keys=True)
    return hashlib.sha256(pipeline + text.encode()).hexdigest()[:32]
