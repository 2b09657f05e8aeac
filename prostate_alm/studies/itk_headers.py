"""Text headers of MetaImage and NRRD, checked before ITK sees them.

A header must say where the volume lies and in which unit, state nothing twice, and keep its voxels in its own folder.

Source: itk.org/Wiki/ITK/MetaIO/Documentation; teem.sourceforge.net/nrrd/format.html.
"""

import re
import stat
from collections.abc import Iterable
from pathlib import Path

from prostate_alm.studies.headers import FormError
from prostate_alm.studies.instances import MAX_BYTES

_LONGEST = 1 << 16
_META_LINE = re.compile(r"([^=:\s][^=:]{0,200}?)[ \t]*[=:][ \t]*([^\0]{0,4000})")
_NRRD_FIELD = re.compile(r"([A-Za-z][A-Za-z ]{0,40}): ([^\0]{0,4000})")
_NRRD_SPACES = frozenset(
    ("left-posterior-superior", "lps", "right-anterior-superior", "ras", "left-anterior-superior", "las")
)  # ITK brings these to LPS, and takes every other for it
_NO_PLACE = "it does not say how it lies in the patient"
_INTEGER = re.compile(r"\d{1,9}")
_META_USUAL: dict[str, tuple[str, ...]] = {
    "ElementToIntensityFunctionSlope": ("1", "1.0"),
    "ElementToIntensityFunctionOffset": ("0", "0.0"),
    "CenterOfRotation": ("0", "0.0", "-0"),
    "DistanceUnits": ("mm", "?"),
}
"""What ITK leaves out of account, with the values for which that does no harm."""


def check_metaimage(path: Path) -> None:
    """Refuse a MetaImage header that leaves something open or could mislead ITK.

    Args:
        path: `.mha` or `.mhd`.

    Raises:
        FormError: with what is wrong.
    """
    fields: dict[str, str] = {}
    for line in _lines(path):
        match = _META_LINE.fullmatch(line)
        if match is None:
            raise FormError("its header is no MetaImage header")
        _note(fields, match[1], match[2])
        if match[1] == "ElementDataFile":
            break
    axes = fields.get("NDims", "")
    if axes not in ("2", "3", "4"):
        raise FormError("its header states no usable NDims")
    for name in ("DimSize", "ElementSpacing"):
        if len(fields.get(name, "").split()) != int(axes):
            raise FormError(f"its header states no usable {name}")
    if not {"TransformMatrix", "Rotation", "Orientation"} & set(fields):
        raise FormError(f"{_NO_PLACE}: no TransformMatrix")
    if not {"Offset", "Position", "Origin"} & set(fields):
        raise FormError(f"{_NO_PLACE}: no Offset")
    for name, usual in _META_USUAL.items():
        if not set(fields.get(name, usual[0]).split()) <= set(usual):
            raise FormError(f"its header states an unusual {name}")
    packed = fields.get("CompressedDataSize", "0")
    if not _INTEGER.fullmatch(packed) or int(packed) > MAX_BYTES:
        raise FormError(f"an image of more than {MAX_BYTES >> 20} MiB")
    _check_voxels(path, fields.get("ElementDataFile", ""), local=("LOCAL", "Local", "local"))


def check_nrrd(path: Path) -> None:
    """Refuse an NRRD header that leaves something open or could mislead ITK.

    Args:
        path: `.nrrd` or `.nhdr`.

    Raises:
        FormError: with what is wrong.
    """
    lines = iter(_lines(path))
    if not re.fullmatch("NRRD000[1-5]", next(lines, "")):
        raise FormError("it is no NRRD file")
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            break
        if line.startswith("#") or ":=" in line:
            continue
        match = _NRRD_FIELD.fullmatch(line)
        if match is None:
            raise FormError("its header is no NRRD header")
        _note(fields, match[1].lower().replace("datafile", "data file"), match[2])
    for name in ("space", "space directions", "space origin"):
        if name not in fields:
            raise FormError(f"{_NO_PLACE}: no {name}")
    if fields["space"].strip().lower() not in _NRRD_SPACES:
        raise FormError(f"{_NO_PLACE}: its space is neither LPS nor RAS")
    if set(fields.get("space units", "mm").replace('"', " ").split()) != {"mm"}:
        raise FormError("its unit of length is not the millimetre")
    _check_voxels(path, fields.get("data file", "LOCAL"), local=("LOCAL",))


def _lines(path: Path) -> Iterable[str]:
    with path.open("rb") as file:
        start = file.read(_LONGEST)
    if not start:
        raise FormError("an empty file")
    lines = start.split(b"\n")
    if len(start) == _LONGEST:
        lines.pop()  # perhaps cut
    return (line.removesuffix(b"\r").decode("latin-1") for line in lines)


def _note(fields: dict[str, str], name: str, value: str) -> None:
    if name in fields:
        raise FormError("its header states one thing twice")
    fields[name] = value.strip()


def _check_voxels(path: Path, name: str, *, local: tuple[str, ...]) -> None:
    """The voxels lie in the file itself, or in one regular file beside it."""
    if not name:
        raise FormError("its header does not say where its voxels are")
    if name.startswith("LIST") or "%" in name:
        raise FormError("its voxels are in several files")
    if name in local:
        voxels = path
    elif name in (".", "..") or re.search(r"[/\\:\0]", name):
        raise FormError("its header names voxels outside its own folder")
    else:
        voxels = path.with_name(name)
    try:
        status = voxels.stat()
    except OSError:
        raise FormError("the file with its voxels is missing") from None
    if not stat.S_ISREG(status.st_mode):
        raise FormError("its voxels are in no regular file")
    if status.st_size > MAX_BYTES + _LONGEST:
        raise FormError(f"an image of more than {MAX_BYTES >> 20} MiB")
