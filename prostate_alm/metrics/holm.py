"""Several tests against one base: Holm's step-down adjustment."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that keep the chance of any false alarm at the level; in the order given.

    The i-th smallest of m is multiplied by m - i + 1, kept ascending and at most 1.

    Args:
        p_values: each in [0, 1]; none gives none.

    Raises:
        ValueError: if one is outside [0, 1].

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]

    Reference:
        Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    if any(not 0.0 <= p <= 1.0 for p in p_values):
        raise ValueError(f"p-values must be within [0, 1], got {list(p_values)}")
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = floor
    return adjusted
