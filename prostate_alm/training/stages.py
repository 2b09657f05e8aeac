"""The stages of one ensemble member, each a run of the bundle: base, then the other arms from its best checkpoint.

Continued trains exactly as long as ALM, with the same draws, but without the constraint: without this control a gain
of ALM may be a gain of training longer.
"""

from collections.abc import Mapping, Sequence
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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for arm in task.arms:
            if not (task.folder / arm / RESULT).is_file():
                _train_arm(task, arm)
    finally:
        torch.set_num_threads(threads)
    return task.folder


def _train_arm(task: MemberTask, arm: str) -> None:
    overrides = {**task.overrides, **task.stage_overrides.get(arm, {}), "output_dir": str(task.folder / arm)}
    if arm != BASE:
        overrides["start_from"] = str(task.folder / BASE / WEIGHTS)
    run_workflow(task.bundle, ARMS[arm], overrides)
