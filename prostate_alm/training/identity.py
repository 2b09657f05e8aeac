"""What a training stage is, so that a state is never resumed under other data or settings."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from monai.engines import Trainer
from torch import nn
from torch.optim.lr_scheduler import LRScheduler


def stage_identity(trainer: Trainer, parts: Mapping[str, Any], data: Any, selection: str) -> dict[str, str]:
    """Hashes of everything that determines a stage but for its length; call it before the first step.

    Args:
        trainer: gives the batch size, of all ranks, and the sampler's seed and choice of its loader.
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
        _batch_size(loader, sampler),
        getattr(sampler, "seed", None),
        *map(_settings, parts.values()),
        *(["balanced"] if getattr(sampler, "balanced", False) else []),
        *_accumulation(trainer),
    ]
    weights = hashlib.sha256()
    for name, value in sorted(parts["network"].state_dict().items()):
        weights.update(name.encode())
        weights.update(value.detach().cpu().contiguous().numpy().tobytes())
    return {"data": _digest(data), "first weights": weights.hexdigest(), "settings": _digest(settings)}


def _batch_size(loader: Any, sampler: Any) -> int | None:
    """Cases of all ranks in a step, so that a stage may go on with another number of them."""
    share = getattr(loader, "batch_size", None)
    return None if share is None else share * getattr(sampler, "num_replicas", 1)


def _accumulation(trainer: Trainer) -> list[str]:
    steps = getattr(trainer, "accumulation_steps", 1)
    return [f"accumulation {steps}"] if steps > 1 else []


def _settings(part: Any) -> str:
    """A module or a scheduler says its parameters in plain attributes, an optimizer in its groups."""
    if isinstance(part, nn.Module | LRScheduler):
        kinds = bool | int | float | str
        plain = {name: value for name, value in vars(part).items() if name != "training" and isinstance(value, kinds)}
        return f"{part if isinstance(part, nn.Module) else type(part).__name__} {sorted(plain.items())}"
    groups: list[dict[str, Any]] = getattr(part, "param_groups", [])
    told = [{name: value for name, value in group.items() if name != "params"} for group in groups]
    return f"{type(part).__name__} {told}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
