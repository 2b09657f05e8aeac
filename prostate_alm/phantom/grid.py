"""A scanner's sampling grid in patient space (LPS, mm)."""

from dataclasses import dataclass

import numpy as np

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Grid:
    """The voxels of one stack of slices.

    Arrays on a grid have shape (slices, rows, columns), as the pixels of DICOM files that follow each other.

    Args:
        centre_mm: (3,) the middle of the stack, LPS.
        axes: (3, 3) unit vectors as rows: along a row (column index grows), along a column (row index grows), and
            across the slices.
        spacing_mm: (columns, rows, slices) distance between neighbours.
        shape: (columns, rows, slices) number of voxels.
    """

    centre_mm: np.ndarray
    axes: np.ndarray
    spacing_mm: tuple[float, float, float]
    shape: tuple[int, int, int]

    @property
    def steps(self) -> np.ndarray:
        """(3, 3) the step in mm along columns, rows and slices, as rows of the array."""
        return self.axes * np.asarray(self.spacing_mm)[:, None]

    @property
    def origin_mm(self) -> np.ndarray:
        """(3,) the centre of the first voxel."""
        return self.centre_mm - (np.asarray(self.shape) - 1) / 2 @ self.steps

    def position_mm(self, column: float, row: float, slice_: float) -> np.ndarray:
        """(3,) the patient position of a voxel, LPS (PS3.3 C.7.6.2.1.1)."""
        return self.origin_mm + np.asarray([column, row, slice_]) @ self.steps

    def index(self, point_mm: np.ndarray) -> np.ndarray:
        """(column, row, slice), not rounded, of a patient position.

        Example:
            >>> grid = Grid(np.zeros(3), np.eye(3), (2.0, 2.0, 3.0), (11, 11, 5))
            >>> grid.index(np.array([4.0, 0.0, -3.0]))
            array([7., 5., 1.])
        """
        return self.axes @ (np.asarray(point_mm) - self.origin_mm) / np.asarray(self.spacing_mm)

    def box(self, centre_mm: np.ndarray, half_extent_mm: np.ndarray) -> Box:
        """The index ranges (slices, rows, columns) that hold a body with these half extents along the grid's axes."""
        middle = self.index(centre_mm)
        reach = np.asarray(half_extent_mm) / np.asarray(self.spacing_mm)
        low = np.clip(np.floor(middle - reach), 0, self.shape).astype(int)
        high = np.clip(np.ceil(middle + reach) + 1, low, self.shape).astype(int)
        return slice(low[2], high[2]), slice(low[1], high[1]), slice(low[0], high[0])

    def projection(self, direction: np.ndarray, box: Box | None = None) -> np.ndarray:
        """`direction` . position for every voxel of the box, float32; any linear function of the position.

        Shapes:
            (slices, rows, columns) of the box.
        """
        slices, rows, columns = box or (slice(None), slice(None), slice(None))
        along = [np.arange(count) * step for count, step in zip(self.shape, self.steps @ direction, strict=True)]
        across = along[2][slices] + self.origin_mm @ direction
        return (
            across.astype(np.float32)[:, None, None]
            + along[1][rows].astype(np.float32)[None, :, None]
            + along[0][columns].astype(np.float32)[None, None, :]
        )


def rotation(degrees_xyz: tuple[float, float, float]) -> np.ndarray:
    """(3, 3) rotation about x, then y, then z; its rows are the turned axes of an axial stack.

    Example:
        >>> rotation((0.0, 0.0, 90.0)).round(6) + 0.0
        array([[ 0.,  1.,  0.],
               [-1.,  0.,  0.],
               [ 0.,  0.,  1.]])
    """
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.deg2rad(degrees_xyz)), np.sin(np.deg2rad(degrees_xyz))
    about_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_z = np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


AXIAL = np.eye(3)
SAGITTAL = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
CORONAL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
