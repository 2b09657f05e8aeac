"""What the mosaics of all vendors share: the slices of one b-value, laid side by side in one image."""

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from prostate_alm.phantom.headers import STORED_BITS, add_pixels, add_sampling, classic_header
from prostate_alm.phantom.protocol import Frame, Series
from prostate_alm.phantom.scan import Scan


def volumes(series: Series) -> list[list[Frame]]:
    """The frames of each b-value, in the order of acquisition; slices in the order of their grid."""
    groups: dict[int | None, list[Frame]] = {}
    for frame in series.frames:
        groups.setdefault(frame.b_value, []).append(frame)
    return [sorted(group, key=lambda frame: frame.slice_index) for group in groups.values()]


def tiled(slices: Sequence[np.ndarray], columns: int, rows: int) -> np.ndarray:
    """Slices as the tiles of one image: rows fill from left to right, tiles without a slice are 0.

    Args:
        slices: images of one shape (height, width).
        columns: tiles in a row.
        rows: rows of tiles; columns * rows is at least the number of slices.

    Shapes:
        (rows * height, columns * width).

    Example:
        >>> tiled([np.full((1, 1), value) for value in (1, 2, 3)], columns=2, rows=2)
        array([[1, 2],
               [3, 0]])
    """
    height, width = slices[0].shape
    tiles = np.zeros((rows * columns, height, width), dtype=slices[0].dtype)
    tiles[: len(slices)] = slices
    return tiles.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)


def mosaic_header(
    scan: Scan, frames: Sequence[Frame], instance: int, tiles: tuple[int, int], bits: int = STORED_BITS
) -> Dataset:
    """A mosaic of the frames, without position and b-value: vendors state them in ways of their own.

    Args:
        scan: the series.
        frames: slices of one b-value, in the order of their tiles.
        instance: InstanceNumber, from 1.
        tiles: tiles in a row, and rows of tiles.
        bits: bits of a pixel in use.
    """
    header = classic_header(scan, instance, frames[0].b_value)
    add_sampling(header, frames[0].grid)
    add_pixels(header, tiled([frame.pixels for frame in frames], *tiles), bits)
    return header
