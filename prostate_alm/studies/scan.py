"""The elements that reading needs, out of one DICOM file, quicker than a whole parse.

A scan walks over the top-level elements (PS3.5 7.1), keeps those that are asked for and lets pydicom convert them; as
the images of a series share most of their values, each distinct value is converted once. What is out of the ordinary
(no preamble, big endian, damage) is left to pydicom altogether.
"""

import struct
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
_ITEM, _ITEM_END, _SEQUENCE_END, _UNDEFINED = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0xFFFFFFFF
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT = frozenset(
    (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
     b"ST", b"TM", b"UI", b"UL", b"US")
)  # fmt: skip
_DEEPEST = 16


class DeflatedError(ValueError):
    """A deflated data set can unpack to any size, so it is not read."""


class _UnusualError(ValueError):
    """The scan is not sure of what it sees."""


def read_elements(path: Path, tags: frozenset[int]) -> Dataset:
    """The asked-for elements of a DICOM file, with its meta group.

    Args:
        path: the file.
        tags: top-level tags that hold no sequence, all before the pixel data.

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
    with path.open("rb") as file:
        start = file.read(1024)
        if DeflatedExplicitVRLittleEndian.encode() in start:
            raise DeflatedError("deflated")
        file.seek(0)
        force = start[128:_PREAMBLE] != b"DICM"
        return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=sorted(tags), force=force)


class _Window:
    """Bytes of a file by their offset, read in pieces as the scan moves on."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = 0
        self._bytes = file.read(_CHUNK)

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes.

        Raises:
            _UnusualError: if the file ends before.
        """
        begin = offset - self._start
        if begin < 0 or begin + length > len(self._bytes):
            self._file.seek(offset)
            self._start, begin = offset, 0
            self._bytes = self._file.read(max(_CHUNK, length))
        piece = self._bytes[begin : begin + length]
        if len(piece) < length:
            raise _UnusualError("the file ends within an element")
        return piece

    def ended(self, offset: int) -> bool:
        """True if nothing stands at this offset."""
        return not self._bytes[offset - self._start :] and not self._file.read(1)


def _scan(window: _Window, tags: frozenset[int]) -> Dataset:
    if window.at(0, _PREAMBLE)[128:] != b"DICM":
        raise _UnusualError("no preamble")
    meta: dict[int, tuple[str | None, bytes]] = {}
    offset = _PREAMBLE
    while window.at(offset, 2) == b"\x02\x00":
        tag, vr, length, offset = _element(window, offset, implicit=False)
        meta[tag] = vr, window.at(offset, length)
        offset += length
    syntax = meta[_SYNTAX][1].rstrip(b"\0 ").decode("ascii")
    if syntax == DeflatedExplicitVRLittleEndian:
        raise DeflatedError("deflated")
    if syntax == ExplicitVRBigEndian:
        raise _UnusualError("big endian")
    implicit = syntax == ImplicitVRLittleEndian
    found: dict[int, tuple[str | None, bytes]] = {}
    while not window.ended(offset):
        tag, vr, length, offset = _element(window, offset, implicit)
        if tag >= _PIXELS:
            break
        if length == _UNDEFINED:
            offset = _after_sequence(window, offset, implicit, depth=1)
        else:
            if tag in tags:
                if vr == "SQ" or length > _LONGEST_VALUE:
                    raise _UnusualError("a sequence or a very long value")
                found[tag] = vr, window.at(offset, length)
            offset += length
    return _dataset(found, meta, implicit)


def _element(window: _Window, offset: int, implicit: bool) -> tuple[int, str | None, int, int]:
    """Tag, VR, length of the value and where it begins (PS3.5 7.1.2 and 7.1.3)."""
    start = window.at(offset, 8)
    group, number, length = struct.unpack("<HHL", start)
    tag = group << 16 | number
    if implicit or group == 0xFFFE:
        return tag, None, length, offset + 8
    vr = start[4:6]
    if vr in _SHORT:
        return tag, vr.decode("ascii"), length >> 16, offset + 8
    if vr in _LONG:
        (length,) = struct.unpack("<L", window.at(offset + 8, 4))
        return tag, vr.decode("ascii"), length, offset + 12
    raise _UnusualError("no value representation")


def _after_sequence(window: _Window, offset: int, implicit: bool, depth: int) -> int:
    """Where the element after a sequence of undefined length begins (PS3.5 7.5)."""
    if depth > _DEEPEST:
        raise _UnusualError("sequences within sequences")
    while True:
        tag, _, length, offset = _element(window, offset, implicit=True)
        if tag == _SEQUENCE_END:
            return offset
        if tag != _ITEM:
            raise _UnusualError("no item")
        offset = _after_item(window, offset, implicit, depth) if length == _UNDEFINED else offset + length


def _after_item(window: _Window, offset: int, implicit: bool, depth: int) -> int:
    while True:
        tag, _, length, offset = _element(window, offset, implicit)
        if tag == _ITEM_END:
            return offset
        offset = _after_sequence(window, offset, implicit, depth + 1) if length == _UNDEFINED else offset + length


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
