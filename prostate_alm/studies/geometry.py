"""Image positions -> one grid in patient space, checked; never from file order or instance numbers.

DICOM PS3.3 C.7.6.2.1.1: the centre of pixel (column i, row j) is at S + X di i + Y dj j, with S the
ImagePositionPatient, X and Y the row and column cosines of ImageOrientationPatient, in the system LPS.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from prostate_alm.studies.headers import Header

POSITION_TOLERANCE_MM = 0.05
COSINE_TOLERANCE = 1e-3
SPACING_TOLERANCE = 0.01
_LARGEST_GAP = 1.5
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


class ReadingError(ValueError):
    """Something in a study cannot be read; the message holds nothing that identifies a person."""


@dataclass(frozen=True)
class Grid:
    """A regular grid in patient space.

    Args:
        shape: (columns, rows, slices).
        affine: (4, 4), index (column, row, slice) -> RAS mm, as NIfTI has it.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along each index axis, mm."""
        x, y, z = (float(length) for length in np.linalg.norm(self.affine[:3, :3], axis=0))
        return x, y, z

    def same_as(self, other: "Grid") -> bool:
        """True if both have one shape and affines that agree to 0.05 mm."""
        return self.shape == other.shape and bool(np.allclose(self.affine, other.affine, rtol=0, atol=0.05))


@dataclass(frozen=True)
class Stack:
    """Images in order along their normal: one tuple per slice, with one image or the repeats at that position."""

    slices: tuple[tuple[Header, ...], ...]
    grid: Grid


def normal_of(image: Header) -> np.ndarray | None:
    """The unit normal of an image in LPS, or None if its orientation is missing or no pair of unit vectors."""
    return _normal(image.orientation)


@lru_cache(maxsize=4096)
def _normal(orientation: tuple[float, ...]) -> np.ndarray | None:
    if len(orientation) != 6:
        return None
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    off = max(abs(np.linalg.norm(row) - 1), abs(np.linalg.norm(column) - 1), abs(row @ column))
    return None if off > COSINE_TOLERANCE else np.cross(row, column)


def plane_of(image: Header, max_tilt_deg: float) -> str:
    """`axial`, `sagittal`, `coronal`, `oblique` (tilted by more than the limit from all three) or `unknown`.

    Prostate protocols tilt the axial plane, commonly by up to 30 degrees, to stand square on the rectal wall.
    """
    return _plane(image.orientation, max_tilt_deg)


@lru_cache(maxsize=4096)
def _plane(orientation: tuple[float, ...], max_tilt_deg: float) -> str:
    normal = _normal(orientation)
    if normal is None:
        return "unknown"
    axis = int(np.argmax(np.abs(normal)))
    if np.degrees(np.arccos(min(1.0, abs(float(normal[axis]))))) > max_tilt_deg:
        return "oblique"
    return ("sagittal", "coronal", "axial")[axis]


def build_stack(images: Sequence[Header], *, repeats: bool = False) -> Stack:
    """Order images along their normal and check that they form one regular grid.

    Args:
        images: at least two images of one kind.
        repeats: several images may share a position (diffusion directions), the same number at each.

    Raises:
        ReadingError: a missing or doubled position, uneven spacing, a tilt, mixed matrices, spacings or orientations;
            the message names the series and the positions.
    """
    name = images[0].name
    normal = _common_plane(images, name)
    groups = _by_position(images, normal)
    if len(groups) < 2:
        raise ReadingError(f"{name}: all images lie at one position, {_place(images[0])}")
    _check_repeats(groups, repeats, name)
    positions = np.array([group[0].position_mm for group in groups])
    _check_steps(groups, positions, normal, name)
    first = images[0]
    affine = np.eye(4)
    affine[:3, 0] = np.array(first.orientation[:3]) * first.pixel_spacing_mm[1]
    affine[:3, 1] = np.array(first.orientation[3:]) * first.pixel_spacing_mm[0]
    affine[:3, 2] = (positions[-1] - positions[0]) / (len(groups) - 1)
    affine[:3, 3] = positions[0]
    return Stack(tuple(groups), Grid((first.columns, first.rows, len(groups)), LPS_TO_RAS @ affine))


def _place(image: Header) -> str:
    return "(" + ", ".join(f"{value:.1f}" for value in image.position_mm) + ") mm"


def where(images: Sequence[Header]) -> str:
    """How messages name images: how many, and the positions of the first three.

    Args:
        images: at least one.
    """
    places = list(dict.fromkeys(_place(image) if image.position_mm else "no position" for image in images))
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    count = "1 image" if len(images) == 1 else f"{len(images)} images"
    return f"{count} at {', '.join(places[:3])}{more}"


def _common_plane(images: Sequence[Header], name: str) -> np.ndarray:
    first = images[0]
    normal = normal_of(first)
    for image in images:
        if normal is None or normal_of(image) is None or len(image.position_mm) != 3:
            raise ReadingError(f"{name}: an image states no usable ImageOrientationPatient or ImagePositionPatient")
        if len(image.pixel_spacing_mm) != 2 or min(image.pixel_spacing_mm) <= 0:
            raise ReadingError(f"{name}: an image states no usable PixelSpacing")
        if (image.columns, image.rows) != (first.columns, first.rows):
            raise ReadingError(
                f"{name}: mixed matrices, {first.columns}x{first.rows} and {image.columns}x{image.rows} "
                f"at {_place(image)}"
            )
        if _differ(image.orientation, first.orientation, COSINE_TOLERANCE):
            raise ReadingError(f"{name}: mixed orientations, at {_place(first)} and at {_place(image)}")
        if _differ(image.pixel_spacing_mm, first.pixel_spacing_mm, 1e-3 * min(first.pixel_spacing_mm)):
            raise ReadingError(f"{name}: mixed pixel spacings, at {_place(first)} and at {_place(image)}")
    assert normal is not None
    return normal


def _differ(one: tuple[float, ...], other: tuple[float, ...], tolerance: float) -> bool:
    return one != other and any(abs(a - b) > tolerance for a, b in zip(one, other, strict=True))


def _by_position(images: Sequence[Header], normal: np.ndarray) -> list[tuple[Header, ...]]:
    heights = np.array([image.position_mm for image in images]) @ normal
    groups: list[list[Header]] = []
    last = -np.inf
    for index in np.argsort(heights, kind="stable"):
        if heights[index] - last > POSITION_TOLERANCE_MM:
            groups.append([])
            last = heights[index]
        groups[-1].append(images[index])
    return [tuple(sorted(group, key=lambda image: (image.sop_uid, image.frame))) for group in groups]


def _check_repeats(groups: list[tuple[Header, ...]], repeats: bool, name: str) -> None:
    counts = [len(group) for group in groups]
    usual = max(set(counts), key=counts.count) if repeats else 1
    for group in groups:
        if len(group) == usual:
            continue
        if repeats:
            raise ReadingError(f"{name}: {len(group)} images at {_place(group[0])}, {usual} at the other positions")
        raise ReadingError(f"{name}: {len(group)} images at one position, {_place(group[0])}")


def _check_stated_step(image: Header, usual: float, name: str) -> None:
    """Slices further apart than stated: every second one may be missing.

    SpacingBetweenSlices (0018,0088) is from centre to centre (PS3.3 C.8.3.1); some scanners state the gap, which is
    less than the thickness and then does not count.
    """
    step, thickness = abs(image.step_mm or 0.0), image.thickness_mm or 0.0
    from_centre = step > 0 and step >= 0.99 * thickness
    limit = 1.05 * step + POSITION_TOLERANCE_MM if from_centre else _LARGEST_GAP * thickness
    if 0 < limit < usual:
        stated = f"SpacingBetweenSlices {step:g}" if from_centre else f"SliceThickness {thickness:g}"
        raise ReadingError(f"{name}: slices lie {usual:.2f} mm apart, {stated} mm is stated; are slices missing?")


def _check_steps(groups: list[tuple[Header, ...]], positions: np.ndarray, normal: np.ndarray, name: str) -> None:
    for group, position in zip(groups, positions, strict=True):
        if any(np.linalg.norm(position - image.position_mm) > POSITION_TOLERANCE_MM for image in group):
            raise ReadingError(f"{name}: images beside each other in one plane, at {_place(group[0])}")
    heights = positions @ normal
    shear = np.linalg.norm((positions - positions[0]) - np.outer(heights - heights[0], normal), axis=1)
    if shear.max() > POSITION_TOLERANCE_MM * 2:
        at = groups[int(shear.argmax())][0]
        raise ReadingError(f"{name}: tilted, the slice at {_place(at)} is shifted by {shear.max():.1f} mm in its plane")
    steps = np.diff(heights)
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])
    _check_stated_step(groups[0][0], usual, name)
    for index in np.flatnonzero(np.abs(steps - usual) > max(POSITION_TOLERANCE_MM, SPACING_TOLERANCE * usual)):
        below, above = _place(groups[index][0]), _place(groups[index + 1][0])
        kind = "a gap (missing slice)" if steps[index] > usual else "uneven spacing"
        raise ReadingError(
            f"{name}: {kind} between {below} and {above}: {steps[index]:.2f} mm, elsewhere {usual:.2f} mm"
        )
