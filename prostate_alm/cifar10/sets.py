"""A folder of results as the tables see it: the paper's settings and ours, each with every table it has rows for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prostate_alm.cifar10.gains import Gain, gain_grid, gains_of
from prostate_alm.cifar10.hyperparameters import Choice, choices
from prostate_alm.cifar10.measures import TABLES, Arm, measured
from prostate_alm.cifar10.results import ArmResult, load_results
from prostate_alm.cifar10.summary import Summary, summarise
from prostate_alm.cifar10.tables import Entry, basis, row_grid, rows_of
from prostate_alm.errors import NoInputError
from prostate_alm.render.grid import Grid

SETS = {"paper": "The paper's hyper-parameters", "search": "Hyper-parameters by our search"}
SEARCHED = "search"  # of this set Table 8 is made


@dataclass(frozen=True)
class TableReport:
    """One table of one set: its arms, the rows beside the paper's, the gains and what they come down to."""

    number: int
    arms: Sequence[Arm]
    rows: Sequence[Entry]
    gains: Sequence[Gain]
    summary: Summary

    @property
    def grids(self) -> list[Grid]:
        """The rows, then the gains if there are any."""
        rows = row_grid(self.rows, self.number, basis([arm.result for arm in self.arms], self.number))
        return [rows, gain_grid(self.gains, self.number)] if self.gains else [rows]


@dataclass(frozen=True)
class ResultSet:
    """The results under one choice of hyper-parameters.

    Args:
        name: a key of `SETS`, the name of its folder.
        results: as loaded.
        tables: those that have an arm, in order of their numbers.
        choices: Table 8; empty but for the search.
    """

    name: str
    results: Sequence[ArmResult]
    tables: Sequence[TableReport]
    choices: Sequence[Choice]

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
        epochs = [int(e) for result in self.results for e in result.details.get("epochs") or () if e is not None]
        return [
            *((name, ", ".join(sorted(values))) for name, values in found.items()),
            ("epochs of a training", f"{min(epochs)} to {max(epochs)}" if epochs else "not recorded"),
            ("hours of training of these arms", hours),
        ]


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
    tables = [_table(results, number) for number in TABLES]
    chosen = choices(results) if name == SEARCHED else []
    return ResultSet(name, results, [table for table in tables if table.arms], chosen)


def _table(results: Sequence[ArmResult], number: int) -> TableReport:
    arms = measured(results, number)
    rows, gains = rows_of(arms, number), gains_of(arms, number)
    return TableReport(number, arms, rows, gains, summarise(number, arms, rows, gains))
