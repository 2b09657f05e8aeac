"""The rows of a benchmark: medians of neighbouring runs, measured side by side."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table and of bench.json.

    Args:
        name: what was measured.
        ours: median of our runs, in `unit`.
        reference: median of the runs of what we compare with, or the limit.
        ratio: as `comparison` says.
        goal: what the ratio is held against.
        met: whether it holds.
        unit: of `ours` and `reference`.
        comparison: "ours / reference, at most" or "reference / ours, at least".
    """

    name: str
    ours: float
    reference: float
    ratio: float
    goal: float
    met: bool
    unit: str
    comparison: str


def at_most(goal: float, name: str, ours: Sequence[float], reference: Sequence[float], unit: str) -> Row:
    """Our cost in units of the reference's: the median of the ratios of neighbours."""
    ratio = statistics.median(mine / other for mine, other in zip(ours, reference, strict=True))
    middle = statistics.median(ours), statistics.median(reference)
    return Row(name, *middle, ratio, goal, ratio <= goal, unit, "ours / reference, at most")


def at_least(goal: float, name: str, ours: Sequence[float], reference: Sequence[float], unit: str) -> Row:
    """How many times faster we are: the median of the ratios of neighbours."""
    ratio = statistics.median(other / mine for mine, other in zip(ours, reference, strict=True))
    middle = statistics.median(ours), statistics.median(reference)
    return Row(name, *middle, ratio, goal, ratio >= goal, unit, "reference / ours, at least")


def within(limit: float, name: str, ours: Sequence[float], unit: str) -> Row:
    """Our median against a limit that was set, not measured."""
    middle = statistics.median(ours)
    return Row(name, middle, limit, middle / limit, 1.0, middle <= limit, unit, "ours / limit, at most")


def seconds(run: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def in_turn(
    ours: Callable[[], object], reference: Callable[[], object], repeats: int, calls: int = 1
) -> tuple[list[float], list[float]]:
    """Seconds per call of either, run in turn and first in turn; each has one run to warm up.

    Args:
        ours: what is measured.
        reference: what it is compared with.
        repeats: pairs of neighbouring runs.
        calls: calls in one run of ours; the reference is called once.
    """
    mine: list[float] = []
    other: list[float] = []
    for repeat in range(repeats + 1):
        pair = [(mine, ours, calls), (other, reference, 1)]
        for times, run, count in pair if repeat % 2 else reversed(pair):
            times.append(seconds(lambda run=run, count=count: [run() for _ in range(count)]) / count)
    return mine[1:], other[1:]
