"""Ensembles that were trained twice: what changes when nothing but the rounding of sums does.

A run that goes on elsewhere trains chosen arms again for their lost weights. Another processor adds up in another
order, and training carries the last digit far: the second ensemble is as good a draw as the first.
"""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from prostate_alm.cifar10.gains import gain_between
from prostate_alm.cifar10.measures import AVERAGED, TITLES, Arm, written
from prostate_alm.cifar10.results import ArmResult
from prostate_alm.cifar10.sets import ResultSet, TableReport
from prostate_alm.losses import NEVER_CONSTRAINED
from prostate_alm.render.grid import Grid
from prostate_alm.training import BASE

FIGURES = ("auc", AVERAGED)
_DECIDING = ("parameter", "constraint", "common", "constrained_epochs", "scale", "environment")  # of details

Pairs = Mapping[tuple[str, str, str], tuple[Arm, Arm]]  # name of an arm -> the first and the second


def repeats(sets: Sequence[ResultSet]) -> list[Grid]:
    """For each table of single draws, the ensembles that two sets share and of which all members have other weights.

    Args:
        sets: of one results folder.

    Returns:
        one grid for each table that has such an ensemble.
    """
    found = []
    for number in dict.fromkeys(table.number for one in sets for table in one.tables):
        reports = [table for one in sets for table in one.tables if table.number == number]
        if len(reports) == 2 and set(FIGURES) <= set(reports[0].arms[0].figures):
            pairs = _pairs(*reports)
            title = f"Table {number}, trained twice: {reports[0].summary.title}"
            found += [_grid(title, f"First: {sets[0].title}. Second: {sets[1].title}.", pairs)] if pairs else []
    return found


def _pairs(first: TableReport, second: TableReport) -> Pairs:
    others = {arm.name: arm for arm in second.arms}
    both = {arm.name: (arm, others[arm.name]) for arm in first.arms if arm.name in others}
    return {name: (one, two) for name, (one, two) in both.items() if _trained_twice(one.result, two.result)}


def _trained_twice(one: ArmResult, two: ArmResult) -> bool:
    """Whether two ensembles are of the same trainings, and no member is of the very same weights."""
    settings = [[result.details.get(name) for name in _DECIDING] for result in (one, two)]
    same = settings[0] == settings[1] and (one.seed, len(one.member_aucs)) == (two.seed, len(two.member_aucs))
    weights = [result.details.get("weights_sha256") or () for result in (one, two)]
    return same and all(weights) and not set(weights[0]) & set(weights[1])


def _grid(title: str, which: str, pairs: Pairs) -> Grid:
    changes = {name: [_change(figure, *pair) for figure in FIGURES] for name, pair in pairs.items()}
    rows = []
    for name, pair in pairs.items():
        cells = []
        for figure, change in zip(FIGURES, changes[name], strict=True):
            cells += [*(written(arm.figures[figure].value, figure) for arm in pair), written(change, figure, "+")]
        rows.append((list(name), [*cells, *(str(arm.result.details.get("machine", "")) for arm in pair)]))
    groups = [(TITLES[figure], ["first", "second", "gain"]) for figure in FIGURES]
    return Grid(
        title, f"{which} {_note(changes)}", ["ratio", "loss", "arm"], [*groups, ("machine", ["first", "second"])], rows
    )


def _change(figure: str, one: Arm, two: Arm) -> float | None:
    return gain_between(figure, two.figures[figure], one.figures[figure]).value


def _note(changes: Mapping[tuple[str, str, str], Sequence[float | None]]) -> str:
    judged = {name: values for name, values in changes.items() if name[1].lower() not in NEVER_CONSTRAINED}
    over_base = [
        [
            None if one is None or base is None else one - base
            for one, base in zip(values, judged[ratio, loss, BASE], strict=True)
        ]
        for (ratio, loss, arm), values in judged.items()
        if arm != BASE and (ratio, loss, BASE) in judged
    ]
    text = (
        "In percent; the gain of the second in points, positive is better. The same images, seeds, batches, settings, "
        "code and libraries, trained once for each set, on the machines named."
    )
    arms = ", ".join(f"{count} {arm}" for arm, count in Counter(name[2] for name in judged).items())
    for what, rows in ((f"arms ({arms})", list(judged.values())), ("gains over base", over_base)):
        if rows:
            sizes = [_size(figure, column) for figure, column in zip(FIGURES, zip(*rows, strict=True), strict=True)]
            text += f" How much {len(rows)} {what} changed, without sign: {'; '.join(sizes)}."
    return text if len(judged) == len(changes) else f"{text} MBAUC, which is never constrained, is not counted."


def _size(figure: str, values: Sequence[float | None]) -> str:
    apart = [abs(value) for value in values if value is not None]
    if not apart:
        return f"{TITLES[figure]} undefined"
    return f"{TITLES[figure]} median {written(statistics.median(apart), figure)}, largest {written(max(apart), figure)}"
