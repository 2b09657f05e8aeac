"""One figure over several seeds or draws: mean, standard deviation and every value."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from prostate_alm.figures import Figure, Kind


@dataclass(frozen=True)
class Spread:
    """How one figure varies over repetitions.

    Args:
        name: of the figure.
        mean: over the repetitions; None if undefined.
        standard_deviation: of the sample (divided by n - 1); None with one value or if undefined.
        values: of every repetition, in the order given; None where the figure is undefined.
        n1: positives of the repetition that has the fewest.
        n0: negatives of the repetition that has the fewest.
        kind: of the figure, `oracle` or `locked`.
        reason: why there is no mean; None if there is one.
    """

    name: str
    mean: float | None
    standard_deviation: float | None
    values: tuple[float | None, ...]
    n1: int
    n0: int
    kind: Kind
    reason: str | None


def spread(figures: Sequence[Figure]) -> Spread:
    """Mean and sample standard deviation of one figure over seeds or draws.

    One undefined repetition leaves both undefined: the mean of the others would speak for a chosen few.

    Args:
        figures: of the same name and kind, one per repetition.

    Returns:
        The spread; mean and standard deviation None if any figure is undefined, and `reason` says how many and why.

    Raises:
        ValueError: if there are no figures, or they differ in name or kind.

    Example:
        >>> draws = [Figure("AUC", value, None, 0.95, 36, 64, "oracle", "DeLong") for value in (0.8, 0.9, 1.0)]
        >>> found = spread(draws)
        >>> round(found.mean, 3), round(found.standard_deviation, 3)
        (0.9, 0.1)
    """
    if not figures:
        raise ValueError("there are no figures to take the mean of; give at least one")
    first = figures[0]
    different = list(dict.fromkeys(f"{figure.name} ({figure.kind})" for figure in figures))
    if len(different) > 1:
        raise ValueError(f"a mean needs one figure, got {', '.join(different)}")
    defined = [figure.value for figure in figures if figure.value is not None]
    undefined = [figure.method for figure in figures if figure.value is None]
    mean = deviation = reason = None
    if undefined:
        reason = f"undefined in {len(undefined)} of {len(figures)}: {'; '.join(dict.fromkeys(undefined))}"
    else:
        mean, deviation = statistics.fmean(defined), statistics.stdev(defined) if len(defined) > 1 else None
    return Spread(
        name=first.name,
        mean=mean,
        standard_deviation=deviation,
        values=tuple(figure.value for figure in figures),
        n1=min(figure.n1 for figure in figures),
        n0=min(figure.n0 for figure in figures),
        kind=first.kind,
        reason=reason,
    )
