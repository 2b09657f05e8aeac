"""What a training stage is, so that a state is never resumed under other data or settings."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from monai.engines import Trainer
from torch import nn


def stage_identity(trainer: Trainer, parts: Mapping[str, Any], data: Any, selection: str) -> dict[str, str]:
    """Hashes of everything that determines a stage but for its length; call it before the first step.

    Args:
        trainer: gives batch size and sampler seed of its loader.
        parts: `network` with its first weights, which stand for architecture, seed and checkpoint; optimizer, loss and
            so on, whose settings are read off.
        data: cases and labels, anything that JSON or `str` can write down.
        selection: what the best epoch is chosen by.

    Returns:
        `data`, `first weights` and `settings`, each a hash.
    """
    loader = trainer.data_loader
    sampler = getattr(loader, "sampler", None)
    settings = [
        selection,
        getattr(loader, "batch_size", None),
        getattr(sampler, "seed", None),
        *map(_settings, parts.values()),
    ]
    weights = hashlib.sha256()
    for name, value in sorted(parts["network"].state_dict().items()):
        weights.update(name.encode())
        weights.update(value.detach().cpu().contiguous().numpy().tobytes())
    return {"data": _digest(data), "first weights": weights.hexdigest(), "settings": _digest(settings)}


def _settings(part: Any) -> str:
    """A module says its parameters in its representation or in plain attributes, an optimizer in its groups."""
    if isinstance(part, nn.Module):
        kinds = bool | int | float | str
        plain = {name: value for name, value in vars(part).items() if name != "training" and isinstance(value, kinds)}
        return f"{part} {sorted(plain.items())}"
    groups: list[dict[str, Any]] = getattr(part, "param_groups", [])
    told = [{name: value for name, value in group.items() if name != "params"} for group in groups]
    return f"{type(part).__name__} {told}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
