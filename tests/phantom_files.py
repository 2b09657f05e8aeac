"""A tiny series for the phantom to write, and readers of its files that share no code with the phantom or the package.

Siemens mosaics are read by nibabel; the rest is a few lines over pydicom.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from prostate_alm.phantom.dialects import DIALECTS
from prostate_alm.phantom.grid import Grid, rotation
from prostate_alm.phantom.identity import Identity
from prostate_alm.phantom.protocol import KINDS, Frame, Series
from prostate_alm.phantom.scan import Dialect, Scan
from prostate_alm.phantom.writing import write_series

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # nibabel calls its own DICOM readers experimental
    from nibabel.nicom import csareader, dicomwrappers

__all__ = ["B_VALUES", "GRID", "VARIANTS", "csareader", "decode", "read", "tiny_series", "truth", "write"]

B_VALUES = (0, 100, 1000)
# spacing, size and axes all differ, so that nothing can be swapped unnoticed; JPEG 2000 wants 32 pixels
GRID = Grid(np.array([12.0, -31.0, 45.0]), rotation((9.0, -6.0, 4.0)), (2.0, 1.5, 3.5), (36, 33, 5))
LANDMARK = (7, 21, 3)  # column, row, slice
VARIANTS = [(name, number) for name, variants in DIALECTS.items() for number in range(len(variants))]
Decoder = Callable[[Dataset], "Iterator[Slice]"]


@dataclass(frozen=True)
class Slice:
    """One decoded slice: values (rows, columns), and position and steps in LPS mm."""

    values: np.ndarray
    origin: np.ndarray
    column_step: np.ndarray
    row_step: np.ndarray

    def brightest(self) -> np.ndarray:
        """(3,) LPS mm of the highest value."""
        row, column = np.unravel_index(self.values.argmax(), self.values.shape)
        return self.origin + column * self.column_step + row * self.row_step


def tiny_series(kind: str, b_values: tuple[int | None, ...]) -> Series:
    """Noise and one bright voxel, five slices per b-value."""
    frames = []
    for b_value in b_values:
        seed = 0 if b_value is None else 1 + b_value
        volume = np.random.default_rng(seed).integers(0, 2000, GRID.shape[::-1]).astype(np.uint16)
        volume[LANDMARK[::-1]] = 4095
        frames += [Frame(pixels, GRID, index, b_value) for index, pixels in enumerate(volume)]
    return Series(kind, tuple(frames))


def truth(b_value: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The volume (slices, rows, columns) of a b-value, and the landmark in LPS mm."""
    frames = tiny_series("t2w", (b_value,)).frames
    return np.stack([frame.pixels for frame in frames]).astype(float), GRID.position_mm(*LANDMARK)


def write(folder: Path, dialect: Dialect, series: Series, seed: int = 0) -> Path:
    """Write one series into `folder`."""
    identity = Identity("test", "PHANTOM^0001", "PHANTOM-0-0001", "PH0-0001", B_VALUES)
    write_series(folder, Scan(series, KINDS.index(series.kind) + 1, identity, dialect, np.random.default_rng(seed)))
    return folder


def read(folder: Path) -> list[Dataset]:
    """The files of a folder."""
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


def decode(header: Dataset) -> list[Slice]:
    """The slices of one file, whatever its layout."""
    return list(_decoder(header)(header))


def _decoder(header: Dataset) -> Decoder:
    marks: list[tuple[bool, Decoder]] = [
        ("NumberOfFrames" in header, _enhanced),
        ("MOSAIC" in header.ImageType, _siemens_mosaic),
        ("VFRAME" in header.ImageType, _uih_mosaic),
    ]
    return next((decoder for found, decoder in marks if found), _classic)


def _classic(header: Dataset) -> Iterator[Slice]:
    values = header.pixel_array * float(header.get("RescaleSlope", 1)) + float(header.get("RescaleIntercept", 0))
    yield _slice(values, header.ImagePositionPatient, header.ImageOrientationPatient, header.PixelSpacing)


def _enhanced(header: Dataset) -> Iterator[Slice]:
    shared = header.SharedFunctionalGroupsSequence[0]
    for values, frame in zip(header.pixel_array, header.PerFrameFunctionalGroupsSequence, strict=True):

        def group(name: str, frame: Dataset = frame) -> Dataset:
            return (frame if name in frame else shared)[name][0]

        scale = group("PixelValueTransformationSequence")
        yield _slice(
            values * float(scale.RescaleSlope) + float(scale.RescaleIntercept),
            group("PlanePositionSequence").ImagePositionPatient,
            group("PlaneOrientationSequence").ImageOrientationPatient,
            group("PixelMeasuresSequence").PixelSpacing,
        )


def _uih_mosaic(header: Dataset) -> Iterator[Slice]:
    tiles = header[0x0065, 0x1051].value
    width, height = (int(length) for length in header[0x0065, 0x1004].value.split("*"))
    for number, tile in enumerate(tiles):
        row, column = divmod(number, header.Columns // width)
        values = header.pixel_array[row * height : (row + 1) * height, column * width : (column + 1) * width]
        yield _slice(values, tile.ImagePositionPatient, header.ImageOrientationPatient, header.PixelSpacing)


def _siemens_mosaic(header: Dataset) -> Iterator[Slice]:
    wrapper = dicomwrappers.wrapper_from_data(header)
    assert wrapper.is_mosaic
    data, affine = wrapper.get_data(), wrapper.affine
    for number in range(data.shape[2]):
        origin = affine[:3, 3] + number * affine[:3, 2]
        yield Slice(data[:, :, number].astype(float), origin, affine[:3, 1], affine[:3, 0])


def _slice(values: np.ndarray, position: object, orientation: object, spacing: object) -> Slice:
    row, column = np.array(orientation, dtype=float).reshape(2, 3)
    row_mm, column_mm = np.array(spacing, dtype=float)
    return Slice(values.astype(float), np.array(position, dtype=float), row * column_mm, column * row_mm)
