"""How a volume lies in the patient, and the axes on which a scanner would have written it.

NIfTI, MetaImage and NRRD store axes in any order and direction. A scanner writes slices: rows run to the left or, in
sagittal slices, to the back; columns run to the back or, in sagittal and coronal slices, to the feet.
"""

from dataclasses import dataclass

import numpy as np

from prostate_alm.studies.dicom.instances import MAX_BYTES
from prostate_alm.studies.geometry import LPS_TO_RAS
from prostate_alm.studies.headers import FormError

_AS_WRITTEN = ("PIR", "LIP", "LPS")
"""Where column index, row index and slice run, for slices across the patient's x, y and z."""
_SAME_STEP = 0.01


class NotReadError(ValueError):
    """A whole file, but of a kind that is no series of images; the message says which."""


@dataclass(frozen=True)
class Form:
    """What a volume file says before its voxels are read.

    Args:
        shape: voxels along the three axes of space, and volumes.
        affine: (4, 4), index -> RAS mm.
        monochrome: False if a voxel is a colour.
    """

    shape: tuple[int, int, int, int]
    affine: np.ndarray
    monochrome: bool = True

    @classmethod
    def of(cls, sizes: list[int], affine: np.ndarray, voxel_bytes: int, *, monochrome: bool = True) -> "Form":
        """A form whose sizes are safe to allocate.

        Args:
            sizes: of every axis; ones are added or left out at the end, so that four are left.
            affine: (4, 4), index -> RAS mm.
            voxel_bytes: of one stored voxel.
            monochrome: False if a voxel is a colour.

        Raises:
            FormError: if a size is not positive, the image is too large or the affine has no inverse.
            NotReadError: if there are more than four axes.
        """
        if min(sizes, default=0) < 1:
            raise FormError("an axis without voxels")
        while len(sizes) > 4 and sizes[-1] == 1:
            sizes = sizes[:-1]
        if len(sizes) > 4:
            raise NotReadError(f"it has {len(sizes)} axes, not 3 or 4")
        x, y, z, volumes = (*sizes, 1, 1, 1)[:4]
        if x * y * z * volumes * max(voxel_bytes, 4) > MAX_BYTES:
            raise FormError(f"an image of more than {MAX_BYTES >> 20} MiB")
        if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) < 3:
            raise FormError("it does not say how it lies in the patient: its axes do not span the space")
        return cls((x, y, z, volumes), affine, monochrome)


@dataclass(frozen=True)
class Scan:
    """A volume on the axes on which a scanner would have written it.

    Args:
        columns: voxels along a row.
        rows: voxels along a column.
        slices: how many.
        volumes: how many, one after the other.
        affine: (4, 4), index (column, row, slice) -> LPS mm.
        turn: what the stored axes become, as nibabel's orientations have it.
    """

    columns: int
    rows: int
    slices: int
    volumes: int
    affine: np.ndarray
    turn: np.ndarray

    def planes(self, voxels: np.ndarray) -> np.ndarray:
        """The slices of all volumes, (frames, rows, columns), the slices of one volume together.

        Args:
            voxels: as stored, three or four axes.
        """
        from nibabel.orientations import apply_orientation

        turned = apply_orientation(voxels, self.turn)
        turned = turned.reshape((*turned.shape[:3], -1))
        return np.ascontiguousarray(turned.T).reshape((-1, self.rows, self.columns))


def as_scanned(form: Form) -> Scan:
    """Turn and flip axes, without resampling, to what a scanner writes.

    Slices lie across the axis whose step differs most from the other two, the last one if all are alike: then rows and
    columns have nearly the same pixel size.

    Args:
        form: of a file.

    Example:
        >>> form = Form((19, 384, 384, 1), np.array([[0, 0, 0.5, 0], [0, 0.5, 0, 0], [3, 0, 0, 0], [0, 0, 0, 1.0]]))
        >>> scan = as_scanned(form)
        >>> (scan.columns, scan.rows, scan.slices), np.diag(scan.affine).tolist()
        ((384, 384, 19), [0.5, 0.5, 3.0, 1.0])
    """
    from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform

    stored = io_orientation(form.affine)
    across = int(stored[_slice_axis(form.affine), 0])
    turn = ornt_transform(stored, axcodes2ornt(_AS_WRITTEN[across]))
    affine = LPS_TO_RAS @ form.affine @ inv_ornt_aff(turn, form.shape[:3])
    columns, rows, slices = (form.shape[int(axis)] for axis in np.argsort(turn[:, 0]))
    return Scan(columns, rows, slices, form.shape[3], affine, turn)


def _slice_axis(affine: np.ndarray) -> int:
    steps = np.log(np.linalg.norm(affine[:3, :3], axis=0))
    if np.ptp(steps) < _SAME_STEP:
        return 2
    in_plane = [abs(steps[(axis + 1) % 3] - steps[(axis + 2) % 3]) for axis in range(3)]
    return min(range(3), key=lambda axis: (round(float(in_plane[axis]), 3), -steps[axis]))
