"""A whole search in a folder: rows over an engine, resumable, with a record of what was tried and chosen."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from prostate_alm.cohort import MANIFEST, Cohort
from prostate_alm.errors import UsageError
from prostate_alm.files import discard_parts, lock_folder, output_folder, sha256
from prostate_alm.losses import BASE_LOSSES, NEVER_CONSTRAINED
from prostate_alm.training.engine import Engine
from prostate_alm.training.ensemble import record, trained_on
from prostate_alm.training.plans import Job
from prostate_alm.training.running import Conductor, Progress
from prostate_alm.training.search.grids import Grids
from prostate_alm.training.search.orders import SEARCHED, Bench, carry_out, ratio_name
from prostate_alm.training.search.plan import RowPlan
from prostate_alm.training.search.table import Tried, in_order, read_candidates, write_candidates
from prostate_alm.training.settings import TrainingSettings, check, config_files

SEARCH = "search.json"


@dataclass(frozen=True)
class SearchSettings:
    """What is searched.

    Args:
        losses: names of base losses, keys of `prostate_alm.losses.BASE_LOSSES`.
        class_ratios: for example `"1:8"`; None is the cohort's own.
        grids: what is chosen from.
        common: what all trainings share: members, seed, epochs, device, overrides; its loss and ratio do not count.
    """

    losses: tuple[str, ...] = tuple(BASE_LOSSES)
    class_ratios: tuple[str | None, ...] = (None, "1:8")
    grids: Grids = field(default_factory=Grids)
    common: TrainingSettings = field(default_factory=TrainingSettings)

    def rows(self) -> list[TrainingSettings]:
        """One for each class ratio and loss, without what is searched."""
        return [
            replace(self.common, loss=loss, class_ratio=ratio, alm=loss not in NEVER_CONSTRAINED, aucm=False)
            for ratio in self.class_ratios
            for loss in self.losses
        ]


def search(
    cohort_folder: Path | str,
    out: Path | str,
    bundle: Path,
    settings: SearchSettings,
    engine: Engine,
    *,
    watch: Callable[[Progress], None] = lambda _: None,
    said: Callable[[str], None] = lambda _: None,
) -> list[Tried]:
    """Search and train every row; run again after a kill, nothing that is finished is trained twice.

    Args:
        cohort_folder: the training cohort, made by `prepare`.
        out: gets `RATIO/LOSS/`, each an ordinary run; `candidates.csv`, `search.json`, `work/` and `cache/`.
        bundle: the bundle that defines the pipeline.
        settings: what is searched.
        engine: where trainings run, not yet entered; its workers must see all folders.
        watch: called whenever the progress changes.
        said: called with one line when a row is finished or fails, and when the search is interrupted.

    Returns:
        Every candidate of every row, those of rows that earlier calls searched in this folder among them; the chosen
        ones are marked.

    Raises:
        NoInputError, UsageError: for a cohort or settings that cannot be trained.
        OutputError: if the folder cannot be written.
        Exception: the first error of a row; the others were carried on.
    """
    cohort = Cohort.load(cohort_folder)
    _check(settings, bundle, cohort)
    out = output_folder(out).resolve()
    with lock_folder(out):
        discard_parts(out)
        manifest = sha256(cohort.folder / MANIFEST)
        depends = trained_on(
            cohort, config_files(bundle, replace(settings.common, alm=True, aucm=False))
        )  # whatever the losses
        record(out / SEARCH, {"settings": _common(settings.common)} | depends)
        bench = Bench(out, bundle, Cohort(cohort.folder.resolve(), cohort.cases), manifest, depends)
        return _Rows(settings, bench).carry_out(engine, watch, said)


class _Rows:
    """The rows of a search, and the table of what was tried, which grows with every row and every call."""

    def __init__(self, settings: SearchSettings, bench: Bench) -> None:
        self.bench = bench
        self.finished: set[Path] = set()
        self.plans = [RowPlan(row, settings.grids, bench, self.finished) for row in settings.rows()]
        self._tried: dict[tuple[str | None, str], list[Tried]] = {}
        for one in read_candidates(bench.out):
            self._tried.setdefault(one.row, []).append(one)

    def carry_out(self, engine: Engine, watch: Callable[[Progress], None], said: Callable[[str], None]) -> list[Tried]:
        rows = [(f"{row.settings.loss} {ratio_name(row.settings.class_ratio)}", row.trainings) for row in self.plans]
        conductor: Conductor[None] = Conductor(
            rows, lambda: len(self.finished), counts=_is_training, arrived=self._arrived, watch=watch, said=said
        )
        with engine as spread:
            conductor.run([self._row(number) for number in range(len(self.plans))], spread)
        return self._all()

    def _row(self, number: int) -> Generator[Sequence[Job], list[Any], None]:
        tried = yield from self.plans[number].plan()
        self._tried[tried[0].row] = tried
        write_candidates(self.bench.out, self._all())

    def _arrived(self, job: Job, _result: Any) -> None:
        if _is_training(job):
            self.finished.add(job.task.folder)

    def _all(self) -> list[Tried]:
        return in_order(one for tried in self._tried.values() for one in tried)


def _is_training(job: Job) -> bool:
    return job.function is carry_out


def _common(common: TrainingSettings) -> Mapping[str, Any]:
    """What all rows share; losses, ratios and grids may be added later."""
    return {key: value for key, value in asdict(common).items() if key not in ("loss", "class_ratio", "alm", "aucm")}


def _check(settings: SearchSettings, bundle: Path, cohort: Cohort) -> None:
    if not settings.losses or not settings.class_ratios:
        raise UsageError("a search needs at least one loss and one class ratio")
    for key in settings.common.overrides:
        if key in SEARCHED or key.startswith(("base_loss::", "base_loss#")):
            raise UsageError(f"{key} is what the search looks for: give it in a file with --grid")
    for row in settings.rows():
        check(row, bundle, cohort)
