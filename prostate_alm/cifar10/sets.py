"""A folder of results as the tables see it: the paper's settings and ours, each with every table it has rows for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prostate_alm.cifar10.gains import Gain, gain_grid, gains_of
from prostate_alm.cifar10.hyperparameters import CLASSES, Choice, choice_grid, choices
from prostate_alm.cifar10.measures import TABLES, Arm, measured
from prostate_alm.cifar10.results import ArmResult, load_results
from prostate_alm.cifar10.summary import Summary, choice_lines, summarise
from prostate_alm.cifar10.tables import Entry, basis, row_grid, rows_of
from prostate_alm.errors import NoInputError
from prostate_alm.render.grid import Grid
from prostate_alm.training import BASE

SETS = {"paper": "The paper's hyper-parameters", "search": "Hyper-parameters by our search"}
SEARCHED = "search"  # of this set Table 8 is made
BORROWED = (
    "Hyper-parameters: those of Table 8, which the paper chose on classes 0 and 1. It searched anew for classes 6 and "
    "7 and does not print what it chose."
)


@dataclass(frozen=True)
class TableReport:
    """One table of one set: its arms, the rows beside the paper's, the gains, what they come down to.

    Args:
        number: of the table in the paper.
        arms: with their figures.
        rows: of these arms, beside the paper's.
        gains: of these arms.
        summary: what the table comes down to.
        remarks: what must be known of its hyper-parameters; none where the set's title says it all.
    """

    number: int
    arms: Sequence[Arm]
    rows: Sequence[Entry]
    gains: Sequence[Gain]
    summary: Summary
    remarks: Sequence[str] = ()

    @property
    def grids(self) -> list[Grid]:
        """The rows, then the gains if there are any."""
        note = basis([arm.result for arm in self.arms], self.number)
        rows = row_grid(self.rows, self.number, " ".join([note, *self.remarks]))
        return [rows, gain_grid(self.gains, self.number)] if self.gains else [rows]


@dataclass(frozen=True)
class ResultSet:
    """The results under one choice of hyper-parameters.

    Args:
        name: a key of `SETS`, the name of its folder.
        results: as loaded.
        tables: those that have an arm, in order of their numbers.
        choices: class pair -> its Table 8, where there is a result; empty but for the search.
    """

    name: str
    results: Sequence[ArmResult]
    tables: Sequence[TableReport]
    choices: Mapping[tuple[int, int], Sequence[Choice]]

    @property
    def grids(self) -> list[Grid]:
        """Every table of the set, the hyper-parameters last."""
        figures = [grid for table in self.tables for grid in table.grids]
        return figures + [choice_grid(rows, classes) for classes, rows in self.choices.items()]

    @property
    def notes(self) -> list[tuple[str, list[str]]]:
        """What each table comes down to, as (title, lines); of Table 8 where the paper has it."""
        told = [
            (f"Table {table.number}, {table.summary.title}", [*table.summary.notes(), *table.remarks])
            for table in self.tables
        ]
        chosen = self.choices.get(CLASSES)
        return [*told, *([("Table 8, hyper-parameters", choice_lines(chosen))] if chosen else [])]

    @property
    def title(self) -> str:
        """What the set is called in text."""
        return SETS[self.name]

    def facts(self) -> list[tuple[str, str]]:
        """Where the results come from: machines, precision, members, seeds, epochs, hours of training."""
        found = {
            "ensembles": {str(len(self.results))},
            "members of an ensemble": {str(len(result.member_aucs)) for result in self.results},
            "seed": {str(result.seed) for result in self.results},
            "machine": {str(result.details.get("machine") or "not recorded") for result in self.results},
            "environment": {str(result.details.get("environment") or "not recorded") for result in self.results},
            "precision": {str(result.details.get("precision") or "not recorded") for result in self.results},
        }
        seconds = [s for result in self.results if (s := result.details.get("seconds")) is not None]
        hours = f"{sum(seconds) / 3600:.1f}, of {len(seconds)} ensembles" if seconds else "not recorded"
        again = [r for r in self.results if r.details.get("retrained")]
        epochs = [int(e) for result in self.results for e in result.details.get("epochs") or () if e is not None]
        return [
            *((name, "; ".join(sorted(values))) for name, values in found.items()),
            ("epochs of a training", f"{min(epochs)} to {max(epochs)}" if epochs else "not recorded"),
            ("hours of training of these arms", hours),
            *([("weights lost, trained again and come out otherwise", ", ".join(map(_named, again)))] if again else []),
            ("started from other base weights than base's own", self._apart()),
        ]

    def _apart(self) -> str:
        arms = [result for result in self.results if result.arm != BASE]
        recorded = [result for result in arms if any(result.details.get("start_sha256") or ())]
        if not recorded:
            return "not recorded"
        told = ", ".join(_named(result) for result in recorded if self._is_apart(result)) or "none"
        return told if len(recorded) == len(arms) else f"{told}; not recorded of {len(arms) - len(recorded)}"

    def _is_apart(self, result: ArmResult) -> bool:
        """Whether a member is known to have started from other weights than the base that is shown."""
        row = (result.class_ratio, result.loss, result.classes)
        bases = [one for one in self.results if one.arm == BASE and (one.class_ratio, one.loss, one.classes) == row]
        starts = result.details.get("start_sha256") or ()
        shown = bases[0].details.get("weights_sha256") or () if bases else ()
        return any(start and start != base for start, base in zip(starts, shown, strict=False))


def _named(result: ArmResult) -> str:
    return f"{result.loss} {result.class_ratio} {result.arm} of classes {result.classes[0]} and {result.classes[1]}"


def read_sets(folder: Path | str) -> list[ResultSet]:
    """Every set in a results folder, measured.

    Args:
        folder: holds `paper/*.npz`, `search/*.npz` or both.

    Raises:
        NoInputError: if it holds neither, or a result cannot be read.
        UsageError: if two results are of the same ratio, loss and arm, or arms were tested on other cases.
    """
    folder = Path(folder)
    present = [name for name in SETS if any(not path.name.startswith(".") for path in (folder / name).rglob("*.npz"))]
    if not present:
        raise NoInputError(
            f"{folder} holds no results (paper/*.npz or search/*.npz); "
            f"run 'prostate-alm cifar10 reproduce --out {folder}' first"
        )
    return [_read_set(name, load_results(folder / name)) for name in present]


def _read_set(name: str, results: Sequence[ArmResult]) -> ResultSet:
    tables = [_table(results, number, name) for number in TABLES]
    pairs = dict.fromkeys(TABLES[number].classes for number in TABLES) if name == SEARCHED else ()
    chosen = {classes: rows for classes in pairs if (rows := choices(results, classes))}
    return ResultSet(name, results, [table for table in tables if table.arms], chosen)


def _table(results: Sequence[ArmResult], number: int, name: str) -> TableReport:
    arms = measured(results, number)
    rows, gains = rows_of(arms, number), gains_of(arms, number)
    remarks = [BORROWED] if name != SEARCHED and TABLES[number].classes != CLASSES else []
    return TableReport(number, arms, rows, gains, summarise(number, arms, rows, gains), remarks)
