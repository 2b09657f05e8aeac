"""How a row comes about: the loss's own parameter, then mu(0) and rho, then delta, then the chosen run.

Each row is a plan (`training.plans`): it yields the trainings it needs next and decides by what comes back. Only
validation cases decide; no test case is known here.
"""

import shutil
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from prostate_alm.errors import UsageError
from prostate_alm.files import discard_parts, lock_folder, output_folder, whole_file
from prostate_alm.training.assemble import assemble
from prostate_alm.training.checkpoint import RESULT, WEIGHTS
from prostate_alm.training.ensemble import RUN, record
from prostate_alm.training.facts import hyperparameters
from prostate_alm.training.plans import Job
from prostate_alm.training.search.choice import best
from prostate_alm.training.search.grids import Grids
from prostate_alm.training.search.orders import Bench, Order, carry_out
from prostate_alm.training.search.table import Tried
from prostate_alm.training.settings import TrainingSettings
from prostate_alm.training.stages import BASE

Jobs = Generator[Sequence[Job], list[Any], Any]


@dataclass(frozen=True)
class Candidate:
    """One arm of an ensemble under one choice of hyper-parameters.

    Args:
        settings: with what it is trained.
        arm: base, continued or alm.
    """

    settings: TrainingSettings
    arm: str

    def changed(self, **overrides: Any) -> "Candidate":
        """The same under other hyper-parameters."""
        return replace(self, settings=replace(self.settings, overrides={**self.settings.overrides, **overrides}))


class RowPlan:
    """One loss at one class ratio.

    Args:
        settings: of the row, without what is searched.
        grids: what is chosen from.
        bench: where trainings are kept.
        finished: folders of stages that are known to be finished; it grows.
    """

    def __init__(self, settings: TrainingSettings, grids: Grids, bench: Bench, finished: set[Path]) -> None:
        self.settings = settings
        self.grids = grids
        self.bench = bench
        self.tried: list[Candidate] = []
        self.finished = finished

    @property
    def trainings(self) -> int:
        """How many trainings the row takes."""
        arms = len(self.grids.values(self.settings.loss))
        if self.settings.alm:
            arms += 1 + len(self.grids.constraints()) + len(self.grids.delta) - 1  # the first delta is among them
        return self.settings.members * arms

    def plan(self) -> Generator[Sequence[Job], list[Any], list[Tried]]:
        """Choose and train; returns every candidate, in the order in which they were tried."""
        blank = Candidate(self.settings, BASE)
        chosen = [
            (yield from self._best([blank.changed(**given) for given in self.grids.parameters(self.settings.loss)]))
        ]
        if self.settings.alm:
            control, alm = replace(chosen[0], arm="continued"), replace(chosen[0], arm="alm")
            constraints = [alm.changed(**given) for given in self.grids.constraints()]
            yield from self._finished([control, *constraints])
            found = yield from self._best(constraints)
            found = yield from self._best([found.changed(margin=margin) for margin in self.grids.delta])
            chosen += [control, found]
        task = RunTask(self.bench, chosen[-1].settings, self._stages(chosen))
        if task.made:
            make_run(task)  # only checks that it is this very run
        else:
            yield [Job(make_run, task)]
        return [self._judged(candidate, candidate in chosen) for candidate in self.tried]

    def _best(self, candidates: Sequence[Candidate]) -> Generator[Sequence[Job], list[Any], Candidate]:
        """The candidate with the highest mean validation AUC over the members; ties: the first."""
        yield from self._finished(candidates)
        return best(candidates, self._aucs)

    def _finished(self, candidates: Sequence[Candidate]) -> Jobs:
        self.tried += [candidate for candidate in candidates if candidate not in self.tried]
        orders = [order for candidate in candidates for order in self._orders(candidate)]
        missing = [order for order in orders if order.folder not in self.finished and not order.finished]
        self.finished |= {order.folder for order in orders} - {order.folder for order in missing}
        yield [Job(carry_out, order) for order in missing]

    def _orders(self, candidate: Candidate) -> list[Order]:
        return self.bench.orders(candidate.settings, candidate.arm)

    def _aucs(self, candidate: Candidate) -> list[float]:
        return [order.validation_auc for order in self._orders(candidate)]

    def _stages(self, chosen: Sequence[Candidate]) -> list[tuple[str, list[Path]]]:
        return [(candidate.arm, [order.folder for order in self._orders(candidate)]) for candidate in chosen]

    def _judged(self, candidate: Candidate, chosen: bool) -> Tried:
        told = hyperparameters(self.bench.bundle, replace(candidate.settings, alm=candidate.arm == "alm"))
        aucs = tuple(self._aucs(candidate))
        return Tried(self.settings.class_ratio, self.settings.loss, candidate.arm, told, aucs, chosen)


@dataclass(frozen=True)
class RunTask:
    """A chosen run to put together.

    Args:
        bench: of the search.
        settings: as `train` would take them.
        stages: (arm, folder of each member's finished stage).
    """

    bench: Bench
    settings: TrainingSettings
    stages: Sequence[tuple[str, Sequence[Path]]]

    @property
    def made(self) -> bool:
        """Whether the run stands already."""
        return (self.bench.run_folder(self.settings) / "bundle").is_dir()


def make_run(task: RunTask) -> Path:
    """Put the chosen stages where `train` would have trained them, and assemble their bundle."""
    run = output_folder(task.bench.run_folder(task.settings))
    with lock_folder(run):
        discard_parts(run)
        content = {"settings": asdict(task.settings)} | task.bench.depends_on(task.settings)
        try:
            record(run / RUN, content)
        except UsageError as error:
            raise UsageError(
                f"{run} holds what an earlier search chose from another grid: move it away and run again"
            ) from error
        for arm, folders in task.stages:
            for member, folder in enumerate(folders):
                _copy(folder, run / "members" / f"{member:02d}" / arm)
        return assemble(run, task.bench.bundle, task.bench.cohort, task.settings, task.bench.cache)


def _copy(stage: Path, place: Path) -> None:
    """The result last: it says that the stage is whole."""
    place.mkdir(parents=True, exist_ok=True)
    for name in (WEIGHTS, RESULT):
        if not (place / RESULT).is_file():
            with whole_file(place / name) as part:
                shutil.copyfile(stage / name, part)
