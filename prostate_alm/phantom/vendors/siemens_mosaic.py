"""Siemens, diffusion as mosaics: one file per b-value, the b-value in (0019,100C), the CSA header and the name."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from pydicom.dataset import Dataset

from prostate_alm.phantom.csa import Element, encode_csa
from prostate_alm.phantom.headers import STUDY_DATE, add_position
from prostate_alm.phantom.mosaics import mosaic_header, volumes
from prostate_alm.phantom.protocol import Frame
from prostate_alm.phantom.scan import Scan
from prostate_alm.phantom.vendors.siemens import SIEMENS

_DIRECTION = np.full(3, 1 / math.sqrt(3))
_UPPER = np.triu_indices(3)


def siemens_mosaics(scan: Scan, *, along: int = 1) -> Iterator[Dataset]:
    """One mosaic per b-value, on a square grid of tiles.

    The position is that of a slice as large as the mosaic around the same middle: what the scanner writes, and what
    readers undo ("Siemens mosaic format" in nibabel's documentation).

    Args:
        scan: the diffusion series.
        along: 1 if tiles follow each other along row x column, -1 if against it; SliceNormalVector says which.
    """
    groups = volumes(scan.series)
    for frames, instance in zip(groups, scan.draw_numbers(len(groups)), strict=True):
        yield _mosaic(scan, frames[::along], instance, along)


def _mosaic(scan: Scan, frames: Sequence[Frame], instance: int, along: int) -> Dataset:
    side = math.ceil(math.sqrt(len(frames)))
    header = mosaic_header(scan, frames, instance, (side, side))
    grid = frames[0].grid
    wider, higher = (side - 1) * np.array(grid.shape[:2]) / 2
    corner = grid.position_mm(-wider, -higher, frames[0].slice_index)
    add_position(header, corner, grid)
    _tag(header, frames, corner)
    csa = header.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    csa.add_new(0x08, "CS", "IMAGE NUM 4")
    csa.add_new(0x09, "LO", STUDY_DATE)
    csa.add_new(0x10, "OB", encode_csa(_elements(frames, corner, along)))
    return header


def _tag(header: Dataset, frames: Sequence[Frame], corner_mm: np.ndarray) -> None:
    """Group (0019,xx): number of tiles, b-value, directionality, and the direction where there is one."""
    b_value = frames[0].b_value or 0
    block = header.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0A, "US", len(frames))
    block.add_new(0x0C, "IS", str(b_value))
    block.add_new(0x0D, "CS", "DIRECTIONAL")
    block.add_new(0x15, "FD", [float(value) for value in corner_mm])
    if b_value:
        block.add_new(0x0E, "FD", [float(value) for value in _DIRECTION])
        block.add_new(0x27, "FD", [float(value) for value in _b_matrix(b_value)])


def _elements(frames: Sequence[Frame], corner_mm: np.ndarray, along: int) -> list[Element]:
    b_value = frames[0].b_value or 0
    direction = tuple(_DIRECTION) if b_value else ()
    columns, rows, _ = frames[0].grid.shape
    return [
        Element("B_value", "IS", (b_value,)),
        Element("ProtocolSliceNumber", "IS", (0,)),
        Element("AcquisitionMatrixText", "SH", (f"{rows}p*{columns}",)),
        Element("NumberOfImagesInMosaic", "US", (len(frames),)),
        Element("DiffusionGradientDirection", "FD", direction, 3),
        Element("SliceNormalVector", "FD", tuple(along * frames[0].grid.axes[2]), 3),
        Element("DiffusionDirectionality", "CS", ("DIRECTIONAL",)),
        Element("SlicePosition_PCS", "FD", tuple(corner_mm), 3),
        Element("B_matrix", "FD", _b_matrix(b_value), 6),
    ]


def _b_matrix(b_value: int) -> tuple[float, ...]:
    """The upper triangle of b * direction * direction, s/mm2; empty at b = 0."""
    return tuple(b_value * np.outer(_DIRECTION, _DIRECTION)[_UPPER]) if b_value else ()


_STYLE = replace(
    SIEMENS.styles["dwi"],
    description="ep2d_diff_tra",
    image_type=("ORIGINAL", "PRIMARY", "DIFFUSION", "NONE", "ND", "MOSAIC"),
    sequence="ep_b{b}{direction}",
)
SIEMENS_MOSAIC = replace(
    SIEMENS,
    styles={**SIEMENS.styles, "dwi": _STYLE},
    layouts={**SIEMENS.layouts, "dwi": siemens_mosaics},
)
SIEMENS_MOSAIC_AGAINST = replace(SIEMENS_MOSAIC, layouts={**SIEMENS.layouts, "dwi": partial(siemens_mosaics, along=-1)})
