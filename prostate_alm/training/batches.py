"""A batch as a loss wants it."""

from collections.abc import Mapping
from typing import Any

import torch
from monai.engines.utils import default_prepare_batch
from torch import Tensor


def label_columns(
    batch: Mapping[str, Any], device: torch.device | str | None = None, non_blocking: bool = False, **kwargs: Any
) -> tuple[Tensor, Tensor]:
    """The `prepare_batch` of a trainer whose loss wants labels in the shape of the logits, such as MONAI's `AUCMLoss`.

    Args:
        batch: `image` (B, ...) and `label` (B,) or (B, 1).
        device: where they go.
        non_blocking: as in `Tensor.to`.
        kwargs: further arguments of `Tensor.to`.

    Returns:
        Images (B, ...) and labels (B, 1).

    Raises:
        ValueError: if the batch has no label.

    Example:
        >>> label_columns({"image": torch.zeros(2, 3), "label": torch.tensor([0, 1])}, "cpu")[1].shape
        torch.Size([2, 1])
    """
    image, label = default_prepare_batch(dict(batch), device, non_blocking, **kwargs)
    if label is None:
        raise ValueError(f"the batch has no label, only {', '.join(batch)}")
    return image, label.reshape(-1, 1)
