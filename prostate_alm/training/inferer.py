"""Where precision lives: MONAI's `amp` asks for CUDA autocast, whatever the device."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from monai.inferers import SimpleInferer
from torch import Tensor

from prostate_alm.errors import UsageError

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


@lru_cache
def quickest_precision(device: str | torch.device = "cpu") -> str:
    """The precision to train in on a device: "bfloat16" where the hardware computes in it, else "float32".

    A CPU counts if it has AVX-512 BF16 or AMX; others emulate bfloat16 and are slower for it.

    Example:
        >>> quickest_precision("cpu") in PRECISIONS
        True
    """
    if torch.device(device).type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    able = torch.cpu.get_capabilities()
    return "bfloat16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"


class AutocastInferer(SimpleInferer):
    """Run the network under autocast of the input's own device, and give logits in float32.

    Args:
        precision: "float32" (no autocast), "bfloat16", "float16", or "auto": `quickest_precision` of the device that
            the images come on. float16 is for inference alone: its gradients vanish without a scaler of the loss, which
            training here does not have.
        channels_last: hand over images in channels-last memory order, quicker for some convolutions.

    Raises:
        ValueError: for another precision.
        UsageError: from a call in float16 while gradients are recorded.

    Example:
        >>> inferer = AutocastInferer("bfloat16")
        >>> inferer(torch.zeros(2, 3), torch.nn.Linear(3, 1)).dtype
        torch.float32
    """

    def __init__(self, precision: str = "float32", channels_last: bool = False) -> None:
        super().__init__()
        if precision not in (*PRECISIONS, "auto"):
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, auto, got {precision!r}")
        self.precision = precision
        self.channels_last = channels_last

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Logits (B, 1) in float32 of images `inputs`."""
        if self.channels_last:
            order = torch.channels_last if inputs.dim() == 4 else torch.channels_last_3d
            inputs = inputs.contiguous(memory_format=order)
        precision = quickest_precision(inputs.device) if self.precision == "auto" else self.precision
        dtype = PRECISIONS[precision]
        if dtype is torch.float16 and torch.is_grad_enabled():
            raise UsageError(
                "float16 loses small gradients, and no loss scaler is used: train with inferer::precision bfloat16, "
                "float32 or auto"
            )
        with torch.autocast(inputs.device.type, dtype=dtype, enabled=dtype is not None):
            logits = super().__call__(inputs, network, *args, **kwargs)
        return logits.float()
