"""The elements that reading needs, out of one DICOM file, quicker than a whole parse.

A scan walks over the top-level elements (PS3.5 7.1), keeps those that are asked for and lets pydicom convert them; as
the images of a series share most of their values, each distinct value is converted once. What is out of the ordinary
(no preamble, big endian, damage) is left to pydicom altogether.
"""

import io
import os
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
from pydicom.valuerep import EXPLICIT_VR_LENGTH_16, EXPLICIT_VR_LENGTH_32

from prostate_alm.studies.headers import FormError

_PREAMBLE = 132
_CHUNK = 1 << 15
_PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
_LONGEST_VALUE = 1 << 20
_LONGEST_CACHED = 256
_CHARSET, _SYNTAX = 0x00080005, 0x00020010
_DELIMITERS, _ITEM_END, _UNDEFINED = 0xFFFE, 0xFFFEE00D, 0xFFFFFFFF
_ITEM, _SEQUENCE_END = 0xE000FFFE, 0xE0DDFFFE
"""Group and element of little endian, read as one number."""
_LONG = {vr.value.encode(): vr.value for vr in EXPLICIT_VR_LENGTH_32}
_SHORT = {vr.value.encode(): vr.value for vr in EXPLICIT_VR_LENGTH_16}
_EXPLICIT, _LENGTH = struct.Struct("<HH2sH").unpack_from, struct.Struct("<L").unpack_from
_ITEM_HEAD = struct.Struct("<LL").unpack
_DEEPEST = 16
_MOST_STRETCHES = 2000
"""Stretches of 32 KiB of a header, up to some eight million elements: three seconds. A frame takes a tenth of one."""
_MOST_READS = 300_000
"""pydicom reads a frame in 65 (Canon) to 300 (Philips) pieces of some 5 microseconds: at least a thousand frames."""


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
        FormError: more elements than any image has.
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
        FormError: more elements than any image has.
        Exception: pydicom raises many kinds on damaged input.
    """
    with BoundedFile(path) as file:
        force = file.read(_PREAMBLE)[128:] != b"DICM"
        file.seek(0)
        return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=sorted(tags), force=force)


class BoundedFile(io.BufferedReader):
    """A file for pydicom, which would inflate one to any size, set aside memory for any stated length, and take a
    minute over a header of a million elements.

    Args:
        path: the file.

    Raises:
        DeflatedError: from `read`, if asked for all the rest: pydicom does so only to inflate it, wherever its syntax
            stands.
        FormError: from `read`, called more often than for any header.
    """

    def __init__(self, path: Path) -> None:
        file = io.FileIO(path)
        super().__init__(file)
        self._left, self._size = _MOST_READS, os.fstat(file.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes."""
        if size is None or size < 0:
            raise DeflatedError("deflated")
        self._left -= 1
        if self._left < 0:
            raise FormError("its header has too many elements")
        return super().read(min(size, self._size))


class _Window:
    """A stretch of a file's bytes that moves on with the scan."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, _MOST_STRETCHES
        self.start = 0
        self.bytes = file.read(_CHUNK)

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes.

        Raises:
            _UnusualError: if the file ends before, or they are very many.
        """
        if length > _LONGEST_VALUE:
            raise _UnusualError("a very long value")
        begin = offset - self.start
        if begin < 0 or begin + length > len(self.bytes):
            begin = self.move(offset, length)
        piece = self.bytes[begin : begin + length]
        if len(piece) < length:
            raise _UnusualError("the file ends within an element")
        return piece

    def move(self, offset: int, length: int = 0) -> int:
        """Begin the window at an offset; returns where that stands in it, 0."""
        self._left -= 1
        if self._left < 0:
            raise FormError("its header has too many elements")
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
        if tag in _PIXELS:
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
    if b"\0" in charset.strip(b"\0 "):  # looking such a name up ends in an error, and pydicom's whole reading with it
        raise _UnusualError("a null character within the character set")
    elements = {
        BaseTag(tag): _element(tag, vr, value, implicit, charset if vr != "DS" else b"")
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


def _element(tag: int, vr: str | None, value: bytes, implicit: bool, charset: bytes) -> DataElement | RawDataElement:
    """An element; as pydicom has it, what cannot be converted fails only when it is asked for."""
    if vr in (None, "UN") and tag & 0x10000:  # what a private element holds depends on its creator
        return _raw(tag, vr, value, implicit)
    try:
        if len(value) > _LONGEST_CACHED:
            return convert_raw_data_element(_raw(tag, vr, value, implicit), encoding=_encodings(charset))
        return _converted(tag, vr, value, implicit, charset)
    except Exception:  # pydicom raises many kinds
        return _raw(tag, vr, value, implicit)


@lru_cache(maxsize=8192)
def _converted(tag: int, vr: str | None, value: bytes, implicit: bool, charset: bytes) -> DataElement:
    return convert_raw_data_element(_raw(tag, vr, value, implicit), encoding=_encodings(charset))


def _raw(tag: int, vr: str | None, value: bytes, implicit: bool) -> RawDataElement:
    return RawDataElement(BaseTag(tag), vr, len(value), value, 0, implicit, True)


@lru_cache(maxsize=64)
def _encodings(charset: bytes) -> list[str]:
    names = charset.decode("ascii").strip("\0 ").split("\\") if charset else [""]
    return convert_encodings([name.strip() for name in names])
