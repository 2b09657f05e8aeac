"""The paper's CIFAR10 tables beside ours, as rows and as they are printed. All figures are in percent."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from prostate_alm.cifar10.hyperparameters import CLASSES, choice_grid, choices
from prostate_alm.cifar10.measures import AVERAGED, TITLES, Arm, measured, table_spec, written
from prostate_alm.cifar10.published import paper_figures
from prostate_alm.cifar10.results import ArmResult
from prostate_alm.render.grid import Grid


@dataclass(frozen=True)
class Entry:
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


HYPERPARAMETERS = 8  # the number of the table that has no figures
COLUMNS = tuple(field.name for field in fields(Entry))


def rows_of(arms: Sequence[Arm], table: int) -> list[Entry]:
    """Ours beside the paper's in long form; FPR@100%TPR averaged over draws stands beside the paper's single draw.

    Args:
        arms: as `measured` gives them for this table.
        table: 2 (thinned test set), 4 (ensembling), 5 (other classes) or 6 (balanced test set).

    Returns:
        rows in the order of the arms, then by figure.
    """
    paper = paper_figures(table)
    return [
        Entry(
            *arm.name,
            figure,
            paper.get((*arm.name, "fpr_at_tpr100" if figure == AVERAGED else figure)),
            _rounded(found.value),
            _rounded(found.sd),
        )
        for arm in arms
        for figure, found in arm.figures.items()
    ]


def row_grid(rows: Sequence[Entry], table: int = 2, note: str = "") -> Grid:
    """Paper and ours side by side, one line for each arm.

    Args:
        rows: of `rows_of`, for this table.
        table: 2, 4, 5 or 6.
        note: what stands below it.
    """
    figures = list(dict.fromkeys(row.figure for row in rows))
    groups = [(TITLES[figure], ["ours"] if figure == AVERAGED else ["paper", "ours"]) for figure in figures]
    lines: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        line = lines.setdefault((row.class_ratio, row.loss, row.arm), [])
        spread = "" if row.sd20 is None else f" ± {row.sd20:.1f}"
        line += [] if row.figure == AVERAGED else [written(row.paper, row.figure)]
        line += [written(row.ours, row.figure) + spread]
    title = f"Table {table}: {table_spec(table).title}"
    return Grid(title, note, ["ratio", "loss", "arm"], groups, list(lines.items()))


def table_grid(results: Sequence[ArmResult], table: int = 2, classes: tuple[int, int] | None = None) -> Grid:
    """A table as it is printed.

    Args:
        results: members among them, and ensembles of other classes, are passed over.
        table: 2, 4, 5, 6 or 8.
        classes: another class pair than the table's: the figures of the table, without the paper's.

    Raises:
        UsageError: if the table is another, or two results are of the same ratio, loss and arm.
    """
    if table == HYPERPARAMETERS:
        asked = classes or CLASSES
        return choice_grid(choices(results, asked), asked)
    arms = measured(results, table, classes)
    note = basis([arm.result for arm in arms], table)
    if classes in (None, table_spec(table).classes):
        return row_grid(rows_of(arms, table), table, note)
    rows = [replace(row, paper=None) for row in rows_of(arms, table)]
    return replace(row_grid(rows, table, note), title=f"Classes {classes[0]} and {classes[1]}, as Table {table}")


def basis(results: Sequence[ArmResult], table: int) -> str:
    """What a table's figures rest on, so that a small run cannot pass for a full one."""
    members = sorted({len(result.member_aucs) for result in results})
    negatives = sorted({int((result.test_labels == 0).sum()) for result in results})
    return (
        f"In percent. Test set: {table_spec(table).test_set}. Members: {', '.join(map(str, members)) or 'none'} "
        f"(paper: 10); test negatives: {', '.join(map(str, negatives)) or 'none'} (paper: 1000). The paper has base "
        "and alm only."
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
