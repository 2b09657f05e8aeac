"""The table of all trainings of a run: small enough to keep, enough to go on from."""

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prostate_alm.cifar10.results import content_key
from prostate_alm.errors import NoInputError
from prostate_alm.files import write_csv

LEDGER = "trainings.csv"
COLUMNS = (
    "key", "classes", "class_ratio", "loss", "arm", "parameter", "penalty", "growth", "margin", "common", "member",
    "seed", "validation_auc", "best_epoch", "epochs", "penalty_reached", "seconds", "weights_sha256", "environment",
    "machine",
)  # fmt: skip

SETTINGS = COLUMNS[COLUMNS.index("classes") : COLUMNS.index("validation_auc")]  # what a training is of
SEARCHED = ("parameter", "penalty", "growth", "margin")

Facts = dict[str, Any]


def write_ledger(out: Path, ledger: Mapping[str, Facts]) -> Path:
    """Write `trainings.csv`, whole, in an order that does not depend on the run's.

    Args:
        out: the run's folder.
        ledger: key -> row, a value for each of `COLUMNS`.

    Returns:
        The file.

    Raises:
        OutputError: if it cannot be written.
    """
    rows = sorted(ledger.values(), key=lambda row: [*(str(row[name]) for name in SETTINGS), row["key"]])
    return write_csv(out / LEDGER, COLUMNS, rows)


def read_ledger(out: Path) -> dict[str, Facts]:
    """The rows of a run's `trainings.csv` by key; none if there is no such file.

    Args:
        out: the run's folder.

    Returns:
        Key -> row, all values as text.

    Raises:
        NoInputError: if it cannot be read or is not such a table; says in which line.
    """
    path = out / LEDGER
    if not path.is_file():
        return {}
    try:
        rows = _rows(path)
    except OSError as error:
        raise NoInputError(f"{path} cannot be read: {error.strerror}; may you read it?") from error
    except (ValueError, csv.Error) as error:  # bytes that are no UTF-8 are a ValueError too
        why = "no UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise NoInputError(
            f"{path} is no table of trainings ({why}); remove it, its trainings are computed again"
        ) from error
    return {row["key"]: row for row in rows}


def environment_name(environment: Mapping[str, Any]) -> str:
    """What the ledger calls an environment: the first 12 digits of its hash."""
    return content_key(environment)[:12]


def _rows(path: Path) -> list[Facts]:
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.reader(file, strict=True)
        if tuple(next(table, ())) != COLUMNS:
            raise ValueError("other columns")
        return [_row(values, table.line_num) for values in table if values]


def _row(values: Sequence[str], line: int) -> Facts:
    if len(values) != len(COLUMNS):
        raise ValueError(f"line {line}: other columns")
    row: Facts = dict(zip(COLUMNS, values, strict=True))
    for name, fits in (("key", bool), ("validation_auc", _is_number), ("seconds", _is_number)):
        if not fits(row[name]):
            raise ValueError(f"line {line}: {name} is {row[name]!r}")
    return row


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def run_facts(ledger: Mapping[str, Facts]) -> list[tuple[str, str]]:
    """What a run took, for those who read its tables; nothing if there is no training.

    Args:
        ledger: as `read_ledger` gives it.

    Returns:
        Pairs of a name and a value: the number of trainings, their hours, machines and environments.
    """
    if not ledger:
        return []
    seconds = math.fsum(float(row["seconds"]) for row in ledger.values())
    return [
        ("trainings", f"{len(ledger)}{', those of the search among them' if _was_searched(ledger) else ''}"),
        ("hours of these trainings, summed over workers", f"{seconds / 3600:.1f}"),
        ("machine", _counted(ledger, "machine")),
        ("environment (hash of images, code, configs, libraries, precision)", _counted(ledger, "environment")),
    ]


def _was_searched(ledger: Mapping[str, Facts]) -> bool:
    """Whether trainings differ in nothing but what a search chooses."""
    names = [name for name in (*SETTINGS, "environment") if name not in SEARCHED]
    rest = [tuple(str(row[name]) for name in names) for row in ledger.values()]
    return len(set(rest)) < len(rest)


def _counted(ledger: Mapping[str, Facts], column: str) -> str:
    """The values of a column, the most frequent first; where there are several, how many trainings each has."""
    found = Counter(str(row[column]) for row in ledger.values())
    if len(found) == 1:
        return next(iter(found))
    ordered = sorted(found.items(), key=lambda value: (-value[1], value[0]))
    return "; ".join(f"{name}: {count} training{'s' if count > 1 else ''}" for name, count in ordered)
