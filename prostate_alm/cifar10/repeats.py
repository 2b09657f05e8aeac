"""Ensembles that were trained twice: what changes when nothing but the rounding of sums does.

A run that goes on elsewhere trains chosen arms again for their lost weights. Another processor adds up in another
order, and training carries the last digit far: the second ensemble is as good a draw as the first.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from prostate_alm.cifar10.gains import gain_between
from prostate_alm.cifar10.measures import AVERAGED, TITLES, Arm, written
from prostate_alm.cifar10.results import ArmResult
from prostate_alm.cifar10.sets import ResultSet, TableReport
from prostate_alm.render.grid import Grid

FIGURES = ("auc", AVERAGED)
_DECIDING = ("parameter", "constraint", "common", "environment")  # details that two trainings of one thing share


def repeats(sets: Sequence[ResultSet]) -> list[Grid]:
    """For each table of single draws, the ensembles that two sets share and that came out with other weights.

    Args:
        sets: of one results folder.

    Returns:
        one grid for each table that has such an ensemble.
    """
    found = []
    for number in dict.fromkeys(table.number for one in sets for table in one.tables):
        reports = [table for one in sets for table in one.tables if table.number == number]
        if len(reports) == 2 and set(FIGURES) <= set(reports[0].arms[0].figures):
            pairs = list(_pairs(*reports))
            found += [_grid(number, reports[0].summary.title, pairs)] if pairs else []
    return found


def _pairs(first: TableReport, second: TableReport) -> Iterator[tuple[Arm, Arm]]:
    others = {arm.name: arm for arm in second.arms}
    for arm in first.arms:
        other = others.get(arm.name)
        if other is not None and _same(arm.result, other.result) and _weights(arm) != _weights(other):
            yield arm, other


def _same(one: ArmResult, two: ArmResult) -> bool:
    """Whether two ensembles are of the same trainings."""
    settings = [[result.details.get(name) for name in _DECIDING] for result in (one, two)]
    return settings[0] == settings[1] and (one.seed, len(one.member_aucs)) == (two.seed, len(two.member_aucs))


def _weights(arm: Arm) -> Sequence[str]:
    return arm.result.details.get("weights_sha256") or ()


def _grid(number: int, title: str, pairs: Sequence[tuple[Arm, Arm]]) -> Grid:
    gains = {
        figure: [gain_between(figure, two.figures[figure], one.figures[figure]).value for one, two in pairs]
        for figure in FIGURES
    }
    rows = []
    for place, (one, two) in enumerate(pairs):
        cells = []
        for figure in FIGURES:
            cells += [written(arm.figures[figure].value, figure) for arm in (one, two)]
            cells.append(written(gains[figure][place], figure, "+"))
        rows.append((list(one.name), [*cells, *(str(arm.result.details.get("machine", "")) for arm in (one, two))]))
    groups = [(TITLES[figure], ["first", "second", "gain"]) for figure in FIGURES]
    head = f"Table {number}, trained twice: {title}"
    return Grid(head, _note(gains), ["ratio", "loss", "arm"], [*groups, ("machine", ["first", "second"])], rows)


def _note(gains: Mapping[str, Sequence[float | None]]) -> str:
    sizes = []
    for figure, values in gains.items():
        apart = [abs(value) for value in values if value is not None]
        if apart:
            middle, most = (written(value, figure) for value in (statistics.median(apart), max(apart)))
            sizes.append(f"{TITLES[figure]} median {middle}, largest {most}")
    return (
        "In percent; the gain of the second in points, positive is better. The same images, seeds, batches and "
        "settings, trained once for each set of results: only the order in which a processor adds up differs. Without "
        "sign: "
        f"{'; '.join(sizes)}. A gain of ALM of this size may be chance."
    )
