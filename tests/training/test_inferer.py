"""Precision and memory order live in the inferer."""

import pytest
import torch
from torch import nn

from prostate_alm.errors import UsageError
from prostate_alm.training import AutocastInferer, quickest_precision


class Probe(nn.Module):
    """Remembers what it was given and computes in whatever autocast asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.seen = image
        logits = self.linear(image.flatten(2).mean(2))
        self.dtype = logits.dtype
        return logits


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_the_network_runs_in_the_precision_and_logits_come_in_float32(precision: str) -> None:
    network = Probe()
    with torch.no_grad():
        logits = AutocastInferer(precision)(torch.ones(3, 2, 4, 4), network)
    assert network.dtype == getattr(torch, precision)
    assert (logits.dtype, logits.shape) == (torch.float32, (3, 1))


def test_gradients_are_recorded_in_any_precision_but_float16() -> None:
    """Small float16 gradients vanish, and nothing here scales the loss."""
    for precision in ("float32", "bfloat16"):
        assert AutocastInferer(precision)(torch.ones(3, 2, 4, 4), Probe()).requires_grad
    with pytest.raises(UsageError, match="no loss scaler is used: train with inferer::precision bfloat16"):
        AutocastInferer("float16")(torch.ones(3, 2, 4, 4), Probe())


@pytest.mark.parametrize(
    ("image", "order"),
    [(torch.ones(2, 2, 4, 4), torch.channels_last), (torch.ones(2, 2, 4, 4, 4), torch.channels_last_3d)],
)
def test_channels_last_reaches_the_network(image: torch.Tensor, order: torch.memory_format) -> None:
    network = Probe()
    AutocastInferer(channels_last=True)(image, network)
    assert network.seen.is_contiguous(memory_format=order)
    AutocastInferer()(image, network)
    assert network.seen is image


@pytest.mark.parametrize(
    ("able", "precision"),
    [
        ({"avx512_bf16": True}, "bfloat16"),
        ({"amx_bf16": True}, "bfloat16"),
        ({"avx2": True}, "float32"),
        ({}, "float32"),
    ],
)
def test_the_quickest_precision_is_what_the_processor_computes_in(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], precision: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    quickest_precision.cache_clear()
    try:
        assert quickest_precision("cpu") == precision
        network = Probe()
        AutocastInferer("auto")(torch.ones(3, 2, 4, 4), network)
        assert network.dtype == getattr(torch, precision)
    finally:
        quickest_precision.cache_clear()


def test_another_precision_is_rejected() -> None:
    with pytest.raises(ValueError, match="precision must be one of float32, bfloat16, float16, auto, got 'int8'"):
        AutocastInferer("int8")
