"""What the bundle's config asks for: the datasets of one ensemble member, and the test set of all."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from prostate_alm.cifar10.dataset import Cifar10, read_batches
from prostate_alm.cifar10.protocol import PAPER, Protocol, Scale
from prostate_alm.cifar10.tensors import Augmentation, CifarDataset


@lru_cache(maxsize=1)
def _read_once(folder: str) -> Cifar10:
    return read_batches(Path(folder))


def member_data(
    folder: str,
    *,
    classes: Sequence[int],
    class_ratio: str,
    seed: int,
    member: int,
    stage: int,
    max_shift: int = 3,
    scale: Scale = PAPER,
) -> dict[str, CifarDataset]:
    """Datasets `training` (augmented) and `validation` of one member.

    Args:
        folder: the official python layout, or its tar.gz.
        classes: class numbers, negative and positive.
        class_ratio: for example `"1:9"`.
        seed: the run's seed.
        member: the ensemble member.
        stage: number of the training stage, for the augmentation's draws.
        max_shift: largest shift of the augmentation, in pixels.
        scale: numbers of negatives.
    """
    images = _read_once(folder)
    negative, positive = classes
    split = Protocol((negative, positive), class_ratio, seed, scale).member_split(images.train_labels, member)
    augmentation = Augmentation(seed * 1000 + member, stage, max_shift)
    return {
        "training": CifarDataset(images.train_images, split.training, augmentation),
        "validation": CifarDataset(images.train_images, split.validation),
    }


def balanced_test_data(folder: str, protocol: Protocol) -> CifarDataset:
    """The balanced test set: every figure of every table follows from its logits."""
    images = _read_once(folder)
    return CifarDataset(images.test_images, protocol.test_set(images.test_labels).balanced)
