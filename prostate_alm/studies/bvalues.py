"""The b-value of one image: one small function per source, behind one table.

A b-value belongs to an image, never to a series: one series often holds them all.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

CANONICAL_B_VALUES = (100, 600, 1000)
"""The b-values (s/mm^2) that the network takes."""

NOMINAL_B_VALUES = (*range(0, 501, 50), 600, 700, 750, 800, 900, *range(1000, 3001, 100))
"""The b-values (s/mm^2) that protocols ask for; a measured value near one of them is binned to it."""

STANDARD = (0x0018, 0x9087)
SIEMENS = (0x0019, 0x100C)
SIEMENS_CREATOR = (0x0019, 0x0010)
_NAMED_B = re.compile(r"_b(\d{1,5})(?![\d_])")
"""Siemens SequenceName of one b-value, such as `*ep_b400t`; `*ep_b50_800` is the range behind a map."""
TAGS: tuple[tuple[int, int], ...] = (STANDARD, SIEMENS_CREATOR, SIEMENS)


class BValueError(ValueError):
    """A b-value is there but makes no sense, or two sources contradict each other."""


@dataclass(frozen=True)
class BValue:
    """A b-value as an image states it.

    Args:
        value: s/mm^2, as stated.
        source: the tag that it was read from, such as `(0019,100C)`.
    """

    value: float
    source: str

    @property
    def nominal(self) -> int:
        """The b-value after binning, see `nominal_b_value`."""
        return nominal_b_value(self.value)


@dataclass(frozen=True)
class _Source:
    tag: str
    read: Callable[[Dataset], float | None]


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
    return nearest if abs(nearest - value) <= max(5.0, 0.03 * nearest) else round(value)


def read_b_value(dataset: Dataset) -> BValue | None:
    """The b-value of one image, or None if no source states one.

    SequenceName (0018,0024) is no source, as exports often keep it where the b-value was removed on purpose, but it may
    not contradict one.

    Args:
        dataset: a header that holds at least `TAGS` and SequenceName.

    Raises:
        BValueError: if a source holds something that is no b-value, or two sources disagree by more than 5 s/mm^2.
    """
    found = [BValue(value, source.tag) for source in _SOURCES if (value := source.read(dataset)) is not None]
    for other in found[1:]:
        if abs(other.value - found[0].value) > 5:
            raise BValueError(
                f"{found[0].source} states b {found[0].value:g} and {other.source} states b {other.value:g}"
            )
    named = _NAMED_B.search(str(dataset.get("SequenceName", "") or ""))
    if found and named and nominal_b_value(float(named[1])) != found[0].nominal:
        raise BValueError(
            f"{found[0].source} states b {found[0].value:g} and SequenceName (0018,0024) states b {named[1]}"
        )
    return found[0] if found else None


def _standard(dataset: Dataset) -> float | None:
    """Diffusion b-value (0018,9087), FD: DICOM PS3.3 C.8.13.5.9, MR Diffusion Macro; PS3.6."""
    return _number(dataset, STANDARD)


def _siemens(dataset: Dataset) -> float | None:
    """B_value (0019,100C), IS, of the block `SIEMENS MR HEADER`: Siemens MR DICOM conformance statement (since VB13).

    An export without the private dictionary hands it on as bytes, `b'400 '`.
    """
    creator = _text(dataset.get(SIEMENS_CREATOR))
    vendor = str(dataset.get("Manufacturer", "")).upper()
    if creator.startswith("SIEMENS MR HEADER") or (not creator and "SIEMENS" in vendor):
        return _number(dataset, SIEMENS)
    return None


_SOURCES = (_Source("(0018,9087)", _standard), _Source("(0019,100C)", _siemens))


def _text(element: Any) -> str:
    value = "" if element is None or element.value is None else element.value
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return str(value).strip("\0 ")


def _number(dataset: Dataset, tag: tuple[int, int]) -> float | None:
    text = _text(dataset.get(tag))
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise BValueError(f"({tag[0]:04X},{tag[1]:04X}) holds no number") from error
    if not -5 <= value <= 20_000:
        raise BValueError(f"({tag[0]:04X},{tag[1]:04X}) holds {value:g}, which is no b-value")
    return value
