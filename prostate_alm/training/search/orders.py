"""One training of a search: where it is kept, how it is carried out, what it reached."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prostate_alm.cohort import MANIFEST, Cohort
from prostate_alm.errors import UsageError
from prostate_alm.files import sha256
from prostate_alm.training.checkpoint import RESULT, STATE, WEIGHTS
from prostate_alm.training.facts import validation_auc
from prostate_alm.training.parameters import CONSTRAINT, named
from prostate_alm.training.settings import TrainingSettings, config_files, member_task
from prostate_alm.training.stages import BASE, train_arm


@dataclass(frozen=True)
class Order:
    """One stage of one member, with all that a worker needs.

    Args:
        bundle: folder of the bundle.
        arm: base, continued or alm.
        folder: of the stage.
        overrides: config id -> value.
        start: weights to go on from; None for a base.
        manifest: SHA-256 of the cohort's manifest when the search began.
    """

    bundle: Path
    arm: str
    folder: Path
    overrides: Mapping[str, Any]
    start: Path | None
    manifest: str

    @property
    def finished(self) -> bool:
        """Whether the stage is at its end, with its weights."""
        return (self.folder / RESULT).is_file() and (self.folder / WEIGHTS).is_file()

    @property
    def validation_auc(self) -> float:
        """What a finished stage reached."""
        return validation_auc(self.folder)


def carry_out(order: Order) -> None:
    """Train one stage, or go on with it; what only resuming needs is then removed.

    Raises:
        UsageError: if the cohort is no longer the one that the search began with.
    """
    if not order.finished:
        cohort = Path(order.overrides["dataset_dir"])
        if sha256(cohort / MANIFEST) != order.manifest:
            raise UsageError(f"cohort {cohort} changed while it was searched; search it anew, with another --out")
        train_arm(order.bundle, order.arm, order.folder, order.overrides, order.start)
    (order.folder / STATE).unlink(missing_ok=True)


@dataclass(frozen=True)
class Bench:
    """Where a search works: everything that its orders share.

    Args:
        out: the search's folder.
        bundle: folder of the bundle.
        cohort: the training cohort.
        manifest: SHA-256 of its manifest.
        depends: what the results depend on beside settings, as `trained_on` gives it for all configs.
    """

    out: Path
    bundle: Path
    cohort: Cohort
    manifest: str = ""
    depends: Mapping[str, Any] = field(default_factory=dict)

    def depends_on(self, settings: TrainingSettings) -> dict[str, Any]:
        """The same for a run of these settings: with the configs of its arms alone."""
        names = [path.name for path in config_files(self.bundle, settings)]
        return {**self.depends, "configs_sha256": {name: self.depends["configs_sha256"][name] for name in names}}

    @property
    def cache(self) -> Path:
        """Where preprocessed cases are kept, once for all trainings."""
        return self.out / "cache"

    def run_folder(self, settings: TrainingSettings) -> Path:
        """Where the chosen run of a class ratio and loss stands.

        Example:
            >>> Bench(Path("out"), Path(), Cohort(Path(), ())).run_folder(TrainingSettings("s-ml", class_ratio="1:8"))
            PosixPath('out/1-8/s-ml')
        """
        return self.out / ratio_name(settings.class_ratio) / settings.loss

    def orders(self, settings: TrainingSettings, arm: str) -> list[Order]:
        """The trainings of one arm: one for each member.

        A stage is kept under what it was trained with, so that it is found again in whatever grid it stands.
        """
        base = {key: value for key, value in settings.overrides.items() if key.startswith("base_loss::")}
        constraint = {key: settings.overrides[key] for key in SEARCHED if arm == "alm"}
        work = self.out / "work" / ratio_name(settings.class_ratio) / settings.loss / _place(base, "plain")
        return [
            self._order(settings, arm, member, work / _place(constraint, arm), work / BASE)
            for member in range(settings.members)
        ]

    def _order(self, settings: TrainingSettings, arm: str, member: int, folder: Path, base: Path) -> Order:
        name = f"{member:02d}"
        task = member_task(settings, self.bundle, self.cohort.folder, folder / name, cache=self.cache, member=member)
        overrides = {**task.overrides, **task.stage_overrides.get(arm, {})}
        start = None if arm == BASE else base / name / WEIGHTS
        return Order(self.bundle, arm, task.folder, overrides, start, self.manifest)


SEARCHED = tuple(CONSTRAINT.values())
"""Config ids of ALM that a search chooses."""


def ratio_name(class_ratio: str | None) -> str:
    """A class ratio as the name of a folder; None is the cohort's own.

    Example:
        >>> ratio_name("1:8"), ratio_name(None)
        ('1-8', 'natural')
    """
    return "natural" if class_ratio is None else class_ratio.replace(":", "-")


def _place(values: Mapping[str, Any], otherwise: str) -> str:
    """A folder's name from what a stage was trained with."""
    words = [f"{key.removeprefix('base_loss::')}={named(value)}" for key, value in values.items()]
    return ",".join(words).replace("/", "-") or otherwise
