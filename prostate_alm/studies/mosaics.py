"""Mosaics: one picture that holds every slice of a volume, side by side.

Siemens lays the slices out in rows, in a square grid; the position it states is that of a slice as large as the whole
mosaic, and the order of the slices stands only in its CSA header. UIH (VFRAME) states the position of every slice.
"""

import math
import struct
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from prostate_alm.studies.headers import Header

MOSAIC = frozenset(("MOSAIC", "VFRAME"))
CSA, CSA_CREATOR = 0x00291010, 0x00290010
_UIH_SLICES = 0x00651051
_SPACING = 0x00180088
_LARGEST_CSA = 1 << 22
TAGS = frozenset((CSA, _UIH_SLICES, _SPACING, 0x0019100A))


def tiles(mosaic: Header, dataset: Dataset) -> tuple[Header, ...]:
    """One image per slice; if the layout is not known for certain, the whole mosaic, which geometry refuses by name.

    Args:
        mosaic: the header of the whole picture.
        dataset: the file's header with `TAGS`.
    """
    if _UIH_SLICES in dataset:
        positions = [_numbers(item.get("ImagePositionPatient")) for item in dataset[_UIH_SLICES].value]
        layout = _layout(mosaic, len(positions), math.ceil(math.sqrt(len(positions) or 1)), square=False)
    else:
        positions, layout = _siemens(mosaic, dataset)
    if layout is None or any(len(position) != 3 for position in positions):
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


def _layout(mosaic: Header, count: int, across: int, *, square: bool) -> tuple[int, int, int] | None:
    """Tiles in a row, and rows and columns of a tile."""
    down = across if square else math.ceil(count / across)
    if count < 1 or mosaic.rows % down or mosaic.columns % across:
        return None
    return across, mosaic.rows // down, mosaic.columns // across


def _siemens(mosaic: Header, dataset: Dataset) -> tuple[list[tuple[float, ...]], tuple[int, int, int] | None]:
    """Positions after Siemens' own layout: slice k lies k spacings along SliceNormalVector from the first."""
    csa = csa_values(dataset)
    count, normal, spacing = csa.get("NumberOfImagesInMosaic", []), csa.get("SliceNormalVector", []), _spacing(dataset)
    if len(count) != 1 or len(normal) != 3 or not spacing or len(mosaic.orientation) != 6:
        return [], None
    across = math.ceil(math.sqrt(max(1, int(count[0]))))
    layout = _layout(mosaic, int(count[0]), across, square=True)
    if layout is None or len(mosaic.position_mm) != 3 or len(mosaic.pixel_spacing_mm) != 2:
        return [], None
    _, rows, columns = layout
    row, column = np.array(mosaic.orientation[:3]), np.array(mosaic.orientation[3:])
    first = (
        np.array(mosaic.position_mm)
        + row * mosaic.pixel_spacing_mm[1] * (mosaic.columns - columns) / 2
        + column * mosaic.pixel_spacing_mm[0] * (mosaic.rows - rows) / 2
    )
    step = np.array([float(value) for value in normal]) * spacing
    return [tuple(float(value) for value in first + step * index) for index in range(int(count[0]))], layout


def csa_values(dataset: Dataset) -> dict[str, list[Any]]:
    """The filled entries of the Siemens CSA image header (0029,1010); empty if there is none that can be read."""
    element = dataset.get(CSA)
    if element is None or not isinstance(element.value, bytes) or len(element.value) > _LARGEST_CSA:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nibabel calls all of its DICOM side experimental
        from nibabel.nicom import csareader

        try:
            header = csareader.read(element.value)
        except Exception:  # it raises many kinds on damaged bytes
            return {}
    return {name: tag["items"] for name, tag in header["tags"].items() if tag["items"]}


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
    value = dataset.get(_SPACING)
    return _numbers(None if value is None else value.value)[0] if value is not None and value.value else 0.0


def _numbers(value: Any) -> tuple[float, ...]:
    if value is None or value == "":
        return ()
    try:
        numbers = tuple(
            float(number)
            for number in (value if isinstance(value, (list, tuple)) or hasattr(value, "__iter__") else [value])
        )
    except (TypeError, ValueError):
        return ()
    return numbers if all(math.isfinite(number) for number in numbers) else ()
