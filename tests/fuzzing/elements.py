"""Mutations of single elements in the bytes of a file: dropped, doubled, swapped, with a wrong VR or length."""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataelem import RawDataElement

from fuzzing.case import Case, NotApplicableError
from prostate_alm.studies import bvalues
from prostate_alm.studies.dicom import instances

_SHORT = frozenset(
    ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST")
)
_LONG = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
_VRS = (*sorted(_SHORT), "TM", "UI", "UL", "US", *sorted(_LONG), "ZZ")
_MATTERS = frozenset((*instances._KEYWORD, *(group << 16 | element for group, element in bvalues.TAGS)))
_JUNK = (
    b"", b" ", b"\0\0", b"NaN ", b"inf ", b"-inf", b"1e999 ", b"-1", b"0 ", b"99999999999999999999", b"0x10", b"1,5 ",
    b"\\\\\\\\", b"1\\2\\3\\4\\5\\6\\7 ", b"\xff\xfe\xff\xff", b"\xe2\x80\xa8\xe2\x80\xa8", "\uff11\uff12".encode(),
    b"1e-320", b"../../../etc/passwd ", b"<script>alert(1)</script> ", b"%s%n%x", b"A" * 70_000, b"\x1b$B\x1b(B",
    b"1\n2 ",
)  # fmt: skip


@dataclass(frozen=True)
class Spot:
    """An element of the top level: where it begins, where its value does, and where it ends."""

    tag: int
    vr: str | None
    start: int
    value: int
    end: int


def spots(path: Path) -> list[Spot]:
    """The elements of a file with a stated length."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, force=True)
    except Exception as error:
        raise NotApplicableError from error
    found: list[Spot] = []
    size = path.stat().st_size
    for part in (dataset.file_meta, dataset):
        for tag in list(part.keys()):
            raw = part.get_item(tag)
            if isinstance(raw, RawDataElement) and raw.value_tell and raw.value_tell + raw.length <= size:
                start = raw.value_tell - (12 if raw.VR in _LONG and not raw.is_implicit_VR else 8)
                found.append(Spot(int(tag), raw.VR, start, raw.value_tell, raw.value_tell + raw.length))
    if not found:
        raise NotApplicableError
    return found


def _choose(case: Case, among: list[Spot]) -> Spot:
    """Any element, three times of four one that is read."""
    if not among:
        raise NotApplicableError
    weighty = [spot for spot in among if spot.tag in _MATTERS]
    spot = case.random.choice(weighty if weighty and case.random.random() < 0.75 else among)
    case.note = f"{spot.tag >> 16:04X},{spot.tag & 0xFFFF:04X} {case.note}"
    return spot


def _with(content: bytes, spot: Spot, value: bytes) -> bytes:
    """The file with another value in an element."""
    value += b" " * (len(value) % 2)
    head = bytearray(content[spot.start : spot.value])
    order = (
        ">" if content[spot.start : spot.start + 2] == struct.pack(">H", spot.tag >> 16) and spot.tag >> 16 > 2 else "<"
    )
    if spot.value - spot.start == 8 and spot.vr is not None and head[4:6] == spot.vr.encode():
        if len(value) > 0xFFFE:
            value = value[:0xFFFE]
        head[6:8] = struct.pack(order + "H", len(value))
    else:
        head[-4:] = struct.pack(order + "L", len(value))
    return content[: spot.start] + bytes(head) + value + content[spot.end :]


def drop_an_element(case: Case) -> None:
    path = case.image()
    content = path.read_bytes()
    spot = _choose(case, spots(path))
    case.put(path, content[: spot.start] + content[spot.end :])


def drop_an_element_of_a_series(case: Case) -> None:
    """Of all files of a folder, as careless de-identification does."""
    files = case.series()
    tag = _choose(case, spots(files[0])).tag
    for path in files:
        content = path.read_bytes()
        for spot in (spot for spot in spots(path) if spot.tag == tag):
            case.put(path, content[: spot.start] + content[spot.end :])


def double_an_element(case: Case) -> None:
    path = case.image()
    content = path.read_bytes()
    spot = _choose(case, spots(path))
    again = content[spot.start : spot.value] + case.random.randbytes(spot.end - spot.value)
    case.put(path, content[: spot.end] + again + content[spot.end :])


def swap_the_tags_of_two_elements(case: Case) -> None:
    path = case.image()
    content = bytearray(path.read_bytes())
    found = spots(path)
    one, other = _choose(case, found), _choose(case, found)
    content[one.start : one.start + 4], content[other.start : other.start + 4] = (
        content[other.start : other.start + 4], content[one.start : one.start + 4],
    )  # fmt: skip
    case.put(path, bytes(content))


def swap_the_values_of_two_elements(case: Case) -> None:
    path = case.image()
    found = spots(path)
    one, other = sorted((_choose(case, found), _choose(case, found)), key=lambda spot: spot.start)
    if one == other:
        raise NotApplicableError
    content = path.read_bytes()
    first, second = content[one.value : one.end], content[other.value : other.end]
    content = _with(content, other, first)
    case.put(path, _with(content, one, second))


def move_an_element_to_the_end_of_the_header(case: Case) -> None:
    path = case.image()
    content = path.read_bytes()
    found = spots(path)
    spot = _choose(case, found)
    end = max((other.end for other in found if other.tag < 0x7FE00000), default=spot.end)
    moved = content[: spot.start] + content[spot.end : end] + content[spot.start : spot.end] + content[end:]
    case.put(path, moved)


def wrong_vr(case: Case) -> None:
    path = case.image()
    content = bytearray(path.read_bytes())
    spot = _choose(case, [spot for spot in spots(path) if spot.vr is not None])
    if content[spot.start + 4 : spot.start + 6] != (spot.vr or "").encode():
        raise NotApplicableError
    vr = case.random.choice(_VRS)
    content[spot.start + 4 : spot.start + 6] = vr.encode()
    case.put(path, bytes(content))
    case.note += f" {vr}"


def wrong_vr_with_its_own_length(case: Case) -> None:
    """The element stays whole: only its VR, and with it the form of its length, is another."""
    path = case.image()
    content = path.read_bytes()
    spot = _choose(case, [spot for spot in spots(path) if spot.vr is not None])
    if content[spot.start + 4 : spot.start + 6] != (spot.vr or "").encode():
        raise NotApplicableError
    vr, length = case.random.choice(_VRS), spot.end - spot.value
    tail = b"\0\0" + struct.pack("<L", length) if vr in _LONG else struct.pack("<H", length & 0xFFFF)
    head = content[spot.start : spot.start + 4] + vr.encode() + tail
    case.put(path, content[: spot.start] + head + content[spot.value :])
    case.note += f" {vr}"


def wrong_length(case: Case) -> None:
    path = case.image()
    content = bytearray(path.read_bytes())
    spot = _choose(case, spots(path))
    length = spot.end - spot.value
    stated = case.random.choice(
        (0, length + 1, length + 2, max(0, length - 1), 2 * length, 0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, 0x80000000,
         0x10000, len(content), 600 << 20)
    )  # fmt: skip
    short = spot.value - spot.start == 8 and content[spot.start + 4 : spot.start + 6] == (spot.vr or "--").encode()
    if short:
        content[spot.value - 2 : spot.value] = struct.pack("<H", min(stated, 0xFFFF))
    else:
        content[spot.value - 4 : spot.value] = struct.pack("<L", stated)
    case.put(path, bytes(content))
    case.note += f" length {stated}"


def junk_in_an_element(case: Case) -> None:
    path = case.image()
    spot = _choose(case, spots(path))
    junk = case.random.choice((*_JUNK, case.random.randbytes(8), case.random.randbytes(4)))
    case.put(path, _with(path.read_bytes(), spot, junk))
    case.note += f" {junk[:20]!r}"


def junk_in_an_element_of_a_series(case: Case) -> None:
    files = case.series()
    tag, junk = _choose(case, spots(files[0])).tag, case.random.choice(_JUNK)
    for path in files:
        for spot in (spot for spot in spots(path) if spot.tag == tag):
            case.put(path, _with(path.read_bytes(), spot, junk))
    case.note += f" {junk[:20]!r}"


def value_of_another_file(case: Case) -> None:
    """An element takes the value that it has in another file of the study."""
    path, other = case.image(), case.image()
    spot = _choose(case, spots(path))
    theirs = [found for found in spots(other) if found.tag == spot.tag]
    if path == other or not theirs:
        raise NotApplicableError
    value = other.read_bytes()[theirs[0].value : theirs[0].end]
    case.put(path, _with(path.read_bytes(), spot, value))


KINDS = (
    drop_an_element, drop_an_element_of_a_series, double_an_element, swap_the_tags_of_two_elements,
    swap_the_values_of_two_elements, move_an_element_to_the_end_of_the_header, wrong_vr, wrong_vr_with_its_own_length,
    wrong_length, junk_in_an_element, junk_in_an_element_of_a_series, value_of_another_file,
)  # fmt: skip
