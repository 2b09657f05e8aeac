"""Pixels -> volumes in patient geometry."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prostate_alm.errors import NoInputError
from prostate_alm.files import whole_file
from prostate_alm.studies.geometry import Grid, Stack
from prostate_alm.studies.pixels import PixelReader


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels with their place in the patient.

    Args:
        voxels: float32, (X, Y, Z) = (column, row, slice).
        affine: float64, (4, 4), index -> RAS mm, as NIfTI has it.

    Example:
        >>> Volume(np.zeros((4, 4, 2), np.float32), np.diag([0.5, 0.5, 3.0, 1.0])).spacing_mm
        (0.5, 0.5, 3.0)
    """

    voxels: np.ndarray
    affine: np.ndarray

    @property
    def grid(self) -> Grid:
        """Shape and affine."""
        x, y, z = self.voxels.shape
        return Grid((x, y, z), self.affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxels along each axis, mm."""
        return self.grid.spacing_mm

    def save(self, path: Path | str) -> Path:
        """Write NIfTI-1 whole or not at all (`.nii` or `.nii.gz`); same volume, same bytes.

        Raises:
            OutputError: if the file cannot be written.
        """
        import nibabel

        image = nibabel.Nifti1Image(np.asarray(self.voxels, np.float32), self.affine)  # pyright: ignore
        image.header.set_xyzt_units("mm")
        image.set_qform(self.affine, code=1)
        image.set_sform(self.affine, code=1)
        content = image.to_bytes()
        with whole_file(path) as part:
            part.write_bytes(gzip.compress(content, 1, mtime=0) if str(path).endswith(".gz") else content)
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> "Volume":
        """Read a three-dimensional NIfTI file.

        Raises:
            NoInputError: if the file is missing, damaged or not three-dimensional.
        """
        import nibabel
        from nibabel.filebasedimages import ImageFileError

        try:
            image = nibabel.load(path)  # pyright: ignore
            voxels = np.asarray(image.dataobj, dtype=np.float32)  # pyright: ignore
            if voxels.ndim != 3:
                raise ValueError(f"{voxels.ndim} dimensions")
            return cls(voxels, np.asarray(image.affine, np.float64))  # pyright: ignore
        except (OSError, EOFError, ValueError, ImageFileError) as error:
            raise NoInputError(f"volume {path} cannot be read ({error}); run 'prostate-alm prepare' again") from error


def read_volume(stack: Stack, pixels: PixelReader | None = None) -> Volume:
    """Decode a stack; several images at one position become their geometric mean, each image once.

    The geometric mean over orthogonal directions is the trace-weighted image: exp(-b (Dxx + Dyy + Dzz) / 3). An image
    that was exported twice, under another UID, is known by its voxels and does not weigh double.

    Args:
        stack: from `build_stack`.
        pixels: a reader that may hold the file decoded already.

    Raises:
        ReadingError: if an image cannot be decoded; the message names series and transfer syntax.
    """
    voxels = np.empty(stack.grid.shape, np.float32, order="F")  # as planes come, and as NIfTI stores them
    pixels = pixels or PixelReader()
    for index, images in enumerate(stack.slices):
        planes = _distinct([pixels.read(image) for image in images])
        voxels[:, :, index] = planes[0].T if len(planes) == 1 else _geometric_mean(np.stack(planes)).T
    return Volume(voxels, stack.grid.affine)


def _distinct(planes: list[np.ndarray]) -> list[np.ndarray]:
    return planes if len(planes) == 1 else list({plane.tobytes(): plane for plane in planes}.values())


def _geometric_mean(planes: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.exp(np.log(np.maximum(planes, 0)).mean(axis=0))
