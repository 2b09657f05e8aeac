"""What a mutation changed by the file's own word, read by pydicom alone; from it follows what may differ."""

import hashlib
import io
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial

from prostate_alm.studies import bvalues
from prostate_alm.studies.dicom import instances

PIXELS = frozenset(
    (0x7FE00010, 0x7FE00008, 0x7FE00009, 0x7FE00001, 0x7FE00002, 0x00020010, 0x00280002, 0x00280004, 0x00280006,
     0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00281052, 0x00281053, 0x2005100E, 0x20050010, 0x00080070)
)  # fmt: skip
PLACE = frozenset((0x00200032, 0x00200037, 0x00280030, 0x00180088, 0x00291010, 0x00290010, 0x00651051, 0x0019100A))
SHAPE = frozenset((0x00280008, 0x00280010, 0x00280011))
B_VALUES = frozenset(group << 16 | element for group, element in bvalues.TAGS)
OF_A_FRAME = frozenset((0x52009230, 0x00651051))
READ = PIXELS | PLACE | SHAPE | B_VALUES | frozenset(instances._KEYWORD)


_BOMB = 3 << 20
_DEFLATED = b"1.2.840.10008.1.2.1.99"


@dataclass(frozen=True)
class Allowance:
    """What may differ from the unmutated reading.

    Args:
        slices: how many slices may hold other voxels.
        place: True if corners may move within the tolerance.
        b_value: True if a b-value may move within its bin.
        shorter: True if a volume may have lost slices at its ends.
        anything: True if a file of many images states something else about all of them.
        gone: the files that were taken away.
    """

    slices: int = 0
    place: bool = False
    b_value: bool = False
    shorter: bool = False
    anything: bool = False
    gone: frozenset[str] = frozenset()

    def __or__(self, other: "Allowance") -> "Allowance":
        return Allowance(
            self.slices + other.slices,
            self.place or other.place,
            self.b_value or other.b_value,
            self.shorter or other.shorter,
            self.anything or other.anything,
            self.gone | other.gone,
        )


def allowance(before: Path, after: Path) -> Allowance:
    """Compare two folders: files of the same content are the same wherever they lie, others go by their place."""
    old, new = files_below(before), files_below(after)
    kept = set(new.values())  # a link to a file of the source is that file
    contents = {_content(after / path) for path, identity in new.items() if identity not in set(old.values())}
    total = Allowance()
    for path, identity in old.items():
        if identity in kept or _content(before / path) in contents:
            continue
        total |= (
            _of_file(before / path, after / path) if path in new else Allowance(shorter=True, gone=frozenset([path]))
        )
    return total


def files_below(folder: Path) -> dict[str, int]:
    """Place and inode of each file, also in folders that are deeper than Python's own walk can go."""
    found: dict[str, int] = {}
    folders = [folder]
    while folders:
        for entry in os.scandir(folders.pop()):
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                found[os.path.relpath(entry.path, folder)] = entry.inode()
    return found


def _content(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _of_file(before: Path, after: Path) -> Allowance:
    if after.stat().st_size > before.stat().st_size + _BOMB or _DEFLATED in after.read_bytes()[:1024]:
        return Allowance()  # nothing that is read may have changed, and pydicom would take minutes to say so
    if after.suffix in (".bval", ".json"):  # beside a NIfTI file
        return Allowance(b_value=True)
    old = _leaves(before)
    images = _count(old)
    try:
        new = _leaves(after)
    except Exception:  # damage: a reason must be given, or nothing that is read was hit
        return Allowance()
    if not _whole(old, new):
        return Allowance()
    changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    tags = {path[-1] for path in changed}
    shared = {path[-1] for path in changed if not OF_A_FRAME & set(path[:-1])} if images > 1 else set()
    return Allowance(
        slices=images if tags & PIXELS else 0,
        place=bool(tags & PLACE),
        b_value=bool(tags & B_VALUES),
        shorter=bool(tags & READ),
        anything=bool(shared & (PLACE | SHAPE | B_VALUES)),
    )


def _whole(old: Mapping[tuple[int, ...], Any], new: Mapping[tuple[int, ...], Any]) -> bool:
    """The pixel data is there, as long as before; a codestream may be of another length."""
    before, after = old.get((0x7FE00010,)), new.get((0x7FE00010,))
    if before is None or after is None:
        return before is after
    old_bytes, new_bytes = before[1] or b"", after[1] or b""
    return old_bytes[:4] == b"\xfe\xff\x00\xe0" or len(new_bytes) >= len(old_bytes)


def _count(leaves: Mapping[tuple[int, ...], Any]) -> int:
    """Images in a file: frames, or more than one for a mosaic."""
    frames = leaves.get((0x00280008,), b"1")
    try:
        count = int(bytes(frames[1]).decode("ascii").strip("\0 ") or 1)
    except (ValueError, TypeError, IndexError):
        count = 1
    kind = str(leaves.get((0x00080008,), ""))
    return max(count, 64 if "MOSAIC" in kind or "VFRAME" in kind else 1)


def _leaves(path: Path) -> dict[tuple[int, ...], Any]:
    """Path of tags and item numbers -> (VR, value) of every element up to the pixel data that is no sequence."""
    whole = False

    def beyond_the_pixels(tag: int, *_: object) -> bool:
        nonlocal whole
        after, whole = whole, tag == 0x7FE00010
        return after

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = read_partial(io.BytesIO(path.read_bytes()), beyond_the_pixels, force=True)
        return dict(_walk(dataset.file_meta, ())) | dict(_walk(dataset, ()))


def _walk(dataset: Dataset, above: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Any]]:
    for tag in list(dataset.keys()):
        place = (*above, int(tag))
        element = _sequence_or_raw(dataset, tag)
        if element.VR != "SQ" or isinstance(element, RawDataElement):
            value = element.value
            yield place, (element.VR, bytes(value) if isinstance(value, bytes) else str(value))
            continue
        for index, item in enumerate(element.value):
            yield from _walk(item, (*place, index))


def _sequence_or_raw(dataset: Dataset, tag: Any) -> DataElement | RawDataElement:
    """Converted only to look into a sequence; what cannot be converted stays as it is."""
    element = dataset._dict[tag]  # get_item converts some
    if isinstance(element, RawDataElement) and element.VR in ("SQ", "UN", None):
        try:
            converted = dataset[tag]
        except Exception:
            return element
        return converted if converted.VR == "SQ" else element
    return element
