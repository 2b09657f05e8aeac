"""The stages of one ensemble member, each a run of the bundle: base, then the other arms from its best checkpoint.

Continued trains exactly as long as ALM, with the same draws, but without the constraint: without this control a gain
of ALM may be a gain of training longer.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from prostate_alm.bundle import run_workflow
from prostate_alm.training.checkpoint import RESULT, WEIGHTS

BASE = "base"
ARMS: dict[str, tuple[str, ...]] = {
    BASE: ("train",),
    "continued": ("train", "continued"),
    "aucm": ("train", "continued", "aucm"),
    "alm": ("train", "continued", "alm"),
}
"""Arm -> the bundle's configs that define it, merged in order; `aucm` is MONAI's `AUCMLoss`, a further baseline."""

COMPARISON = (BASE, "continued", "alm")
"""The three arms of every comparison."""


@dataclass(frozen=True)
class MemberTask:
    """Everything one process needs to train one ensemble member.

    Args:
        bundle: folder of the bundle.
        folder: where the member's stages keep their files, one sub-folder per arm.
        arms: which arms to train; the base comes first.
        overrides: config id -> value, for every stage.
        stage_overrides: arm -> config id -> value, for that stage alone.
    """

    bundle: Path
    folder: Path
    arms: Sequence[str]
    overrides: Mapping[str, Any]
    stage_overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def train_member(task: MemberTask) -> Path:
    """Train the arms of one member, one thread, skipping what is finished and resuming what was cut off.

    Returns:
        The member's folder.
    """
    for arm in task.arms:
        if not (task.folder / arm / RESULT).is_file():
            overrides = {**task.overrides, **task.stage_overrides.get(arm, {})}
            start = None if arm == BASE else task.folder / BASE / WEIGHTS
            train_arm(task.bundle, arm, task.folder / arm, overrides, start)
    return task.folder


def train_arm(bundle: Path, arm: str, folder: Path, overrides: Mapping[str, Any], start: Path | None = None) -> None:
    """Train one arm of one member, one thread.

    Args:
        bundle: folder of the bundle.
        arm: a key of `ARMS`.
        folder: gets the stage's files (`StageCheckpoint`).
        overrides: config id -> value.
        start: weights to go on from; None for the base, which starts at random.
    """
    told = {**overrides, "output_dir": str(folder)} | ({} if start is None else {"start_from": str(start)})
    with one_thread():
        run_workflow(bundle, ARMS[arm], told)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch, as before afterwards: members side by side are quicker than one with many threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
