"""Files -> pixels: decoded once per file, cut into its images, scaled to what was measured."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import UID

from prostate_alm.studies.geometry import ReadingError
from prostate_alm.studies.headers import FormError, Header
from prostate_alm.studies.volume_files import decode_volume_file
from prostate_alm.studies.volume_names import is_volume_file


class PixelReader:
    """Reads image after image; the last file that held many of them stays decoded."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._planes = np.empty((0, 0, 0))

    def read(self, image: Header) -> np.ndarray:
        """One image, float32 (rows, columns), by its own slope and intercept.

        Raises:
            ReadingError: if it cannot be decoded; the message names series and transfer syntax.
        """
        if image.path != self._path:
            decode = _decode_volume if is_volume_file(image.path) else _decode_dicom
            self._planes, self._path = decode(image), image.path
        if image.frame >= len(self._planes):
            raise ReadingError(f"{image.name}: {len(self._planes)} frames instead of {image.frames}")
        stored = self._planes[image.frame]
        if image.corner is not None:
            row, column = image.corner
            stored = stored[row : row + image.rows, column : column + image.columns]
        if stored.shape != (image.rows, image.columns):
            expected = (image.rows, image.columns)
            raise ReadingError(f"{image.name}: an image has the shape {stored.shape}, not {expected}")
        slope, intercept = image.scale
        if not np.isfinite([slope, intercept]).all() or slope == 0:
            raise ReadingError(f"{image.name}: an image has the RescaleSlope {slope:g} and intercept {intercept:g}")
        return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _decode_volume(image: Header) -> np.ndarray:
    """All slices of a volume file as measured, (frames, rows, columns)."""
    try:
        return decode_volume_file(image.path)
    except Exception as error:  # readers raise many kinds; only the text of our own is sure to name no path
        what = str(error) if isinstance(error, FormError) else type(error).__name__
        raise ReadingError(f"{image.name}: the volume cannot be read ({what})") from error


def _decode_dicom(image: Header) -> np.ndarray:
    """All planes of a file as stored, (frames, rows, columns)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stored = pydicom.dcmread(image.path, force=True).pixel_array
    except Exception as error:  # decoders raise many kinds
        syntax = UID(image.transfer_syntax)
        syntax_name = syntax.name if syntax.is_transfer_syntax else "unknown"
        raise ReadingError(
            f"{image.name}: an image cannot be decoded ({type(error).__name__}, transfer syntax {syntax_name})"
        ) from error
    if not image.monochrome and stored.ndim > 2:
        raise ReadingError(f"{image.name}: an image is in colour")
    return stored[None] if stored.ndim == 2 else stored
