"""Numbers out of single DICOM elements, as pydicom hands them over or as the raw bytes of a file that lost its VRs."""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from prostate_alm.studies.bvalues.binning import BValue, BValueError

MANUFACTURER = BaseTag(0x00080070)

_DECIMAL = re.compile(r"[+-]?\d{1,12}(?:\.\d{0,12})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_SMALLEST_RAW = 5e-4
"""The least that raw bytes may stand for; Philips' near-zero begins at 0.001. Bytes in the wrong order give about 1e-40
and digits taken for a float about 1e-9: both would pass for b 0."""


@dataclass(frozen=True)
class PrivateTag:
    """A private element: it counts only where its creator is right, or is missing and the manufacturer fits.

    Args:
        creator: the private creator, in upper case.
        manufacturer: what the Manufacturer (0008,0070), in upper case, must contain if there is no creator.
        places: pairs of the element and its creator's element (PS3.5 7.8.1), in the order in which they are tried.
    """

    creator: str
    manufacturer: re.Pattern[str]
    places: tuple[tuple[BaseTag, BaseTag], ...]

    @property
    def tags(self) -> tuple[BaseTag, ...]:
        """Every tag that has to be read for it."""
        return tuple(tag for place in self.places for tag in place)

    def find(self, dataset: Dataset) -> DataElement | None:
        """The element, or None if the dataset holds none that counts."""
        for tag, creator_tag in self.places:
            if tag not in dataset:
                continue
            creator = text_of(element_of(dataset, creator_tag)).upper()
            # without any creator only the first block is where a scanner would have put it
            alone = not creator and tag == self.places[0][0]
            if creator == self.creator or (alone and made_by(dataset, self.manufacturer)):
                return element_of(dataset, tag)
        return None


def private_tag(
    group: int, offset: int, creator: str, manufacturer: re.Pattern[str], blocks: Sequence[int] = (0x10, 0x11)
) -> PrivateTag:
    """A private element in its usual block and the next: other systems that add a creator move a block up by one.

    Args:
        group: 16 bits, odd.
        offset: the last 8 bits of the element.
        creator: as in the vendor's conformance statement.
        manufacturer: fits the Manufacturer in upper case.
        blocks: where to look; more than two would have to be asked for tag by tag in every file.

    Example:
        >>> [str(tag) for tag in private_tag(0x0019, 0x0C, "SIEMENS MR HEADER", re.compile("SIEMENS")).tags]
        ['(0019,100C)', '(0019,0010)', '(0019,110C)', '(0019,0011)']
    """
    start = group << 16
    places = tuple((BaseTag(start | block << 8 | offset), BaseTag(start | block)) for block in blocks)
    return PrivateTag(creator.upper(), manufacturer, places)


def label(tag: BaseTag) -> str:
    """A tag as messages and provenance write it, such as `(0019,100C)`."""
    return f"({tag.group:04X},{tag.element:04X})"


def element_of(dataset: Dataset, tag: BaseTag) -> DataElement | None:
    """One element, or None if there is none.

    Raises:
        BValueError: if pydicom cannot decode it, or it is a sequence, whose items may be damaged as well.
    """
    if tag not in dataset:
        return None
    try:
        element = dataset[tag]
    except Exception as error:  # pydicom converts here, and raises many kinds on damaged input
        raise BValueError(f"{label(tag)} cannot be decoded") from error
    if element.VR == "SQ":
        raise BValueError(f"{label(tag)} holds a sequence")
    return element


def text_of(element: DataElement | None) -> str:
    """The text of an element without its padding; the empty string if there is none."""
    value = None if element is None else element.value
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return "" if value is None else str(value).strip("\0 ")


def made_by(dataset: Dataset, manufacturer: re.Pattern[str]) -> bool:
    """True if the Manufacturer (0008,0070) fits."""
    return bool(manufacturer.search(text_of(element_of(dataset, MANUFACTURER)).upper()))


def decimal_of(element: DataElement | None, *, first: bool = False) -> float | None:
    """The number in an element of decimal text (IS, DS), typed or raw; None if it is absent or of zero length.

    Args:
        element: may hold several values.
        first: take the first value; otherwise all have to be equal.

    Raises:
        BValueError: if it holds no number, or several.
    """
    parts = [] if element is None else _parts(element.value)
    if element is None or not parts:
        return None
    numbers = {number_of(part, element.tag) for part in (parts[:1] if first else parts)}
    if len(numbers) > 1:
        raise BValueError(f"{label(element.tag)} holds several values that differ")
    return numbers.pop()


def real_of(dataset: Dataset, element: DataElement | None, layout: str) -> float | None:
    """The number in an element of one float (FL) or double (FD), typed or raw; None if it is absent or of zero length.

    Args:
        dataset: that holds the element; raw bytes are in the byte order of its file (PS3.5 7.3).
        element: its value may be a number or bytes.
        layout: how `struct` calls it, `f` or `d`.

    Raises:
        BValueError: if it holds no such number, or several.
    """
    if element is None or not isinstance(element.value, bytes) or not element.value:
        return decimal_of(element)
    size = struct.calcsize(layout)
    if len(element.value) != size:
        raise BValueError(f"{label(element.tag)} holds {len(element.value)} raw bytes, not {size}")
    order = ">" if dataset.original_encoding[1] is False else "<"
    (number,) = struct.unpack(order + layout, element.value)
    if 0 < abs(number) < _SMALLEST_RAW:
        raise BValueError(f"{label(element.tag)} holds raw bytes that are no b-value")
    return number


def number_of(part: Any, tag: BaseTag) -> float:
    """One value as a number, whatever type pydicom gave it.

    Args:
        part: text must be a plain decimal number.
        tag: where it stands, for the message.

    Raises:
        BValueError: if it is no number.
    """
    if isinstance(part, str) and not _DECIMAL.fullmatch(part.strip("\0 ")):
        raise BValueError(f"{label(tag)} holds no number")
    try:
        return float(part.strip("\0 ") if isinstance(part, str) else part)
    except (TypeError, ValueError, OverflowError) as error:
        raise BValueError(f"{label(tag)} holds no number") from error


def stated(number: float | None, element: DataElement | None) -> BValue | None:
    """What one element states as a b-value; None if it states nothing.

    Args:
        number: s/mm^2.
        element: where it was read.

    Raises:
        BValueError: if the number is below -5, above 20,000 or not finite.
    """
    if number is None or element is None:
        return None
    tag = label(element.tag)
    if not -5 <= number <= 20_000:
        raise BValueError(f"{tag} holds {number:g}, which is no b-value")
    return BValue(number, tag)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace").rstrip("\0")
    if isinstance(value, str):
        return value.split("\\") if value else []
    if isinstance(value, (MultiValue, list, tuple)):
        return list(value)
    return [] if value is None else [value]
