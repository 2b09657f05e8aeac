"""Small files that would unpack to large things, and codestreams that lie about their size."""

import struct
import zlib
from pathlib import Path

from fuzzing.case import Case, NotApplicableError
from fuzzing.contents import header_bytes

_MEBI = 1 << 20
_SEQUENCE = b"\x08\x00\x40\x11"  # (0008,1140), before everything that is read but the character set
_ITEM, _ITEM_END, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"


def _after_meta(case: Case) -> tuple[Path, bytes, int, bool]:
    """An explicit or implicit little-endian file, and where its data set begins."""
    path = case.image()
    content = path.read_bytes()
    meta = case.dataset(path).file_meta
    syntax = meta.get("TransferSyntaxUID", "")
    length = meta.get("FileMetaInformationGroupLength")
    if content[128:132] != b"DICM" or length is None or syntax.endswith(".2.2") or syntax.endswith(".99"):
        raise NotApplicableError
    case.note = path.name
    return path, content, 144 + int(length), syntax == "1.2.840.10008.1.2"


def _put_in(case: Case, make) -> None:
    """Put bytes where group 0008 ends, so that the order of the elements holds."""
    path, content, begin, implicit = _after_meta(case)
    at = content.find(b"\x10\x00\x10\x00", begin)  # PatientName
    if at < 0:
        raise NotApplicableError
    case.put(path, content[:at] + make(implicit) + content[at:])


def _sequence(implicit: bool, length: int = 0xFFFFFFFF) -> bytes:
    return _SEQUENCE + (b"" if implicit else b"SQ\0\0") + struct.pack("<L", length)


def nested_sequences(case: Case) -> None:
    depth = case.random.choice((5, 17, 100, 900, 3000, 100_000))

    def make(implicit: bool) -> bytes:
        down = (_sequence(implicit) + _ITEM + struct.pack("<L", 0xFFFFFFFF)) * depth
        return down + (_ITEM_END + bytes(4) + _SEQUENCE_END + bytes(4)) * depth * case.random.choice((0, 1))

    _put_in(case, make)
    case.note += f" {depth} deep"


def nested_sequences_of_stated_length(case: Case) -> None:
    depth = case.random.choice((5, 100, 900, 3000))

    def make(implicit: bool) -> bytes:
        inner = b""
        for _ in range(depth):
            item = _ITEM + struct.pack("<L", len(inner)) + inner
            inner = _sequence(implicit, len(item)) + item
        return inner

    _put_in(case, make)
    case.note += f" {depth} deep"


def nested_frames(case: Case) -> None:
    """Sequences within the functional groups, which are parsed for certain."""
    path = case.image()
    content = path.read_bytes()
    at = content.find(b"\x00\x52\x30\x92SQ")
    if at < 0:
        raise NotApplicableError
    depth = case.random.choice((20, 300, 900, 5000))
    deep = (_sequence(False) + _ITEM + struct.pack("<L", 0xFFFFFFFF)) * depth
    item = content.find(_ITEM, at)
    case.put(path, content[: item + 8] + deep + content[item + 8 :])
    case.note = f"{depth} deep"


def many_items(case: Case) -> None:
    count = case.random.choice((1000, 100_000, 500_000))
    _put_in(case, lambda implicit: _sequence(implicit) + (_ITEM + bytes(4)) * count + _SEQUENCE_END + bytes(4))
    case.note += f" {count} items"


def many_elements(case: Case) -> None:
    count = case.random.choice((1000, 100_000, 500_000))

    def make(implicit: bool) -> bytes:
        return (b"\x09\x00\x10\x10" + (bytes(4) if implicit else b"LO" + bytes(2))) * count

    _put_in(case, make)
    case.note += f" {count} elements"


def many_values(case: Case) -> None:
    """A text of half a million values where a few are expected."""
    tag = case.random.choice(
        (b"\x08\x00\x08\x00CS", b"\x18\x00\x20\x00CS", b"\x20\x00\x32\x00DS", b"\x43\x00\x39\x10IS")
    )
    values = case.random.choice((b"1\\", b"\\", b"A\\")) * case.random.choice((30_000, 500_000))
    path = case.image()
    content = path.read_bytes()
    at = content.find(tag)
    if at < 0:
        raise NotApplicableError
    end = at + 8 + int.from_bytes(content[at + 6 : at + 8], "little")
    if len(values) <= 60_000:
        values = values.ljust(60_000)
        head = tag + struct.pack("<H", len(values))
    else:
        head = tag[:4] + b"UN\0\0" + struct.pack("<L", len(values))
    case.put(path, content[:at] + head + values + content[end:])


def long_value(case: Case) -> None:
    """A private element of many megabytes, or one that only says so."""
    size = case.random.choice((1, 20, 100)) * _MEBI
    there = case.random.choice((0, size))
    _put_in(
        case,
        lambda implicit: (
            b"\x09\x00\x10\x10" + (b"" if implicit else b"UN\0\0") + struct.pack("<L", size) + bytes(there)
        ),
    )


def deflated(case: Case) -> None:
    """The data set deflated, by the standard; followed by a great many zeros or not."""
    path, content, begin, _ = _after_meta(case)
    meta = content[132:begin]
    at = meta.find(b"\x02\x00\x10\x00UI")
    length = int.from_bytes(meta[at + 6 : at + 8], "little")
    name = b"1.2.840.10008.1.2.1.99"
    meta = meta[: at + 6] + struct.pack("<H", len(name)) + name + meta[at + 8 + length :]
    body = content[begin:] + bytes(case.random.choice((0, 100 * _MEBI)))
    packer = zlib.compressobj(1, wbits=-15)
    case.put(path, content[:132] + meta + packer.compress(body) + packer.flush())


def more_frames_than_pixels(case: Case) -> None:
    path = case.image()
    dataset = case.dataset(path)
    if "PixelData" not in dataset:
        raise NotApplicableError
    dataset.NumberOfFrames = case.random.choice((2, 1000, 9_999, 10_001, 10**9))
    case.save(path, dataset)


_MARKERS = {b"\xff\x51": 8, b"\xff\xf7": 5, b"\xff\xc0": 5, b"\xff\xc1": 5, b"\xff\xc3": 5}
"""J2K SIZ, JPEG-LS SOF55 and JPEG SOF, and how far behind the marker the size stands."""


def _codestream(case: Case) -> tuple[Path, bytes, int]:
    path = case.image()
    content = path.read_bytes()
    syntax = str(case.dataset(path).file_meta.get("TransferSyntaxUID", ""))
    if ".1.2.4." not in syntax and not syntax.endswith(".1.2.5"):
        raise NotApplicableError
    case.note = path.name
    return path, content, header_bytes(content)


def codestream_of_another_size(case: Case) -> None:
    path, content, begin = _codestream(case)
    found = [(at, behind) for marker, behind in _MARKERS.items() if (at := content.find(marker, begin)) > 0]
    if not found:
        raise NotApplicableError
    at, behind = case.random.choice(found)
    size = case.random.choice((0, 1, 7, 25, 100, 4096, 65_535))
    spoilt = bytearray(content)
    if behind == 8:
        large = case.random.choice((size, 2**20, 2**31 - 1, 2**32 - 1))
        which = case.random.choice((6, 10, 22, 26))  # the image or the tile, wide or high
        spoilt[at + which : at + which + 4] = struct.pack(">L", large)
        if case.random.random() < 0.3:
            spoilt[at + 6 : at + 14] = struct.pack(">LL", large, large)
    else:
        spoilt[at + 5 : at + 9] = struct.pack(">HH", size, case.random.choice((size, 65_535)))
    case.put(path, bytes(spoilt))


def codestream_of_more_components(case: Case) -> None:
    path, content, begin = _codestream(case)
    spoilt = bytearray(content)
    at = max(content.find(marker, begin) for marker in _MARKERS)
    if at < 0:
        raise NotApplicableError
    offset = 38 if content[at : at + 2] == b"\xff\x51" else 9
    spoilt[at + offset : at + offset + 2] = case.random.choice((b"\x00\x03", b"\xff\xff", b"\x40\x00", b"\x00\x00"))
    case.put(path, bytes(spoilt))


def spoilt_codestream(case: Case) -> None:
    path, content, begin = _codestream(case)
    spoilt = bytearray(content)
    for _ in range(case.random.choice((1, 1, 2, 10, 200))):
        spoilt[case.random.randrange(begin, min(len(spoilt), begin + case.random.choice((80, 10**9))))] = (
            case.random.randrange(256)
        )
    case.put(path, bytes(spoilt))


def largest_image_in_a_codestream(case: Case) -> None:
    """Header and codestream agree: a small file that says it is a large picture."""
    path, content, begin = _codestream(case)
    spoilt = bytearray(content)
    side = case.random.choice((4096, 16_000, 20_000, 65_000))
    for marker, behind in _MARKERS.items():
        if (at := content.find(marker, begin)) > 0:
            if behind == 8:
                spoilt[at + 6 : at + 14] = struct.pack(">LL", side, side)
                spoilt[at + 22 : at + 30] = struct.pack(">LL", side, side)
            else:
                spoilt[at + 5 : at + 9] = struct.pack(">HH", side, side)
    for tag in (b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x11\x00US\x02\x00"):
        if (at := content.find(tag)) > 0:
            spoilt[at + 8 : at + 10] = struct.pack("<H", side)
    case.put(path, bytes(spoilt))
    case.note += f" {side}"


def spoilt_fragments(case: Case) -> None:
    """The items that hold the codestreams: lengths, offset table, delimiter."""
    path, content, begin = _codestream(case)
    places = []
    at = content.find(_ITEM, begin)
    while at > 0 and len(places) < 50:
        places.append(at)
        at = content.find(_ITEM, at + 4)
    if not places:
        raise NotApplicableError
    at = case.random.choice(places)
    spoilt = bytearray(content)
    what = case.random.choice(("length", "drop", "no end", "double"))
    length = int.from_bytes(content[at + 4 : at + 8], "little")
    if what == "length":
        stated = case.random.choice((0, 1, length + 2, 0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF))
        spoilt[at + 4 : at + 8] = struct.pack("<L", stated)
    elif what == "drop":
        del spoilt[at : at + 8 + length]
    elif what == "double":
        spoilt[at:at] = spoilt[at : at + 8 + length]
    else:
        spoilt = spoilt[:-8]
    case.put(path, bytes(spoilt))
    case.note += f" {what}"


KINDS = (
    nested_sequences, nested_sequences_of_stated_length, nested_frames, many_items, many_elements, many_values,
    long_value, deflated, more_frames_than_pixels, codestream_of_another_size, codestream_of_more_components,
    spoilt_codestream, largest_image_in_a_codestream, spoilt_fragments,
)  # fmt: skip
