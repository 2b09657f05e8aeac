"""The paper's own figures on CIFAR10, from the tables it printed."""

import csv
from functools import cache
from importlib.resources import files

from prostate_alm.errors import UsageError

_ARMS = {"false": "base", "true": "alm"}  # the paper has no other arm
_NAMES = ("class_ratio", "loss", "alm")


def paper_rows(table: int) -> list[dict[str, str]]:
    """The rows of a table of the paper (1 to 8), as text, in the paper's order.

    Raises:
        UsageError: if the paper has no such table.

    Example:
        >>> paper_rows(2)[0]["auc"]
        '94.67'
    """
    return [dict(row) for row in _rows(table)]


def paper_losses(table: int) -> list[str]:
    """The base losses of a table, in the paper's order.

    Example:
        >>> paper_losses(2)[-2:]
        ['MSFE', 'MBAUC']
    """
    return list(dict.fromkeys(row["loss"] for row in _rows(table)))


def paper_arms(table: int) -> list[tuple[str, str, str]]:
    """(class ratio, loss, arm) of every row of a table; the arm is base or alm.

    Example:
        >>> len(paper_arms(2)), paper_arms(2)[0]
        (51, ('1:2', 'BCE', 'base'))
    """
    return [(row["class_ratio"], row["loss"], _ARMS[row["alm"]]) for row in _rows(table)]


def paper_figures(table: int) -> dict[tuple[str, str, str, str], float]:
    """(class ratio, loss, arm, figure) -> the paper's value in percent, for every column of figures.

    Example:
        >>> paper_figures(2)["1:2", "BCE", "alm", "auc"]
        95.41
    """
    return {
        (*name, figure): float(text)
        for name, row in zip(paper_arms(table), _rows(table), strict=True)
        for figure, text in row.items()
        if figure not in _NAMES and text
    }


@cache
def _rows(table: int) -> tuple[dict[str, str], ...]:
    for path in (files("prostate_alm.cifar10") / "paper").iterdir():
        if path.name.startswith(f"table{table}_"):
            return tuple(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    raise UsageError(f"the paper has no table {table}; choose 1 to 8")
