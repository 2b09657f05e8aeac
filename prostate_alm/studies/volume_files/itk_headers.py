"""Text headers of MetaImage and NRRD, checked before ITK sees them.

ITK's readers overrun their buffers on malformed values and crash the process, follow any path to detached voxels, and
guess where a header is silent. So a header gets through only if every line has the form that its format gives it, if it
says where the volume lies and in which unit, and if its voxels are whole and in its own folder.

Source: itk.org/Wiki/ITK/MetaIO/Documentation; teem.sourceforge.net/nrrd/format.html.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from prostate_alm.studies.dicom.instances import MAX_BYTES
from prostate_alm.studies.headers import FormError
from prostate_alm.studies.volume_files.itk_voxels import Stored, locate

_LONGEST, _LONGEST_LINE = 1 << 16, 400
_NO_PLACE = "it does not say how it lies in the patient"

_WHOLE, _WORD, _TEXT = r"\d{1,9}", r"[\w?-]{1,40}", r"[^\0]*"
_REAL = r"[-+]?(?:\d{1,25}(?:\.\d{0,25})?|\.\d{1,25})(?:[eE][-+]?\d{1,3})?"
_VECTOR = rf"(?:\( ?{_REAL}(?: ?, ?{_REAL}){{2}} ?\)|none)"


def _times(count: int, form: str) -> str:
    return rf"{form}(?:[ \t]+{form}){{{count - 1}}}"


def _meta_forms(axes: int) -> dict[str, str]:
    """What a value looks like, for everything that MetaIO reads; other fields are text to it."""
    truth = "True|False|true|false|1|0"
    by_axis = dict.fromkeys(("Offset", "Position", "Origin", "ElementSpacing", "ElementSize"), _times(axes, _REAL))
    matrices = dict.fromkeys(("TransformMatrix", "Rotation", "Orientation"), _times(axes * axes, _REAL))
    truths = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB", "CompressedData")
    return by_axis | matrices | dict.fromkeys(truths, truth) | {
        "ObjectType": "Image",
        "BinaryData": "True|true|1",
        "NDims": "[234]",
        "DimSize": _times(axes, _WHOLE),
        "ElementType": "|".join(_META_BYTES),
        "ElementNumberOfChannels": _WHOLE,
        "CompressedDataSize": r"\d{1,18}",
        "CompressionLevel": _WHOLE,
        "HeaderSize": "0",
        "AnatomicalOrientation": r"[A-Z?]{2,4}",
        "ElementMin": _REAL,
        "ElementMax": _REAL,
        "Modality": _WORD,
        "ObjectSubType": _WORD,
        "SequenceID": _times(axes, _REAL),
        "ID": f"-?{_WHOLE}",
        "ParentID": f"-?{_WHOLE}",
        "Color": _times(4, _REAL),
        # ITK leaves these out of account: no harm with these values
        "ElementToIntensityFunctionSlope": r"1(?:\.0*)?",
        "ElementToIntensityFunctionOffset": r"-?0(?:\.0*)?",
        "CenterOfRotation": _times(axes, r"-?0(?:\.0*)?"),
        "DistanceUnits": r"mm|\?",
    }  # fmt: skip


_META_BYTES = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4, "MET_LONG": 4,
    "MET_ULONG": 4, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8, "MET_FLOAT": 4, "MET_DOUBLE": 8,
}  # fmt: skip
_NRRD_BYTES = {
    "signed char": 1, "int8": 1, "int8_t": 1, "uchar": 1, "unsigned char": 1, "uint8": 1, "uint8_t": 1,
    "short": 2, "short int": 2, "signed short": 2, "signed short int": 2, "int16": 2, "int16_t": 2,
    "ushort": 2, "unsigned short": 2, "unsigned short int": 2, "uint16": 2, "uint16_t": 2,
    "int": 4, "signed int": 4, "int32": 4, "int32_t": 4, "uint": 4, "unsigned int": 4, "uint32": 4, "uint32_t": 4,
    "longlong": 8, "long long": 8, "long long int": 8, "signed long long": 8, "signed long long int": 8, "int64": 8,
    "int64_t": 8, "ulonglong": 8, "unsigned long long": 8, "unsigned long long int": 8, "uint64": 8, "uint64_t": 8,
    "float": 4, "double": 8,
}  # fmt: skip


def _nrrd_forms(axes: int) -> dict[str, str]:
    """What a value looks like; a field that is not here is refused."""
    words, quoted = _times(axes, _WORD), _times(axes, r'"[\w /.^-]{0,40}"')
    number = f"(?:{_REAL}|[nN]a[nN])"
    return {
        "type": "|".join(_NRRD_BYTES),
        "dimension": "[234]",
        # ITK brings these to LPS, and takes every other space for it
        "space": "left-posterior-superior|LPS|right-anterior-superior|RAS|left-anterior-superior|LAS",
        "space directions": _times(axes, _VECTOR),
        "space origin": _VECTOR,
        "space units": _times(3, '"mm"'),
        "measurement frame": _times(3, _VECTOR),
        "sizes": _times(axes, _WHOLE),
        "kinds": words,
        "centers": words,
        "centerings": words,
        "labels": quoted,
        "units": quoted,
        "thicknesses": _times(axes, number),
        "endian": "little|big",
        "encoding": "raw|gzip|gz",
        "content": _TEXT,
        "number": _WHOLE,
        "data file": _TEXT,
    }


def check_metaimage(path: Path) -> Stored:
    """Refuse a MetaImage header that ITK must not see, or that leaves something open.

    Args:
        path: `.mha` or `.mhd`.

    Returns:
        Where its voxels are.

    Raises:
        FormError: with what is wrong.
    """
    fields: dict[str, str] = {}
    start = 0
    for line, start in _lines(path):  # noqa: B007
        name, value = _split(line, r"([^=:\s][^=:]{0,200}?)[ \t]*=[ \t]*([^\0]*)")
        _note(fields, name, value)
        if name == "ElementDataFile":
            break
    _check_forms(fields, _meta_forms(_axes(fields.get("NDims", ""))))
    _check_stated(fields, "DimSize", "ElementType", "ElementSpacing", "BinaryData", "ElementDataFile")
    for names in (("TransformMatrix", "Rotation", "Orientation"), ("Offset", "Position", "Origin")):
        stated = len(set(names) & set(fields))
        if stated != 1:
            raise FormError(f"{_NO_PLACE}: {'more than one' if stated else 'no'} {names[0]}")
    packed = fields.get("CompressedData", "False").lower() in ("true", "1")
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    needed = _product(fields["DimSize"]) * _META_BYTES[fields["ElementType"]] * channels
    _check_size(needed)
    least = int(fields.get("CompressedDataSize", "1")) if packed else needed
    name = None if fields["ElementDataFile"] in ("LOCAL", "Local", "local") else fields["ElementDataFile"]
    voxels, start = locate(path, name, start, least)
    return Stored(voxels, start, needed, packed)


def check_nrrd(path: Path) -> Stored:
    """Refuse an NRRD header that ITK must not see, or that leaves something open.

    Args:
        path: `.nrrd` or `.nhdr`.

    Returns:
        Where its voxels are.

    Raises:
        FormError: with what is wrong.
    """
    fields: dict[str, str] = {}
    lines = _lines(path)
    first, start = next(lines, ("", 0))
    if not re.fullmatch("NRRD000[1-5]", first):
        raise FormError("it is no NRRD file")
    for line, start in lines:  # noqa: B007
        if not line:
            break
        if not line.startswith("#") and (":=" not in line or ": " in line):
            name, value = _split(line, r"([A-Za-z ]{1,40}): ([^\0]*)")
            _note(fields, name.replace("datafile", "data file"), value)
    forms = _nrrd_forms(_axes(fields.get("dimension", "")))
    if unknown := set(fields) - set(forms):
        raise FormError(f"its header has {len(unknown)} fields that are not known")
    _check_forms(fields, forms)
    _check_stated(fields, "type", "sizes", "encoding")
    for name in ("space", "space directions", "space origin"):
        if name not in fields:
            raise FormError(f"{_NO_PLACE}: no {name}")
    needed = _product(fields["sizes"]) * _NRRD_BYTES[fields["type"]]
    _check_size(needed)
    packed = fields["encoding"] != "raw"
    voxels, start = locate(path, fields.get("data file"), start, 1 if packed else needed)
    return Stored(voxels, start, needed, packed)


def _lines(path: Path) -> Iterator[tuple[str, int]]:
    """Each line of the header, and where the next one begins."""
    with path.open("rb") as file:
        content = file.read(_LONGEST)
    if not content:
        raise FormError("an empty file")
    position = 0
    while position < len(content):
        end = content.find(b"\n", position)
        end = len(content) if end < 0 else end
        raw = content[position:end].removesuffix(b"\r")
        line, position = raw.decode("utf-8", "replace"), end + 1
        if len(raw) > _LONGEST_LINE or not line.replace("\t", " ").isprintable():
            raise FormError("its header is no text of short lines")
        yield line, position


def _split(line: str, form: str) -> tuple[str, str]:
    match = re.fullmatch(form, line)
    if match is None:
        raise FormError("a line of its header has another form than its format demands")
    return match[1], match[2].strip()


def _note(fields: dict[str, str], name: str, value: str) -> None:
    if name in fields:
        raise FormError("its header states one thing twice")
    fields[name] = value


def _axes(stated: str) -> int:
    if stated not in ("2", "3", "4"):
        raise FormError("it has no 2, 3 or 4 axes")
    return int(stated)


def _check_forms(fields: Mapping[str, str], forms: Mapping[str, str]) -> None:
    for name, value in fields.items():
        if name in forms and not re.fullmatch(forms[name], value, re.ASCII):
            raise FormError(f"its header states an unusable or unusual {name}")


def _check_stated(fields: Mapping[str, str], *names: str) -> None:
    for name in names:
        if name not in fields:
            raise FormError(f"its header states no {name}")


def _product(sizes: str) -> int:
    return math.prod(map(int, sizes.split()))


def _check_size(needed: int) -> None:
    if needed < 1:
        raise FormError("an axis without voxels")
    if needed > MAX_BYTES:
        raise FormError(f"an image of more than {MAX_BYTES >> 20} MiB")
