"""The rows of `predictions.csv`, checked and sorted into one set of scores per arm."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from prostate_alm.errors import UsageError
from prostate_alm.metrics.inputs import Floats

ARMS = ("base", "continued", "alm")
PREDICTIONS, METRICS = "predictions.csv", "metrics.json"
COLUMNS = ("case_id", "label", "arm", "logit")


class Prediction(NamedTuple):
    """One row of `predictions.csv`: the logit that one arm gave one case, and those of its ensemble's members."""

    case_id: str
    label: int
    arm: str
    logit: float
    members: tuple[float, ...] = ()


Rows: TypeAlias = Iterable[Prediction | tuple[Any, ...] | Mapping[str, Any]]


@dataclass(frozen=True)
class ArmScores:
    """All cases of one arm, in the order of their ids.

    Shapes: `logits` and `labels` (B,); `members` (M, B), the logits of the ensemble's members, M = 0 if unknown.
    """

    arm: str
    case_ids: tuple[str, ...]
    logits: Floats
    labels: Floats
    members: Floats = field(default_factory=lambda: np.empty((0, 0)))


def by_arm(rows: Rows) -> dict[str, ArmScores]:
    """Scores per arm: base, continued, alm, then any other arm by name.

    Args:
        rows: `Prediction`s, tuples (case_id, label, arm, logit[, members]) or mappings with these keys, in any
            order.

    Raises:
        UsageError: if there are no rows, a case stands twice in an arm, or the arms differ in cases or labels.

    Example:
        >>> by_arm([("b", 1, "alm", 2.0), ("a", 0, "alm", -1.0)])["alm"].case_ids
        ('a', 'b')
    """
    arms: dict[str, dict[str, Prediction]] = {}
    for row in rows:
        fields: Any = row
        prediction = Prediction(**fields) if isinstance(row, Mapping) else Prediction(*fields)
        cases = arms.setdefault(prediction.arm, {})
        if prediction.case_id in cases:
            raise UsageError(f"case {prediction.case_id} stands twice in arm {prediction.arm}; give one logit per case")
        cases[prediction.case_id] = prediction
    counts = {len(prediction.members) for cases in arms.values() for prediction in cases.values()}
    if len(counts) > 1:
        raise UsageError(f"cases have {min(counts)} to {max(counts)} members' logits: give those of one ensemble size")
    if not arms:
        raise UsageError("there are no predictions: evaluate at least one case")
    scores = {arm: _scores(arm, arms[arm]) for arm in sorted(arms, key=_place)}
    first, *others = scores.values()
    for other in others:
        if other.case_ids != first.case_ids or not np.array_equal(other.labels, first.labels):
            raise UsageError(f"arms {first.arm} and {other.arm} differ in cases or labels; evaluate the same cohort")
    return scores


def _scores(arm: str, cases: Mapping[str, Prediction]) -> ArmScores:
    ordered = [cases[case_id] for case_id in sorted(cases)]
    return ArmScores(
        arm=arm,
        case_ids=tuple(row.case_id for row in ordered),
        logits=np.array([row.logit for row in ordered], dtype=np.float64),
        labels=np.array([row.label for row in ordered], dtype=np.float64),
        members=np.array([row.members for row in ordered], dtype=np.float64).T,
    )


def _place(arm: str) -> tuple[int, str]:
    return (ARMS.index(arm) if arm in ARMS else len(ARMS)), arm
