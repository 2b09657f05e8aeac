"""The paper's CIFAR10 tables beside ours, as rows, CSV and Markdown. All figures are in percent."""

import csv
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prostate_alm.cifar10.protocol import CLASS_RATIOS, DRAWS
from prostate_alm.cifar10.results import ARMS, ArmResult
from prostate_alm.errors import UsageError
from prostate_alm.files import output_folder, write_csv, write_text
from prostate_alm.metrics import auc, fpr_at_tpr, spread

COLUMNS = ("class_ratio", "loss", "arm", "figure", "paper", "ours", "sd20")
AVERAGED = f"fpr_at_tpr100_mean{DRAWS}"
TITLES = {
    "auc": "AUC",
    "fpr_at_tpr100": "FPR@100%TPR",
    AVERAGED: f"FPR@100%TPR, {DRAWS} draws",
    "fpr_at_tpr95": "FPR@95%TPR",
    "fpr_at_tpr90": "FPR@90%TPR",
    "ensemble_auc": "AUC, ensemble",
    "mean_auc": "AUC, members' mean",
    "std_auc": "AUC, members' sd",
}
_PAPER_ARM = {"false": "base", "true": "alm"}  # the paper has no other arm
_TPRS = {"fpr_at_tpr100": 1.0, "fpr_at_tpr95": 0.95, "fpr_at_tpr90": 0.9}

Measured = tuple[float | None, float | None]  # value, sd over the draws; None where undefined


@dataclass(frozen=True)
class Row:
    """One figure of one arm.

    Args:
        class_ratio: as in `"1:9"`.
        loss: as the paper names it.
        arm: base, continued, alm or aucm.
        figure: a key of `TITLES`.
        paper: the paper's value in percent; None where it has none.
        ours: our value in percent; None where it is undefined.
        sd20: standard deviation of `ours` over the draws of test positives, in percent, where it is their mean.
    """

    class_ratio: str
    loss: str
    arm: str
    figure: str
    paper: float | None
    ours: float | None
    sd20: float | None


@dataclass(frozen=True)
class Table:
    """What a table of the paper measures, and on which classes."""

    title: str
    classes: tuple[int, int]
    measure: Callable[[ArmResult], dict[str, Measured]]


def paper_rows(table: int) -> list[dict[str, str]]:
    """The rows of a table of the paper (1 to 8), as text, in the paper's order.

    Raises:
        UsageError: if the paper has no such table.

    Example:
        >>> paper_rows(2)[0]["auc"]
        '94.67'
    """
    for path in (files("prostate_alm.cifar10") / "paper").iterdir():
        if path.name.startswith(f"table{table}_"):
            return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    raise UsageError(f"the paper has no table {table}; choose 1 to 8")


def table_rows(results: Sequence[ArmResult], table: int = 2) -> list[Row]:
    """Ours beside the paper's in long form, for every ensemble of the table's classes among `results`.

    Args:
        results: members among them, and ensembles of other classes, are passed over.
        table: 2 (thinned test set), 4 (ensembling), 5 (other classes) or 6 (balanced test set).

    Returns:
        rows in the paper's order of ratios and losses, then by arm and figure.

    Raises:
        UsageError: if the table is not one of these, or two results are of the same ratio, loss and arm.
    """
    spec = _table(table)
    chosen = _chosen(results, spec)
    paper = {
        (row["class_ratio"], row["loss"], _PAPER_ARM[row["alm"]], figure): float(text)
        for row in paper_rows(table)
        for figure, text in row.items()
        if figure in TITLES and text
    }
    losses = list(dict.fromkeys(row["loss"] for row in paper_rows(table)))

    def rank(result: ArmResult) -> tuple[tuple[bool, int | str], tuple[bool, int | str], int]:
        return _place(CLASS_RATIOS, result.class_ratio), _place(losses, result.loss), ARMS.index(result.arm)

    rows = []
    for result in sorted(chosen, key=rank):
        for figure, (ours, sd20) in spec.measure(result).items():
            name = (result.class_ratio, result.loss, result.arm)
            beside = paper.get((*name, "fpr_at_tpr100" if figure == AVERAGED else figure))
            rows.append(Row(*name, figure, beside, _rounded(ours), _rounded(sd20)))
    return rows


def markdown_table(rows: Sequence[Row], table: int = 2) -> str:
    """Paper and ours side by side, one line for each arm, as a Markdown table under a title."""
    figures = list(dict.fromkeys(row.figure for row in rows))
    head = ["ratio", "loss", "arm"]
    for figure in figures:
        head += [f"{TITLES[figure]}: ours"] if figure == AVERAGED else [f"{TITLES[figure]}: paper", "ours"]
    lines: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        line = lines.setdefault((row.class_ratio, row.loss, row.arm), [row.class_ratio, row.loss, row.arm])
        spread = "" if row.sd20 is None else f" ± {row.sd20:.1f}"
        line += [] if row.figure == AVERAGED else [_text(row.paper, row.figure)]
        line += [_text(row.ours, row.figure) + spread]
    body = [head, ["---"] * 3 + ["---:"] * (len(head) - 3), *lines.values()]
    return f"## Table {table}: {_table(table).title}\n\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in body)


def write_tables(out: Path | str, results: Sequence[ArmResult], table: int = 2) -> tuple[Path, Path]:
    """Write `table<n>.csv` (long form, the columns of `Row`) and `table<n>.md`, each whole.

    Raises:
        UsageError: as `table_rows`.
        OutputError: if the folder cannot be written to.
    """
    rows = table_rows(results, table)
    out = output_folder(out)
    text = [markdown_table(rows, table), _caption(_chosen(results, _table(table)))]
    return (
        write_csv(out / f"table{table}.csv", COLUMNS, (asdict(row) for row in rows)),
        write_text(out / f"table{table}.md", "\n".join(text)),
    )


def _operating(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, Measured]:
    found = {"auc": auc(logits, labels).value}
    found |= {name: fpr_at_tpr(logits, labels, tpr).value for name, tpr in _TPRS.items()}
    return {name: (_percent(value), None) for name, value in found.items()}


def _thinned(result: ArmResult) -> dict[str, Measured]:
    """The protocol's single draw, and FPR@100%TPR again over 20 draws: it hangs on one positive."""
    drawn = [fpr_at_tpr(*result.thinned(draw), 1.0) for draw in range(DRAWS)]
    # in percent before the mean: the other order rounds some halves the other way
    in_percent = spread([replace(figure, value=_percent(figure.value), interval=None) for figure in drawn])
    averaged = in_percent.mean, in_percent.standard_deviation
    measured = _operating(*result.thinned())
    return {"auc": measured.pop("auc"), "fpr_at_tpr100": measured.pop("fpr_at_tpr100"), AVERAGED: averaged} | measured


def _balanced(result: ArmResult) -> dict[str, Measured]:
    return _operating(result.test_logits, result.test_labels)


def _ensembling(result: ArmResult) -> dict[str, Measured]:
    aucs = result.member_aucs
    return {
        "ensemble_auc": (_percent(auc(*result.thinned()).value), None),
        "mean_auc": (_percent(statistics.fmean(aucs)) if aucs else None, None),
        "std_auc": (_percent(statistics.stdev(aucs)) if len(aucs) > 1 else None, None),
    }


TABLES = {
    2: Table("airplane and automobile", (0, 1), _thinned),
    4: Table("ensembling, airplane and automobile", (0, 1), _ensembling),
    5: Table("frog and horse", (6, 7), _thinned),
    6: Table("airplane and automobile, balanced test set", (0, 1), _balanced),
}


def _table(number: int) -> Table:
    if number not in TABLES:
        raise UsageError(
            f"table {number} is not among the tables of figures; choose one of {', '.join(map(str, TABLES))}"
        )
    return TABLES[number]


def _chosen(results: Sequence[ArmResult], spec: Table) -> list[ArmResult]:
    chosen = [result for result in results if result.member is None and result.classes == spec.classes]
    counts = Counter((result.class_ratio, result.loss, result.arm) for result in chosen)
    for name, count in counts.items():
        if count > 1:
            raise UsageError(f"{count} results are of {' '.join(name)}; keep the results of one run in one folder")
    return chosen


def _caption(results: Sequence[ArmResult]) -> str:
    """What the figures rest on, so that a small run cannot pass for a full one."""
    members = sorted({len(result.member_aucs) for result in results})
    negatives = sorted({int((result.test_labels == 0).sum()) for result in results})
    return (
        f"In percent. Members: {', '.join(map(str, members))} (paper: 10); test negatives: "
        f"{', '.join(map(str, negatives))} (paper: 1000). The paper has base and alm only.\n"
    )


def _place(known: Sequence[str], name: str) -> tuple[bool, int | str]:
    return (False, known.index(name)) if name in known else (True, name)


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _text(value: float | None, figure: str) -> str:
    return "" if value is None else f"{value:.{2 if 'auc' in figure else 1}f}"
