"""Mosaics: one picture that holds every slice of a volume, side by side.

Siemens lays the slices out in rows, in a square grid; the position it states is that of a slice as large as the whole
mosaic, and the order of the slices stands only in its CSA header. UIH (VFRAME) states the position of every slice.
"""

import math
import struct
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.values import convert_SQ

from prostate_alm.studies.dicom.csa import csa_texts
from prostate_alm.studies.geometry import COSINE_TOLERANCE
from prostate_alm.studies.headers import Header

MOSAIC = frozenset(("MOSAIC", "VFRAME"))
CSA, CSA_CREATOR = 0x00291010, 0x00290010
_UIH_SLICES = 0x00651051
_SPACING = 0x00180088
_COUNTS = (0x0019100A, 0x00651050)
"""Where Siemens and UIH state the number of slices once more."""
_MOST_TILES = 1024
TAGS = frozenset((CSA, _UIH_SLICES, _SPACING, *_COUNTS))


def tiles(mosaic: Header, dataset: Dataset) -> tuple[Header, ...]:
    """One image per slice; if the layout is not known for certain, the whole mosaic, which geometry refuses by name.

    Args:
        mosaic: the header of the whole picture.
        dataset: the file's header with `TAGS`.
    """
    if _UIH_SLICES in dataset:
        positions = [_numbers(item.get("ImagePositionPatient")) for item in _uih_slices(dataset)]
        layout = _layout(mosaic, len(positions), math.ceil(math.sqrt(len(positions) or 1)), square=False)
    else:
        positions, layout = _siemens(mosaic, dataset)
    counts = [count for tag in _COUNTS for count in _numbers_of(dataset, tag)]
    if layout is None or any(len(position) != 3 for position in positions) or set(counts) - {len(positions)}:
        return (mosaic,)
    across, rows, columns = layout
    return tuple(
        replace(
            mosaic,
            rows=rows,
            columns=columns,
            corner=(index // across * rows, index % across * columns),
            position_mm=tuple(position),
        )
        for index, position in enumerate(positions)
    )


def _uih_slices(dataset: Dataset) -> Iterable[Dataset]:
    """The sequence of slices; one whose VR was lost is implicit (PS3.5 6.2.2)."""
    value = dataset[_UIH_SLICES].value
    return convert_SQ(value, True, True) if isinstance(value, bytes) else value


def _layout(mosaic: Header, count: int, across: int, *, square: bool) -> tuple[int, int, int] | None:
    """Tiles in a row, and rows and columns of a tile."""
    down = across if square else math.ceil(count / across)
    if not 1 <= count <= _MOST_TILES or mosaic.rows % down or mosaic.columns % across:
        return None
    return across, mosaic.rows // down, mosaic.columns // across


def _siemens(mosaic: Header, dataset: Dataset) -> tuple[list[tuple[float, ...]], tuple[int, int, int] | None]:
    """Positions after Siemens' own layout: slice k lies k spacings along SliceNormalVector from the first."""
    count, normal = (_csa_numbers(dataset, name) for name in ("NumberOfImagesInMosaic", "SliceNormalVector"))
    spacing = _spacing(dataset)
    if len(count) != 1 or len(normal) != 3 or spacing <= 0 or len(mosaic.orientation) != 6:
        return [], None
    across = math.ceil(math.sqrt(max(1, int(count[0]))))
    layout = _layout(mosaic, int(count[0]), across, square=True)
    if layout is None or len(mosaic.position_mm) != 3 or len(mosaic.pixel_spacing_mm) != 2:
        return [], None
    _, rows, columns = layout
    row, column = np.array(mosaic.orientation[:3]), np.array(mosaic.orientation[3:])
    if abs(abs(np.cross(row, column) @ normal) - 1) > COSINE_TOLERANCE:
        return [], None
    first = (
        np.array(mosaic.position_mm)
        + row * mosaic.pixel_spacing_mm[1] * (mosaic.columns - columns) / 2
        + column * mosaic.pixel_spacing_mm[0] * (mosaic.rows - rows) / 2
    )
    step = np.array(normal) * spacing
    return [tuple(float(value) for value in first + step * index) for index in range(int(count[0]))], layout


def _csa_numbers(dataset: Dataset, name: str) -> tuple[float, ...]:
    """A numeric entry of the Siemens CSA image header; empty if there is none that can be read."""
    element = dataset.get(CSA)
    if element is None or not isinstance(element.value, bytes):
        return ()
    try:
        return _numbers(csa_texts(element.value, name))
    except ValueError:
        return ()


def raw_float(element: Any) -> float | None:
    """A finite number of VR FL, also if it is still four raw bytes."""
    value = None if element is None else element.value
    if isinstance(value, bytes):
        value = struct.unpack("<f", value)[0] if len(value) == 4 else None
    try:
        number = float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _spacing(dataset: Dataset) -> float:
    stated = _numbers_of(dataset, _SPACING)
    return stated[0] if len(stated) == 1 else 0.0


def _numbers_of(dataset: Dataset, tag: int) -> tuple[float, ...]:
    element = dataset.get(tag)
    return _numbers(None if element is None else element.value)


def _numbers(value: Any) -> tuple[float, ...]:
    """One number or many; none if any of them is no finite number."""
    many = value if isinstance(value, (list, tuple, MultiValue)) else [] if value in (None, "") else [value]
    try:
        numbers = tuple(float(number) for number in many)
    except (TypeError, ValueError):
        return ()
    return numbers if all(math.isfinite(number) for number in numbers) else ()
