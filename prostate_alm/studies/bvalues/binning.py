"""A b-value as an image states it, and the nominal b-value that it is binned to."""

from dataclasses import dataclass

CANONICAL_B_VALUES = (100, 600, 1000)
"""The b-values (s/mm^2) that the network takes."""

NOMINAL_B_VALUES = (*range(0, 501, 50), 600, 700, 750, 800, 900, *range(1000, 3001, 100))
"""The b-values (s/mm^2) that protocols ask for; a measured value near one of them is binned to it."""


_KEYWORDS = {"(0018,0024)": "SequenceName ", "(0020,4000)": "ImageComments "}


class BValueError(ValueError):
    """A b-value is there but makes no sense, or two sources contradict each other."""


@dataclass(frozen=True)
class BValue:
    """A b-value as an image states it.

    Args:
        value: s/mm^2, as stated.
        source: the tag that it was read from, such as `(0019,100C)`.
        stated_nominal: s/mm^2, what the scanner itself calls nominal beside what it measured; None if it does not say.
        verified: False if no real file has ever confirmed how this vendor writes it.
        inferred: why the value was concluded and not read; empty if it was read.

    Example:
        >>> BValue(928.29, "(0065,1009)", stated_nominal=1000).nominal
        1000
    """

    value: float
    source: str
    stated_nominal: int | None = None
    verified: bool = True
    inferred: str = ""

    @property
    def nominal(self) -> int:
        """The vendor's own nominal b-value where there is one, else the value after `nominal_b_value`."""
        return nominal_b_value(self.value) if self.stated_nominal is None else self.stated_nominal

    def agrees_with(self, other: "BValue") -> bool:
        """True if the two differ by no more than max(5, 3 %), as stated or after binning.

        Args:
            other: what another source of the same image states.

        Example:
            >>> BValue(44, "a").agrees_with(BValue(45, "b")), BValue(1000, "a").agrees_with(BValue(1100, "b"))
            (True, False)
        """
        return _close(self.value, other.value) or _close(self.nominal, other.nominal)


def nominal_b_value(value: float) -> int:
    """Bin a b-value: |b| <= 5 is 0; else the nominal value within max(5, 3 %) of it; else b, rounded.

    Args:
        value: s/mm^2.

    Example:
        >>> [nominal_b_value(b) for b in (0.004, 98, 995, 273)]
        [0, 100, 1000, 273]
    """
    if abs(value) <= 5:
        return 0
    nearest = min(NOMINAL_B_VALUES[1:], key=lambda nominal: abs(nominal - value))
    return nearest if _close(value, nearest, of=nearest) else round(value)


def contradiction(one: BValue, other: BValue) -> BValueError:
    """The error that two sources of one image disagree; it quotes numbers only.

    Args:
        one: what one source states.
        other: what the other states.

    Example:
        >>> str(contradiction(BValue(1000, "(0019,100C)"), BValue(1500, "(0018,0024)")))
        '(0019,100C) states b 1000 and SequenceName (0018,0024) states b 1500'
    """
    first, second = (f"{_KEYWORDS.get(b.source, '')}{b.source} states b {b.value:g}" for b in (one, other))
    return BValueError(f"{first} and {second}")


def _close(one: float, other: float, *, of: float | None = None) -> bool:
    return abs(one - other) <= max(5.0, 0.03 * (max(one, other) if of is None else of))
