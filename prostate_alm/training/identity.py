"""What a training stage is, so that a state is never resumed under other data or settings."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from monai.engines import Trainer
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler


def stage_identity(trainer: Trainer, parts: Mapping[str, Any], data: Any, selection: str) -> dict[str, str]:
    """Hashes of what determines a stage but for its length and the voxels themselves; call it before the first step.

    Args:
        trainer: gives the batch size, of all ranks, the sampler's seed and choice, preprocessing and augmentation of
            its loader's dataset, and the inferer with its precision.
        parts: `network` with its first weights, which stand for architecture, seed and checkpoint; optimizer, loss and
            so on, whose settings are read off.
        data: cases and labels, anything that JSON or `str` can write down.
        selection: what the best epoch is chosen by.

    Returns:
        `data`, `first weights` and `settings`, each a hash.
    """
    loader = trainer.data_loader
    sampler = getattr(loader, "sampler", None)
    dataset = getattr(loader, "dataset", None)
    settings = [
        selection,
        [plain(getattr(dataset, name, None)) for name in ("transform", "augmentation")],
        plain(getattr(trainer, "inferer", None)),
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


def plain(part: Any, within: tuple[int, ...] = ()) -> Any:
    """What JSON can write down of a transform and its parts, the same in every process; of a random state its type.

    Args:
        part: anything; of a part that holds itself, the type is told where it comes again.
        within: identities of the objects that hold it.

    Example:
        >>> from monai.transforms import Flip
        >>> plain(Flip(spatial_axis=0))
        ['Flip', [['_lazy', False], ['spatial_axis', 0]]]
        >>> plain(Flip(spatial_axis=0)) == plain(Flip(spatial_axis=1))
        False
    """
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if isinstance(part, Tensor | np.ndarray):
        return part.tolist()
    if isinstance(part, set | frozenset):
        return sorted(map(str, part))
    if id(part) in within:
        return type(part).__qualname__
    within = (*within, id(part))
    if isinstance(part, Mapping):
        return sorted(([str(name), plain(value, within)] for name, value in part.items()), key=str)
    if isinstance(part, Sequence):
        return [plain(value, within) for value in part]
    name = getattr(part, "__qualname__", None)  # a class or a function
    return name or [type(part).__qualname__, plain(getattr(part, "__dict__", {}), within)]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
