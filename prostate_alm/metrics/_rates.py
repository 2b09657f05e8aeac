"""Sensitivity and specificity together: the corners of their exact rectangle, and what is monotone in both."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from prostate_alm.figures import Figure
from prostate_alm.metrics._distributions import CONFIDENCE, clopper_pearson
from prostate_alm.metrics.locked import LockedFigures


@dataclass(frozen=True)
class Rates:
    """A two-by-two table with the exact rectangle of its sensitivity and specificity.

    The two rest on independent samples. Clopper-Pearson intervals, each at confidence sqrt(0.95), therefore hold both
    at once with at least 95%.

    Args:
        locked: the table at a locked threshold.
        corners: the four pairs (sensitivity, specificity); none if a class is missing.
    """

    locked: LockedFigures
    corners: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, locked: LockedFigures) -> "Rates":
        """The rectangle of a table."""
        n1, n0 = locked.tp + locked.fn, locked.tn + locked.fp
        if min(n1, n0) == 0:
            return cls(locked, ())
        each = math.sqrt(CONFIDENCE)
        sensitivities, specificities = clopper_pearson(locked.tp, n1, each), clopper_pearson(locked.tn, n0, each)
        return cls(locked, tuple((se, sp) for se in sensitivities for sp in specificities))

    def figure(
        self, name: str, formula: Callable[[float, float], float], source: str, undefined: str | None = None
    ) -> Figure:
        """A figure that rises or falls with sensitivity, and with specificity, throughout.

        Its lowest and highest value in the rectangle lie at corners: coverage is at least 95%, also at 0 and 1.

        Args:
            name: of the figure.
            formula: value from sensitivity and specificity; its denominator must not vanish at a corner.
            source: what the formula is called.
            undefined: why there is no value, or None.

        Returns:
            Value None if a class is missing or `undefined` says why.
        """
        se, sp = self.locked.sensitivity, self.locked.specificity
        counts = (CONFIDENCE, se.n1, se.n0, "locked")
        if se.value is None or sp.value is None:
            return Figure(name, None, None, *counts, se.method if se.value is None else sp.method)
        if undefined:
            return Figure(name, None, None, *counts, undefined)
        values = [formula(*corner) for corner in self.corners]
        method = f"{source}; Clopper-Pearson rectangle of sensitivity and specificity, jointly 95%"
        return Figure(name, formula(se.value, sp.value), (min(values), max(values)), *counts, method)


def inside(value: float, name: str) -> float:
    """The value if it lies in (0, 1).

    Raises:
        ValueError: if it does not, or is NaN.
    """
    if not 0 < value < 1:
        raise ValueError(f"{name} {value} is outside (0, 1)")
    return value


def percent(share: float) -> str:
    """A share as figures are named by it, for example `7%`."""
    return f"{100 * share:g}%"
