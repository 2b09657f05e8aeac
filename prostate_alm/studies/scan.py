"""The elements that reading needs, out of one DICOM file, quicker than a whole parse.

A scan walks over the top-level elements (PS3.5 7.1), keeps those that are asked for and lets pydicom convert them; as
the images of a series share most of their values, each distinct value is converted once. What is out of the ordinary
(no preamble, big endian, damage) is left to pydicom altogether.
"""

import io
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

_PREAMBLE = 132
_CHUNK = 1 << 15
_PIXELS = 0x7FE00000
_LONGEST_VALUE = 1 << 20
_CHARSET, _SYNTAX = 0x00080005, 0x00020010
_DELIMITERS, _ITEM_END, _UNDEFINED = 0xFFFE, 0xFFFEE00D, 0xFFFFFFFF
_ITEM, _SEQUENCE_END = 0xE000FFFE, 0xE0DDFFFE
"""Group and element of little endian, read as one number."""
_LONG = {vr.encode(): vr for vr in "OB OD OF OL OV OW SQ SV UC UN UR UT UV".split()}
_SHORT = {vr.encode(): vr for vr in "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()}
_EXPLICIT, _LENGTH = struct.Struct("<HH2sH").unpack_from, struct.Struct("<L").unpack_from
_ITEM_HEAD = struct.Struct("<LL").unpack
_DEEPEST = 16


class DeflatedError(ValueError):
    """A deflated data set can unpack to any size, so it is not read."""


class _UnusualError(ValueError):
    """The scan is not sure of what it sees."""


def read_elements(path: Path, tags: frozenset[int]) -> Dataset:
    """The asked-for elements of a DICOM file, with its meta group.

    Args:
        path: the file.
        tags: top-level tags that hold no sequence, all before the pixel data; the character set comes with them.

    Raises:
        DeflatedError: a deflated transfer syntax.
        Exception: pydicom raises many kinds on damaged input.
    """
    try:
        with path.open("rb") as file:
            return _scan(_Window(file), tags)
    except (_UnusualError, struct.error, UnicodeError, LookupError):
        return parse(path, tags)


def parse(path: Path, tags: frozenset[int]) -> Dataset:
    """The same by pydicom alone, sequences included.

    Raises:
        DeflatedError: a deflated transfer syntax.
        Exception: pydicom raises many kinds on damaged input.
    """
    with _Sized(io.FileIO(path)) as file:
        force = file.read(_PREAMBLE)[128:] != b"DICM"
        file.seek(0)
        return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=sorted(tags), force=force)


class _Sized(io.BufferedReader):
    """A file that nobody reads to its end at once: pydicom does so only to inflate it, wherever its syntax stands."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise DeflatedError("deflated")
        return super().read(size)


class _Window:
    """A stretch of a file's bytes that moves on with the scan."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.start = 0
        self.bytes = file.read(_CHUNK)

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes.

        Raises:
            _UnusualError: if the file ends before.
        """
        begin = offset - self.start
        if begin < 0 or begin + length > len(self.bytes):
            begin = self.move(offset, length)
        piece = self.bytes[begin : begin + length]
        if len(piece) < length:
            raise _UnusualError("the file ends within an element")
        return piece

    def move(self, offset: int, length: int = 0) -> int:
        """Begin the window at an offset; returns where that stands in it, 0."""
        self._file.seek(offset)
        self.start, self.bytes = offset, self._file.read(max(_CHUNK, length))
        return 0


def _scan(window: _Window, tags: frozenset[int]) -> Dataset:
    if window.at(0, _PREAMBLE)[128:] != b"DICM":
        raise _UnusualError("no preamble")
    meta: dict[int, tuple[str | None, bytes]] = {}
    offset = _PREAMBLE
    while window.at(offset, 2) == b"\2\0":  # what follows the group may be implicit
        tag, vr, length, value = next(_elements(window, offset, implicit=False))
        meta[tag] = vr, window.at(value, length)
        offset = value + length
    syntax = meta[_SYNTAX][1].rstrip(b"\0 ").decode("ascii")
    if syntax == DeflatedExplicitVRLittleEndian:
        raise DeflatedError("deflated")
    if syntax == ExplicitVRBigEndian:
        raise _UnusualError("big endian")
    implicit = syntax == ImplicitVRLittleEndian
    if implicit and window.at(offset, 6)[4:].isalpha():
        raise _UnusualError("explicit after all")
    found: dict[int, tuple[str | None, bytes]] = {}
    for tag, vr, length, value in _elements(window, offset, implicit):
        if tag >= _PIXELS:
            break
        if tag in tags or tag == _CHARSET:
            if length > _LONGEST_VALUE or vr == "SQ":  # undefined lengths are the longest
                raise _UnusualError("a sequence or a very long value")
            found[tag] = vr, window.at(value, length)
    return _dataset(found, meta, implicit)


def _elements(
    window: _Window, offset: int, implicit: bool, depth: int = 0
) -> Iterator[tuple[int, str | None, int, int]]:
    """Tag, VR, length of the value and where it begins, one element after the other (PS3.5 7.1.2 and 7.1.3)."""
    while True:
        index = offset - window.start
        if not 0 <= index <= len(window.bytes) - 12:
            index = window.move(offset)
            if not window.bytes:
                return
        group, number, vr, length = _EXPLICIT(window.bytes, index)
        value = offset + 8
        name = None
        if implicit or group == _DELIMITERS:
            (length,) = _LENGTH(window.bytes, index + 4)
        elif vr in _SHORT:
            name = _SHORT[vr]
        elif vr in _LONG:
            name = _LONG[vr]
            (length,) = _LENGTH(window.bytes, index + 8)
            value += 4
        else:
            raise _UnusualError("no value representation")
        yield group << 16 | number, name, length, value
        offset = value + length if length != _UNDEFINED else _after_sequence(window, value, implicit, depth + 1)


def _after_sequence(window: _Window, offset: int, implicit: bool, depth: int) -> int:
    """Where the element after a sequence of undefined length begins (PS3.5 7.5)."""
    if depth > _DEEPEST:
        raise _UnusualError("sequences within sequences")
    while True:
        tag, length = _ITEM_HEAD(window.at(offset, 8))
        offset += 8
        if tag == _SEQUENCE_END:
            return offset
        if tag != _ITEM:
            raise _UnusualError("no item")
        offset = offset + length if length != _UNDEFINED else _after_item(window, offset, implicit, depth)


def _after_item(window: _Window, offset: int, implicit: bool, depth: int) -> int:
    for tag, _, _, value in _elements(window, offset, implicit, depth):
        if tag == _ITEM_END:
            return value
    raise _UnusualError("an item without an end")


def _dataset(
    found: dict[int, tuple[str | None, bytes]], meta: dict[int, tuple[str | None, bytes]], implicit: bool
) -> Dataset:
    charset = found.get(_CHARSET, (None, b""))[1]
    elements = {
        BaseTag(tag): _converted(tag, vr, value, implicit, charset if vr != "DS" else b"")
        for tag, (vr, value) in found.items()
    }
    dataset = Dataset(elements)  # pyright: ignore[reportArgumentType]
    dataset.set_original_encoding(implicit, True)
    file_meta = FileMetaDataset()
    for tag in (0x00020002, _SYNTAX):
        if tag in meta:
            file_meta[tag] = _converted(tag, meta[tag][0], meta[tag][1], False, b"")
    dataset.file_meta = file_meta
    return dataset


@lru_cache(maxsize=8192)
def _converted(tag: int, vr: str | None, value: bytes, implicit: bool, charset: bytes) -> DataElement:
    raw = RawDataElement(BaseTag(tag), vr, len(value), value, 0, implicit, True)
    return convert_raw_data_element(raw, encoding=_encodings(charset))


@lru_cache(maxsize=64)
def _encodings(charset: bytes) -> list[str]:
    names = charset.decode("ascii").strip("\0 ").split("\\") if charset else [""]
    return convert_encodings([name.strip() for name in names])
