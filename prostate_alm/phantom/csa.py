"""Siemens' CSA header in its SV10 format: a list of named elements, every value a text.

The format is known from its readers (nibabel, "Siemens format DICOM with CSA header") and from real files: no
document of the vendor describes it.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

# value representation -> the vendor's number of that type, and how its values are printed
_TYPES = {"IS": (6, "<8d"), "US": (10, "<8d"), "FD": (4, ".8f"), "CS": (16, ""), "LO": (19, ""), "SH": (22, "")}
_FILLED, _EMPTY = 77, 205
_LEAST_ITEMS = 6  # a filled element has at least six items, the spare ones without text


@dataclass(frozen=True)
class Element:
    """One named element.

    Args:
        name: at most 63 characters, for example `B_value`.
        vr: IS, US, FD, CS, LO or SH.
        values: numbers or texts; none for an element that is named but empty.
        multiplicity: how many values the element is meant to have; 0 says any number.
    """

    name: str
    vr: str
    values: tuple[float | str, ...] = ()
    multiplicity: int = 1


def encode_csa(elements: Iterable[Element]) -> bytes:
    """The bytes of (0029,1010) CSA Image Header Info.

    Args:
        elements: in the order in which they are written.

    Example:
        >>> encode_csa([Element("B_value", "IS", (600,))])[:16]
        b'SV10\\x04\\x03\\x02\\x01\\x01\\x00\\x00\\x00M\\x00\\x00\\x00'
    """
    encoded = [_element(element) for element in elements]
    return b"SV10\4\3\2\1" + struct.pack("<2I", len(encoded), _FILLED) + b"".join(encoded) + bytes(4)


def _element(element: Element) -> bytes:
    code, pattern = _TYPES[element.vr]
    texts = [format(value, pattern).encode("ascii") + b"\0" for value in element.values]
    if texts:
        texts += [b""] * (_LEAST_ITEMS - len(texts))
    vr = element.vr.encode("ascii")
    mark = _FILLED if texts else _EMPTY
    name = element.name.encode("ascii")
    head = struct.pack("<64si4s3i", name, element.multiplicity, vr, code, len(texts), mark)
    return head + b"".join(_item(text) for text in texts)


def _item(text: bytes) -> bytes:
    length = len(text)
    padding = bytes(-length % 4)
    return struct.pack("<4i", length, length, _FILLED if text else _EMPTY, length) + text + padding
