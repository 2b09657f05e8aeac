"""Several tests against one base: Holm's step-down adjustment."""

from collections.abc import Sequence
from dataclasses import replace

from prostate_alm.metrics.paired import PairedTest


def holm(tests: Sequence[PairedTest]) -> list[PairedTest]:
    """Tests with p-values that keep the chance of any false alarm at the level; in the order given.

    The i-th smallest of m p-values is multiplied by m - i + 1, kept ascending and at most 1.

    Args:
        tests: not yet adjusted. A test without a p-value stays as it is and does not count.

    Returns:
        One test per test, `adjustment` saying for how many; none gives none.

    Raises:
        ValueError: if a test is adjusted already.

    Example:
        >>> from prostate_alm.figures import Figure
        >>> difference = Figure("AUC difference", 0.04, None, 0.95, 36, 64, "oracle", "paired DeLong")
        >>> adjusted = holm([PairedTest(difference, p) for p in (0.01, 0.04, 0.03)])
        >>> [test.p_value for test in adjusted], adjusted[0].adjustment
        ([0.03, 0.06, 0.06], 'Holm, 3 tests')

    Reference:
        Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    for test in tests:
        if test.adjustment != "none":
            raise ValueError(
                f"{test.difference.name} is adjusted already ({test.adjustment}); adjust all tests at once"
            )
    defined = sorted((test.p_value, place) for place, test in enumerate(tests) if test.p_value is not None)
    count, floor = len(defined), 0.0
    adjustment = f"Holm, {count} test{'' if count == 1 else 's'}"
    adjusted = list(tests)
    for rank, (p_value, place) in enumerate(defined):
        floor = max(floor, min(1.0, (count - rank) * p_value))
        adjusted[place] = replace(tests[place], p_value=floor, adjustment=adjustment)
    return adjusted
