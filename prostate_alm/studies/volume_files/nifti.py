"""NIfTI-1 and NIfTI-2 in one file, plain or gzip; nothing is trusted before it is checked.

Source: NIfTI-1 and NIfTI-2 standards, nifti.nimh.nih.gov; field names are theirs.
"""

import gzip
import logging
import struct
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np

from prostate_alm.studies.headers import FormError
from prostate_alm.studies.volume_files.forms import Form, NotReadError

_GZIP = b"\x1f\x8b"
_MAX_OFFSET = 1 << 24
"""Header and extensions together; dcm2niix writes none, others some kilobytes."""
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""By the code of the unit in xyzt_units; 0, not stated, is what much software writes for millimetres."""
_SAME_PLACE_MM = 0.1


def form(path: Path) -> Form:
    """What the header says; no voxel is read.

    Args:
        path: the file.

    Raises:
        FormError: if it is damaged, or does not say how it lies in the patient.
        NotReadError: if its voxels are complex numbers, or it has more than four axes.
    """
    header = _header(path)
    sizes = _sizes(header)
    kind = header.get_data_dtype()
    if kind.kind == "c":
        raise NotReadError("it holds complex numbers")
    found = Form.of(sizes, _affine(header, sizes), kind.itemsize, monochrome=kind.kind in "iuf")
    if not _is_gzip(path) and path.stat().st_size < _offset(header) + int(np.prod(sizes)) * kind.itemsize:
        raise FormError("its voxels are cut short")
    return found


def voxels(path: Path) -> np.ndarray:
    """The voxels as measured, on the stored axes.

    Args:
        path: a file that `form` accepts; no more is unpacked than its header announces.

    Raises:
        FormError: if the voxels are cut short or damaged.
    """
    header = _header(path)
    shape = form(path).shape
    kind = header.get_data_dtype()
    start, count = _offset(header), int(np.prod(shape))
    content = _read(path, start + count * kind.itemsize + 1)  # one more: gzip compares its checksum at the end
    if len(content) < start + count * kind.itemsize:
        raise FormError("its voxels are cut short")
    if len(content) > start + count * kind.itemsize:
        raise FormError("it holds more than its header announces")
    stored = np.frombuffer(content, kind, count, start).reshape(shape, order="F")
    slope, intercept = header.get_slope_inter()
    if slope is None or (slope == 1 and not intercept):
        return stored
    return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _header(path: Path) -> Any:
    import nibabel

    start = _read(path, 540)
    if len(start) < 348:
        raise FormError(f"a file of only {len(start)} bytes" if start else "an empty file")
    kinds: dict[int, Any] = {348: nibabel.Nifti1Header, 540: nibabel.Nifti2Header}
    kind = next((kinds[size] for order in "<>" if (size := struct.unpack(order + "i", start[:4])[0]) in kinds), None)
    if kind is None:
        raise FormError("it is no NIfTI file")
    header = kind(start[: kind.template_dtype.itemsize], check=False)
    if not bytes(header["magic"]).startswith((b"n+1", b"n+2")):
        raise FormError("it is no NIfTI file with header and voxels in one")
    # qfac 0 and the like: nibabel mends them, and would say so on stderr
    header.check_fix(logger=cast(Any, _SILENT), error_level=40)
    return header


_SILENT = logging.Logger("silent", level=logging.CRITICAL + 1)


def _sizes(header: Any) -> list[int]:
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise FormError(f"{count} axes")
    return [int(size) for size in header["dim"][1 : count + 1]]


def _offset(header: Any) -> int:
    offset = float(header["vox_offset"])
    if not 348 <= offset <= _MAX_OFFSET or offset % 1:
        raise FormError("its voxels begin at an impossible place")
    return int(offset)


def _affine(header: Any, sizes: list[int]) -> np.ndarray:
    sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    affine = qform if sform is None else sform
    if affine is None:
        raise FormError("it does not say how it lies in the patient: neither sform nor qform is set")
    if not all(np.isfinite(stated).all() for stated in (sform, qform) if stated is not None):
        raise FormError("it does not say how it lies in the patient: its sform or qform holds no numbers")
    unit = int(header["xyzt_units"]) & 7
    if unit not in _MILLIMETRES:
        raise FormError(f"its unit of length has the unknown code {unit}")
    if sform is not None and qform is not None:
        _check_same(sform, qform, sizes, _MILLIMETRES[unit])
    return np.diag([_MILLIMETRES[unit]] * 3 + [1.0]) @ affine


def _check_same(sform: np.ndarray, qform: np.ndarray, sizes: list[int], unit_mm: float) -> None:
    """Registration moves the one and keeps the other: then nobody can say which one is the scanner's."""
    ends = [(0, size - 1) for size in (*sizes, 1, 1, 1)[:3]]
    corners = np.array([(x, y, z, 1) for x in ends[0] for y in ends[1] for z in ends[2]]).T
    apart = float(np.abs((sform - qform) @ corners).max()) * unit_mm
    if not apart <= _SAME_PLACE_MM:
        raise FormError(f"its sform and its qform differ by {apart:.1f} mm")


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _GZIP


def _read(path: Path, most: int) -> bytes:
    opened = gzip.open if _is_gzip(path) else Path.open
    with opened(path, "rb") as file:
        try:
            return file.read(most)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FormError("its compressed data are damaged or cut short") from error
