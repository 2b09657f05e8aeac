"""The threshold that a report answers for, and what follows from it."""

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from prostate_alm.figures import Figure, Kind
from prostate_alm.metrics import Calibration, LockedFigures, NetBenefit, PrevalenceFigures, at_prevalence, at_threshold
from prostate_alm.report.summary import ArmSummary, Errors, errors_at

READ_OFF = "threshold read off the same cases, which the interval does not allow for"
Figures = TypeVar("Figures", LockedFigures, PrevalenceFigures, NetBenefit, Calibration)


@dataclass(frozen=True)
class OperatingPoint:
    """One arm at one threshold.

    Args:
        threshold: in logits; a case at or above it is called positive.
        kind: `locked` if it was fixed beforehand, `oracle` if it was read off these cases.
        table: the two-by-two table and its figures, of this kind.
        prevalence: at which `at_prevalence` holds, in (0, 1); None if a class is missing.
        at_prevalence: predictive values and scans avoided, of this kind; None if a class is missing.
        errors: the cases called wrongly.
    """

    threshold: float
    kind: Kind
    table: LockedFigures
    prevalence: float | None
    at_prevalence: PrevalenceFigures | None
    errors: Errors


def operating_point(summary: ArmSummary, locked: float | None) -> OperatingPoint | None:
    """An arm at its locked threshold, else at the oracle's, which misses nobody; at the test cases' own prevalence.

    Args:
        summary: the arm.
        locked: a threshold that was fixed beforehand, in logits; None if there is none.

    Returns:
        None if there is no positive to read a threshold off.
    """
    threshold = summary.oracle_threshold.value if locked is None else locked
    if threshold is None:
        return None
    scores = summary.scores
    table = at_threshold(scores.logits, scores.labels, threshold)
    n1, n0 = summary.auc.n1, summary.auc.n0
    prevalence = n1 / (n1 + n0) if n1 and n0 else None
    at_own = None if prevalence is None else at_prevalence(table, prevalence)
    kind: Kind = "oracle" if locked is None else "locked"
    at_own = at_own and of_kind(at_own, kind)
    return OperatingPoint(threshold, kind, of_kind(table, kind), prevalence, at_own, errors_at(scores, threshold))


def of_kind(figures: Figures, kind: Kind) -> Figures:
    """Figures at a threshold, marked as read off the same cases where they were; the metrics call all of them locked.

    Args:
        figures: a table, or what follows from it.
        kind: of the threshold.
    """
    return figures if kind == "locked" else marked(figures, READ_OFF)


def marked(figures: Figures, because: str) -> Figures:
    """Figures of kind oracle, with the reason before their method.

    Args:
        figures: of any kind.
        because: what about them rests on the very cases that they describe.
    """
    found = {part.name: getattr(figures, part.name) for part in fields(figures)}
    oracle: dict[str, Any] = {
        name: replace(value, kind="oracle", method=f"{because}; {value.method}")
        for name, value in found.items()
        if isinstance(value, Figure)
    }
    return replace(figures, **oracle)
