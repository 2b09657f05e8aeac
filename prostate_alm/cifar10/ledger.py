"""The table of all trainings of a run: small enough to keep, enough to go on from."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prostate_alm.errors import NoInputError
from prostate_alm.files import write_csv

LEDGER = "trainings.csv"
COLUMNS = (
    "key", "classes", "class_ratio", "loss", "arm", "parameter", "penalty", "growth", "margin", "common", "member",
    "seed", "validation_auc", "best_epoch", "epochs", "penalty_reached", "seconds", "weights_sha256", "environment",
    "machine",
)  # fmt: skip

Facts = dict[str, Any]


def write_ledger(out: Path, ledger: Mapping[str, Facts]) -> Path:
    """Write `trainings.csv`, whole, in an order that does not depend on the run's."""
    rows = sorted(ledger.values(), key=lambda row: [*(str(row[name]) for name in COLUMNS[1:12]), row["key"]])
    return write_csv(out / LEDGER, COLUMNS, rows)


def read_ledger(out: Path) -> dict[str, Facts]:
    """The rows of a run's `trainings.csv` by key; none if there is no such file.

    Raises:
        NoInputError: if it is not such a table.
    """
    path = out / LEDGER
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        rows = list(table)
    if tuple(table.fieldnames or ()) != COLUMNS or not all(_is_number(row["validation_auc"]) for row in rows):
        raise NoInputError(f"{path} is no table of trainings; remove it, its trainings are computed again")
    return {row["key"]: dict(row) for row in rows}


def _is_number(text: str | None) -> bool:
    try:
        return math.isfinite(float(text or ""))
    except ValueError:
        return False


def run_facts(ledger: Mapping[str, Facts]) -> list[tuple[str, str]]:
    """What a run took, for those who read its tables; nothing if there is no training."""
    if not ledger:
        return []
    seconds = math.fsum(float(row["seconds"]) for row in ledger.values())
    return [
        ("trainings", f"{len(ledger)}, those of the search among them"),
        ("hours of training, summed over workers", f"{seconds / 3600:.1f}"),
        ("machine", _distinct(ledger, "machine")),
        ("environment (hash of images, code, configs, libraries, precision)", _distinct(ledger, "environment")),
    ]


def _distinct(ledger: Mapping[str, Facts], column: str) -> str:
    return ", ".join(sorted({str(row[column]) for row in ledger.values()}))
