"""Images of one selection as tensors, a whole batch at once, augmented without any generator state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from prostate_alm.cifar10.counter import Words, random_below
from prostate_alm.cifar10.protocol import Selection

MEAN = (0.4914, 0.4822, 0.4465)  # of the official training images scaled to [0, 1], by channel
STD = (0.2470, 0.2435, 0.2616)
SIDE = 32

Key = int | tuple[int, int]
Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Augmentation:
    """Random horizontal flip and shift; every draw is a function of (seed, stage, epoch, case id) alone.

    Args:
        seed: the run's seed.
        stage: 1 (base) or 2 (base goes on, with the constraint or without: the same draws).
        max_shift: largest shift in pixels, each way and on each axis; 0 leaves the flip alone.
    """

    seed: int
    stage: int
    max_shift: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.max_shift < SIDE:
            raise ValueError(f"max_shift must be in [0, {SIDE}), got {self.max_shift}")

    def draws(self, epochs: Words, case_ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
        """Flip (0 or 1), shift down and shift right (pixels, -max_shift to max_shift): uniform and independent.

        Args:
            epochs: an epoch, or one for each case (B,).
            case_ids: int64 (B,).

        Shapes:
            three arrays (B,).
        """
        steps = 2 * self.max_shift + 1
        choice = random_below(2 * steps * steps, self.seed, self.stage, epochs, case_ids)
        flip_down, right = np.divmod(choice, steps)
        flip, down = np.divmod(flip_down, steps)
        return flip, down - self.max_shift, right - self.max_shift


class CifarDataset(Dataset[dict[str, torch.Tensor]]):
    """One selection in memory; hands out whole batches (`__getitems__`), so a loader needs no collation.

    Channels are scaled to zero mean and unit variance by fixed constants; what a shift uncovers is zero (mean colour).
    With a `torch.utils.data.DataLoader` use `collate_fn=whole_batch`.

    Args:
        images: uint8 (N, 3, 32, 32), all training or all test images.
        selection: which of them.
        augmentation: drawn for keys that carry an epoch; None if no key will.
    """

    def __init__(
        self, images: NDArray[np.uint8], selection: Selection, augmentation: Augmentation | None = None
    ) -> None:
        self.case_ids = selection.case_ids
        self.augmentation = augmentation
        self._labels = torch.from_numpy(selection.labels).float()
        self._ids = torch.from_numpy(selection.case_ids)
        self._pad = augmentation.max_shift if augmentation else 0
        scaled = standardise(images[selection.indices])
        mirrored = [scaled, scaled[..., ::-1]] if augmentation else [scaled]
        edges = [(0, 0)] * 3 + [(self._pad, self._pad)] * 2
        padded = np.pad(np.stack(mirrored, axis=1), edges)  # (N, 1 or 2, 3, 32 + 2 pad, 32 + 2 pad)
        # a view, nothing is copied: axes 3 and 4 are the window's corner, 5 and 6 its rows and columns
        self._windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), (3, 4))

    def __len__(self) -> int:
        return len(self.case_ids)

    @property
    def cases(self) -> list[tuple[int, int]]:
        """(case id, label) of every image."""
        return list(zip(self.case_ids.tolist(), self._labels.int().tolist(), strict=True))

    def __getitem__(self, key: Key) -> dict[str, torch.Tensor]:
        """One image, without the batch axis."""
        return {name: value[0] for name, value in self.__getitems__([key]).items()}

    def __getitems__(self, keys: Sequence[Key]) -> dict[str, torch.Tensor]:
        """A batch in the order of its keys.

        Args:
            keys: places in the selection (plain images), or pairs (epoch, place) (augmented); all of one kind.

        Shapes:
            `image` float32 (B, 3, 32, 32), `label` float32 (B,), `case_id` int64 (B,).

        Raises:
            ValueError: if the keys are of both kinds, or carry an epoch and there is no augmentation.
            IndexError: if a place is outside the selection.
        """
        table = np.asarray(keys, np.int64)
        if table.ndim == 1:
            places = table
            image = self._windows[places, 0, :, self._pad, self._pad]
        else:
            if self.augmentation is None:
                raise ValueError("keys carry an epoch, but this dataset has no augmentation")
            epochs, places = table.T
            flip, down, right = self.augmentation.draws(epochs, self.case_ids[places])
            # the content moves down when the window moves up
            image = self._windows[places, flip, :, self._pad - down, self._pad - right]
        return {"image": torch.from_numpy(image), "label": self._labels[places], "case_id": self._ids[places]}


def standardise(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey levels 0 to 255 to zero mean and unit variance by channel: (v / 255 - mean) / std.

    Shapes:
        (N, 3, H, W) to the same.
    """
    mean, std = (np.array(constant, np.float32).reshape(3, 1, 1) for constant in (MEAN, STD))
    scaled: NDArray[np.float32] = images.astype(np.float32)
    scaled /= 255
    scaled -= mean
    scaled /= std
    return scaled


def whole_batch(batch: Batch) -> Batch:
    """The `collate_fn` for a dataset that hands out whole batches: returns what it is given."""
    return batch
