"""Figures at a locked threshold for each vendor, field strength, site or age band."""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prostate_alm.metrics.inputs import Scores, checked
from prostate_alm.metrics.locked import LockedFigures, at_threshold

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Subgroup:
    """One value of a grouping.

    Args:
        name: the value, for example a vendor.
        n1: positives in it.
        n0: negatives in it.
        figures: at the locked threshold; None if suppressed.
        reason: why they are suppressed; None if they are not.
    """

    name: str
    n1: int
    n0: int
    figures: LockedFigures | None
    reason: str | None


def by_subgroup(
    logits: Scores, labels: Scores, groups: Sequence[str | None], threshold: float, minimum: int = 5
) -> tuple[Subgroup, ...]:
    """Sensitivity, specificity, FPR and FN rate of each subgroup at a locked threshold, with exact intervals.

    Args:
        logits: raw outputs, numpy or torch; higher means more likely positive.
        labels: 1 = critical class.
        groups: value of the grouping for each case; None and empty text go to the group `unknown`.
        threshold: in logits, fixed beforehand on other cases.
        minimum: positives below which the figures of a group are suppressed, at least 1.

    Shapes: (B,) or (B, 1) each; `groups` has length B.

    Returns:
        Subgroups in the order of their names; none if there are no cases.

    Raises:
        ValueError: if there is not one group per case, a group is neither text nor None, `minimum` is below 1, the
            threshold is NaN, or shapes, labels or logits are not as said.

    Example:
        >>> vendors = by_subgroup([3.0, 1.0, -2.0], [1, 1, 0], ["A", "A", "B"], threshold=0.0, minimum=2)
        >>> [(vendor.name, vendor.n1, vendor.reason) for vendor in vendors]
        [('A', 2, None), ('B', 0, 'suppressed: 0 positives, 2 needed')]
    """
    least = operator.index(minimum)
    if least < 1:
        raise ValueError(f"minimum {minimum} is below 1: a group without positives has no sensitivity")
    if math.isnan(threshold):
        raise ValueError("the threshold is NaN")
    ranked = checked(logits, labels)
    if len(groups) != len(ranked.logits):
        raise ValueError(f"{len(ranked.logits)} logits but {len(groups)} groups; give one group per logit")
    for group in groups:
        if group is not None and not isinstance(group, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"a group must be text or None, got {group!r}; a number needs a name, as in '3 T'")
    names = np.array([group or UNKNOWN for group in groups], dtype=object)
    subgroups: list[Subgroup] = []
    for name in sorted(set(names)):
        members = names == name
        locked = at_threshold(ranked.logits[members], ranked.positive[members], threshold)
        n1, n0 = locked.tp + locked.fn, locked.tn + locked.fp
        reason = None if n1 >= least else f"suppressed: {n1} positives, {least} needed"
        subgroups.append(Subgroup(str(name), n1, n0, None if reason else locked, reason))
    return tuple(subgroups)
