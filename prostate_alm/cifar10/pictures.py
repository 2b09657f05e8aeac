"""The test pictures as the data list of the bundle's `inference.json`: as they are, before any preprocessing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prostate_alm.cifar10.dataset import read_batches
from prostate_alm.cifar10.protocol import PAPER, Protocol, Scale


def pictures_to_test(
    folder: str, *, classes: Sequence[int] = (0, 1), seed: int = 0, scale: Scale = PAPER
) -> list[dict[str, Any]]:
    """The protocol's balanced test set, one mapping per picture.

    Args:
        folder: the official python layout, or its tar.gz.
        classes: class numbers, negative and positive.
        seed: the run's seed.
        scale: numbers of negatives.

    Returns:
        `image` (uint8 array (3, 32, 32), red, green and blue), `label` (0.0 or 1.0), `case_id` (the place in the
        official order, as text), in the order of the case ids.

    Raises:
        NoInputError: if the images cannot be read.
    """
    negative, positive = classes
    images = read_batches(Path(folder))
    chosen = Protocol((negative, positive), seed=seed, scale=scale).test_set(images.test_labels).balanced
    return [
        {"image": images.test_images[row], "label": float(label), "case_id": str(case_id)}
        for row, label, case_id in zip(chosen.indices, chosen.labels, chosen.case_ids, strict=True)
    ]
