"""`candidates.csv`: everything that a search has tried, and what it chose."""

import csv
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prostate_alm.cohort import parse_class_ratio
from prostate_alm.errors import UsageError
from prostate_alm.files import write_csv
from prostate_alm.losses import BASE_LOSSES

CANDIDATES = "candidates.csv"
NATURAL = "natural"
HYPERPARAMETERS = ("margin", "gamma", "weight", "beta", "mu", "rho", "delta")
COLUMNS = (
    "class_ratio", "loss", "arm", *HYPERPARAMETERS, "validation_auc_mean", "validation_aucs", "chosen",
)  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """A candidate that was judged.

    Args:
        class_ratio: for example `"1:8"`; None is the cohort's own.
        loss: base loss.
        arm: base, continued or alm.
        hyperparameters: by the paper's names.
        validation_aucs: of the members.
        chosen: whether the row's run holds it.
    """

    class_ratio: str | None
    loss: str
    arm: str
    hyperparameters: dict[str, float | str]
    validation_aucs: tuple[float, ...]
    chosen: bool

    @property
    def row(self) -> tuple[str | None, str]:
        """The row of the paper's tables that it was tried for."""
        return self.class_ratio, self.loss


def in_order(tried: Iterable[Tried]) -> list[Tried]:
    """By class ratio, the cohort's own first, and by loss as in the paper; within a row as they were tried."""

    def place(one: Tried) -> tuple[float, str, int]:
        negatives = 0.0 if one.class_ratio is None else parse_class_ratio(one.class_ratio)
        return negatives, one.class_ratio or "", list(BASE_LOSSES).index(one.loss)

    return sorted(tried, key=place)


def write_candidates(folder: Path, tried: Iterable[Tried]) -> Path:
    """Write the table whole."""
    return write_csv(folder / CANDIDATES, COLUMNS, map(_line, in_order(tried)))


def read_candidates(folder: Path) -> list[Tried]:
    """What earlier calls wrote into a folder; nothing if there is no table yet.

    Raises:
        UsageError: if somebody changed the table into something else.
    """
    path = folder / CANDIDATES
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return in_order([_tried(line) for line in csv.DictReader(file)])
    except (ValueError, KeyError, AttributeError, csv.Error, UsageError) as error:
        raise UsageError(f"{path} cannot be read ({error}); move it away and run again") from error


def _line(tried: Tried) -> dict[str, Any]:
    return {
        "class_ratio": tried.class_ratio or NATURAL,
        "loss": tried.loss,
        "arm": tried.arm,
        **tried.hyperparameters,
        "validation_auc_mean": statistics.fmean(tried.validation_aucs),
        "validation_aucs": " ".join(map(str, tried.validation_aucs)),
        "chosen": str(tried.chosen).lower(),
    }


def _tried(line: dict[str, str]) -> Tried:
    return Tried(
        None if line["class_ratio"] == NATURAL else line["class_ratio"],
        line["loss"],
        line["arm"],
        {name: _number_or_name(line[name]) for name in HYPERPARAMETERS if line[name]},
        tuple(map(float, line["validation_aucs"].split())),
        {"true": True, "false": False}[line["chosen"]],
    )


def _number_or_name(text: str) -> float | str:
    """A share of N, such as `2N/3`, is a name."""
    try:
        return float(text)
    except ValueError:
        return text
