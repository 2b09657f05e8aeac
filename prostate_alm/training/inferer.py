"""Where precision lives: MONAI's `amp` asks for CUDA autocast, whatever the device."""

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import SimpleInferer
from torch import Tensor

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class AutocastInferer(SimpleInferer):
    """Run the network under autocast of the input's own device, and give logits in float32.

    Args:
        precision: "float32" (no autocast), "bfloat16" or "float16".
        channels_last: hand over images in channels-last memory order, quicker for some convolutions.

    Raises:
        ValueError: for another precision.

    Example:
        >>> inferer = AutocastInferer("bfloat16")
        >>> inferer(torch.zeros(2, 3), torch.nn.Linear(3, 1)).dtype
        torch.float32
    """

    def __init__(self, precision: str = "float32", channels_last: bool = False) -> None:
        super().__init__()
        if precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
        self.dtype = PRECISIONS[precision]
        self.channels_last = channels_last

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Logits (B, 1) in float32 of images `inputs`."""
        if self.channels_last:
            order = torch.channels_last if inputs.dim() == 4 else torch.channels_last_3d
            inputs = inputs.contiguous(memory_format=order)
        with torch.autocast(inputs.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            logits = super().__call__(inputs, network, *args, **kwargs)
        return logits.float()
