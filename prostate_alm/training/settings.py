"""What a hospital chooses for a run, and what of it is refused before anything is written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai.bundle.config_parser import ConfigParser

from prostate_alm.bundle import all_values, near, read_config
from prostate_alm.cohort import Cohort, load_split
from prostate_alm.errors import ModelError, UsageError
from prostate_alm.losses import BASE_LOSSES, NEVER_CONSTRAINED
from prostate_alm.training.stages import ARMS, BASE, COMPARISON, MemberTask

RESERVED = frozenset(
    (
        *("bundle_root", "cache_dir", "class_counts", "class_ratio", "dataset_dir", "device", "initialize", "member"),
        *("member_seed", "network_def", "output_dir", "run", "seed", "split", "stage", "start_from", "train"),
        *("training_cases", "validate"),
    )
)
"""Config ids, with all below them, that splits, draws and resuming depend on."""


@dataclass(frozen=True)
class TrainingSettings:
    """What a hospital chooses for a run; everything else stands in the bundle.

    Args:
        loss: name of the base loss, a key of `prostate_alm.losses.BASE_LOSSES`.
        alm: whether to train the continued and ALM arms as well.
        aucm: whether to train MONAI's `AUCMLoss` as a further arm, from the same checkpoint, and its control.
        members: size of the ensemble.
        seed: of splits, initial weights and every draw.
        class_ratio: for example `"1:8"`; None keeps the cohort's own.
        epochs: most epochs of the base stage; None leaves the bundle's value.
        constrained_epochs: epochs of the continued and ALM stages; None leaves the bundle's value.
        device: a torch device for all members.
        overrides: further config ids of the bundle and their values.
    """

    loss: str = "bce"
    alm: bool = True
    aucm: bool = False
    members: int = 10
    seed: int = 0
    class_ratio: str | None = None
    epochs: int | None = None
    constrained_epochs: int | None = None
    device: str = "cpu"
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that these settings train, base first."""
        chosen = {BASE, *(COMPARISON if self.alm else ()), *(("continued", "aucm") if self.aucm else ())}
        return tuple(arm for arm in ARMS if arm in chosen)


BASE_ONLY = frozenset(("max_epochs", "patience"))
"""Config ids that end the base stage alone: continued and ALM run for a fixed number of epochs, never stopped early."""
WHOLE = frozenset(("base_loss", "inferer", "loss", "network", "optimizer", "preprocessing"))
"""Config ids whose parts may be overridden, such as `optimizer::lr`, but not the whole."""


def check(settings: TrainingSettings, bundle: Path, cohort: Cohort) -> None:
    """Refuse what cannot be trained, before anything is written.

    Raises:
        UsageError: for a setting or a cohort; names it.
        ModelError: if the bundle lacks a config.
    """
    if settings.loss not in BASE_LOSSES:
        raise UsageError(f"loss {settings.loss!r} is unknown; choose one of {', '.join(BASE_LOSSES)}")
    if settings.alm and settings.loss in NEVER_CONSTRAINED:
        raise UsageError(f"loss {settings.loss} is compared with, never constrained: train it with --no-alm")
    if settings.members < 1:
        raise UsageError(f"an ensemble needs at least one member, got {settings.members}")
    if settings.seed < 0:
        raise UsageError(f"seed must be 0 or more, got {settings.seed}")
    counts = [settings.epochs, settings.constrained_epochs, settings.overrides.get("max_epochs")]
    if any(epochs is not None and not (isinstance(epochs, int) and epochs >= 1) for epochs in counts):
        raise UsageError("every stage needs at least one epoch; give 1 or more, or leave the bundle's number")
    for path in config_files(bundle, settings):
        read_config(path)  # a file that cannot be read is named, with line and column
    parser = ConfigParser(config=ConfigParser.load_config_files([str(path) for path in config_files(bundle, settings)]))
    parser["base_loss"] = dict(BASE_LOSSES[settings.loss])
    for key in settings.overrides:
        if re.split("::|#", key)[0] in RESERVED:
            raise UsageError(f"{key} is set by the run itself and cannot be overridden")
        if key in WHOLE or re.split("::|#", key)[-1] == "_target_":
            raise UsageError(f"{key} cannot be replaced as a whole; override its parts, or choose another --loss")
        if key not in parser:
            names = ", ".join(path.name for path in config_files(bundle, settings))
            raise UsageError(f"{key} is no key of the bundle's {names}{near(key, all_values(parser.config))}")
    if not cohort.cases:
        raise UsageError(f"cohort {cohort.folder} has no case; look at its qc.csv for the reasons")
    load_split(str(cohort.folder), member=0, seed=settings.seed, class_ratio=settings.class_ratio)


def config_files(bundle: Path, settings: TrainingSettings) -> list[Path]:
    """The configs that define the arms of these settings.

    Raises:
        ModelError: if one is missing.
    """
    names = dict.fromkeys(name for arm in settings.arms for name in ARMS[arm])
    paths = [bundle / "configs" / f"{name}.json" for name in names]
    for path in paths:
        if not path.is_file():
            raise ModelError(f"bundle {bundle.name} has no configs/{path.name}; name a bundle that can be trained")
    return paths


def member_task(
    settings: TrainingSettings, bundle: Path, cohort: Path, folder: Path, *, cache: Path, member: int
) -> MemberTask:
    """What one process needs to train one member.

    Args:
        settings: of the run.
        bundle: folder of the bundle.
        cohort: folder of the cohort.
        folder: of the member.
        cache: where preprocessed cases are kept.
        member: 0, 1, ...
    """
    overrides: dict[str, Any] = {
        "dataset_dir": str(cohort.resolve()),
        "cache_dir": str(cache),
        "seed": settings.seed,
        "member": member,
        "class_ratio": settings.class_ratio,
        "device": settings.device,
        "base_loss": dict(BASE_LOSSES[settings.loss]),
        **{key: value for key, value in settings.overrides.items() if key not in BASE_ONLY},
    }
    constrained = {} if settings.constrained_epochs is None else {"max_epochs": settings.constrained_epochs}
    stage_overrides: dict[str, Mapping[str, Any]] = {arm: constrained for arm in settings.arms if arm != BASE}
    stage_overrides[BASE] = {key: value for key, value in settings.overrides.items() if key in BASE_ONLY}
    if settings.epochs is not None:
        stage_overrides[BASE] = {**stage_overrides[BASE], "max_epochs": settings.epochs}
    return MemberTask(bundle, folder, settings.arms, overrides, stage_overrides)
