"""One figure over several seeds or draws: mean, standard deviation and every value."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from prostate_alm.figures import Figure


@dataclass(frozen=True)
class Spread:
    """How one figure varies over repetitions.

    Args:
        name: of the figure.
        mean: over the repetitions; None if undefined.
        deviation: sample standard deviation (divided by n - 1); None with one value or if undefined.
        values: of every repetition, in the order given; None where the figure is undefined.
        reason: why there is no mean; None if there is one.
    """

    name: str
    mean: float | None
    deviation: float | None
    values: tuple[float | None, ...]
    reason: str | None


def spread(figures: Sequence[Figure]) -> Spread:
    """Mean and sample standard deviation of one figure over seeds or draws.

    One undefined repetition leaves both undefined: the mean of the others would speak for a chosen few.

    Args:
        figures: of the same name, one per repetition.

    Returns:
        The spread; mean and deviation None if any figure is undefined, and `reason` says how many and why.

    Raises:
        ValueError: if there are no figures or their names differ.

    Example:
        >>> draws = [Figure("AUC", value, None, 0.95, 36, 64, "oracle", "DeLong") for value in (0.8, 0.9, 1.0)]
        >>> found = spread(draws)
        >>> round(found.mean, 3), round(found.deviation, 3)
        (0.9, 0.1)
    """
    if not figures:
        raise ValueError("there are no figures to take the mean of; give at least one")
    names = list(dict.fromkeys(figure.name for figure in figures))
    if len(names) > 1:
        raise ValueError(f"a mean needs one figure, got {', '.join(names)}")
    values = tuple(figure.value for figure in figures)
    defined = [value for value in values if value is not None]
    undefined = [figure.method for figure in figures if figure.value is None]
    if undefined:
        reasons = "; ".join(dict.fromkeys(undefined))
        return Spread(names[0], None, None, values, f"undefined in {len(undefined)} of {len(values)}: {reasons}")
    deviation = statistics.stdev(defined) if len(defined) > 1 else None
    return Spread(names[0], statistics.fmean(defined), deviation, values, None)
