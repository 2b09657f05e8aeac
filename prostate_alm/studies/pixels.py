"""Files -> pixels: decoded once per file, cut into its images, scaled to what was measured."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from prostate_alm.studies.dicom.codestreams import prepare_codestreams
from prostate_alm.studies.dicom.quiet import quiet
from prostate_alm.studies.dicom.scan import BoundedFile
from prostate_alm.studies.geometry import ReadingError
from prostate_alm.studies.headers import FormError, Header
from prostate_alm.studies.volume_files import decode_volume_file
from prostate_alm.studies.volume_files.names import is_volume_file

_KEYWORDS = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths", "FloatPixelData", "DoubleFloatPixelData", "PixelData",
)  # fmt: skip
_MOST_HELD_BYTES = 1 << 28
_TAGS = [tag_for_keyword(keyword) or 0 for keyword in _KEYWORDS]


_NATIVE = frozenset(("", ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian))


class PixelReader:
    """Reads image after image; files that hold many of them stay decoded, the latest 256 MiB."""

    def __init__(self) -> None:
        self._held: dict[Path, np.ndarray] = {}

    def read(self, image: Header) -> np.ndarray:
        """One image, float32 (rows, columns), by its own slope and intercept.

        Raises:
            ReadingError: if it cannot be decoded; the message names series and transfer syntax.
        """
        planes = self._planes_of(image)
        if image.frame >= len(planes):
            raise ReadingError(f"{image.name}: {len(planes)} frames instead of {image.frames}")
        stored = planes[image.frame]
        if image.corner is not None:
            row, column = image.corner
            stored = stored[row : row + image.rows, column : column + image.columns]
        if stored.shape != (image.rows, image.columns):
            expected = (image.rows, image.columns)
            raise ReadingError(f"{image.name}: an image has the shape {stored.shape}, not {expected}")
        stands_for_nothing = _padding(stored, image.padding)
        slope, intercept = image.scale
        if not np.isfinite([slope, intercept]).all() or slope == 0:
            raise ReadingError(f"{image.name}: an image has the RescaleSlope {slope:g} and intercept {intercept:g}")
        scaled = stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        if stands_for_nothing is not None:
            scaled[stands_for_nothing] = 0
        return scaled

    def _planes_of(self, image: Header) -> np.ndarray:
        if (planes := self._held.get(image.path)) is not None:
            return planes
        planes = _decode_volume(image) if is_volume_file(image.path) else _decode_dicom(image)
        if image.frames > 1 or image.corner is not None:
            # the directions of one slice lie in as many mosaics, so that each is wanted again for the next slice
            while self._held and sum(held.nbytes for held in self._held.values()) + planes.nbytes > _MOST_HELD_BYTES:
                del self._held[next(iter(self._held))]
            self._held[image.path] = planes
        return planes


def needs_native_decoder(image: Header) -> bool:
    """True for what is decoded by native code: compressed DICOM, MetaImage and NRRD."""
    if is_volume_file(image.path):
        return not image.path.name.lower().endswith((".nii", ".nii.gz"))
    return image.transfer_syntax not in _NATIVE


def _padding(stored: np.ndarray, ends: tuple[int, int] | None) -> np.ndarray | None:
    """Where the stored values stand for no image."""
    if ends is None or stored.dtype.kind not in "iu":
        return None
    low, high = sorted(np.array(ends, np.uint16).astype(np.int16 if stored.dtype.kind == "i" else np.uint16).tolist())
    return (stored >= low) & (stored <= high)


def _check_length(dataset: pydicom.Dataset, image: Header) -> None:
    """Uncompressed grey pixels must fill their matrix exactly: else rows are sheared (PS3.5 8.1.1)."""
    if image.transfer_syntax not in _NATIVE or dataset.get("SamplesPerPixel") != 1 or "PixelData" not in dataset:
        return
    bits = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("NumberOfFrames") or 1) * dataset.BitsAllocated
    expected, found = -(-bits // 8), len(dataset.PixelData)
    if found not in (expected, expected + expected % 2):
        raise FormError(f"{found} bytes of pixel data instead of {expected}")


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
        with quiet(), BoundedFile(image.path) as file:
            dataset = pydicom.dcmread(file, force=True, specific_tags=_TAGS)
            _check_length(dataset, image)
            prepare_codestreams(dataset)
            stored = dataset.pixel_array
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # decoders raise many kinds; a panic of one in Rust is no Exception
        with quiet():
            syntax = UID(image.transfer_syntax)
            syntax_name = syntax.name if syntax.is_transfer_syntax else "unknown"
        what = str(error) if isinstance(error, FormError) else type(error).__name__
        raise ReadingError(
            f"{image.name}: an image cannot be decoded ({what}, transfer syntax {syntax_name})"
        ) from error
    if not image.monochrome and stored.ndim > 2:
        raise ReadingError(f"{image.name}: an image is in colour")
    planes = stored[None] if stored.ndim == 2 else stored
    if len(planes) != image.frames:
        raise ReadingError(f"{image.name}: {len(planes)} frames instead of {image.frames}")
    return planes
