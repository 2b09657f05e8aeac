"""Key pictures of a study: T2 and diffusion at one place of the patient, turned as radiologists look at them.

The patient's right is at the left of the picture and anterior is up, whatever the order of the stored voxels; pixels
are square in millimetres. The T2 slice is shown as it was acquired, diffusion is interpolated linearly onto it.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
from matplotlib import get_data_path
from nibabel.processing import resample_from_to
from PIL import Image, ImageDraw, ImageFont

from prostate_alm.errors import NoInputError
from prostate_alm.render.outlines import outlined
from prostate_alm.studies.volumes import Volume

NAMES = {"t2w": "T2", "dwi_b100": "DWI b100", "dwi_b600": "DWI b600", "dwi_b1000": "DWI b1000"}
"""What a sequence is called on its picture."""

_GREYS = 64  # as many as a page shows apart; a quarter of the bytes of noise goes with the rest
_BAR_MM = 20
_SEARCH_MM = 64.0
_WINDOW = (1.0, 99.5)
_FLAT = 1e-9  # mm3


@dataclass(frozen=True)
class View:
    """What is shown of a study.

    Args:
        sequences: in this order; those that a study lacks are left out.
        slices: how many slices, from foot to head around the chosen one.
        step_mm: distance between them, mm, rounded to whole T2 slices.
        width_mm: side of the square that is shown, around the centre of T2; the network sees 128 mm too.
        pixels: side of the picture.
        at_mm: a point in RAS mm whose slice is shown, for example where saliency is highest; None lets
            `key_pictures` choose.
        outline: a map of which an outline is drawn; None draws none.
        outline_level: the outline runs where the map reaches this.

    Raises:
        ValueError: if a number is not positive.
    """

    sequences: Sequence[str] = ("t2w", "dwi_b1000")
    slices: int = 1
    step_mm: float = 6.0
    width_mm: float = 128.0
    pixels: int = 192
    at_mm: tuple[float, float, float] | None = None
    outline: Volume | None = None
    outline_level: float = 0.0

    def __post_init__(self) -> None:
        if min(self.slices, self.step_mm, self.width_mm, self.pixels) <= 0:
            raise ValueError("slices, step, width and pixels of a view must be positive")


@dataclass(frozen=True)
class KeyPicture:
    """One picture of a study.

    Args:
        png: 8-bit PNG, grey unless it has an outline; orientation letters, sequence, height and scale bar burnt in.
        sequence: `t2w`, `dwi_b1000`, ...
        height_mm: of the slice's centre along the patient, RAS and DICOM z.
        caption: what it shows, in words, also for those who cannot see it.
    """

    png: bytes
    sequence: str
    height_mm: float
    caption: str


def key_pictures(images: Mapping[str, Volume | Path | str], view: View | None = None) -> list[KeyPicture]:
    """Pictures of one or several slices, each sequence at the same place of the patient.

    The slice, unless the view names a point: of the T2 slices within the middle four fifths of what T2 and diffusion
    both cover, the one where b1000 shines most (98th percentile in the central 64 mm, where b100 has signal); without
    diffusion, or where nothing shines, the middle one. It is where a reader looks first, no statement that a lesion is
    there. Grey: percentiles 1 to 99.5 of the slices shown, each sequence by itself.

    Args:
        images: sequence name -> volume, or a file that `prepare` wrote.
        view: what to show; None is T2 and b1000 of one slice.

    Returns:
        Slice by slice from foot to head, in each the view's sequences; empty if the study has none of them.

    Raises:
        NoInputError: if a file cannot be read, or a volume has no extent in space.

    Example:
        >>> t2w = Volume(np.random.default_rng(0).random((40, 40, 5), np.float32), np.diag([3.0, 3.0, 3.0, 1.0]))
        >>> [picture.caption for picture in key_pictures({"t2w": t2w})]
        ['T2, axial, z 6.0 mm']
    """
    view = view or View()
    wanted = {*view.sequences, "t2w", "dwi_b100", "dwi_b1000"}
    volumes = {name: _finite(image) for name, image in images.items() if name in wanted}
    shown = [name for name in view.sequences if name in volumes]
    if not shown:
        return []
    plane = _Plane.of(volumes.get("t2w", volumes[shown[0]]), view)
    chosen = _slice(plane, volumes, view)
    stacks = {name: [plane.cut(volumes[name], index) for index in plane.around(chosen, view)] for name in shown}
    greys = {name: _grey(np.stack(slices)) for name, slices in stacks.items()}
    return [
        _picture(greys[name][place], name, plane, index, view)
        for place, index in enumerate(plane.around(chosen, view))
        for name in shown
    ]


def _finite(image: Volume | Path | str) -> Volume:
    volume = image if isinstance(image, Volume) else Volume.load(image)
    axes = volume.affine[:3, :3]
    if 0 in volume.voxels.shape or not np.isfinite(volume.affine).all() or abs(np.linalg.det(axes)) < _FLAT:
        raise NoInputError("a volume has no extent in space and cannot be shown; prepare the study again")
    return Volume(np.nan_to_num(np.asarray(volume.voxels, np.float32), posinf=0, neginf=0), volume.affine)


@dataclass(frozen=True)
class _Plane:
    """The pictures' plane in the patient: where slice 0 has its middle, and unit steps in mm, RAS.

    Args:
        middle: of slice 0, (3,).
        leftward, backward: along the picture's columns and rows, one pixel, (3,).
        upward: from a slice to the next towards the head, (3,).
        slices: how many there are.
        pixels: side of the picture.
    """

    middle: np.ndarray
    leftward: np.ndarray
    backward: np.ndarray
    upward: np.ndarray
    slices: int
    pixels: int

    @classmethod
    def of(cls, volume: Volume, view: View) -> "_Plane":
        """The plane of a volume's own slices, however its axes are stored."""
        wanted = nib.orientations.axcodes2ornt(("L", "P", "S"))
        turn = nib.orientations.ornt_transform(nib.orientations.io_orientation(volume.affine), wanted)
        shape = np.array(volume.voxels.shape)
        affine = volume.affine @ nib.orientations.inv_ornt_aff(turn, volume.voxels.shape)
        shape = shape[np.argsort(turn[:, 0])]
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        pixel_mm = min(view.width_mm, float((shape * spacing)[:2].max())) / view.pixels
        left, back = affine[:3, 0] / spacing[0], affine[:3, 1] / spacing[1]
        back = back - (back @ left) * left
        middle = affine @ [*(shape[:2] - 1) / 2, 0, 1]
        return cls(
            middle[:3],
            left * pixel_mm,
            back / np.linalg.norm(back) * pixel_mm,
            affine[:3, 2],
            int(shape[2]),
            view.pixels,
        )

    @property
    def pixel_mm(self) -> float:
        return float(np.linalg.norm(self.leftward))

    def height_mm(self, index: int) -> float:
        """Of the middle of a slice along the patient."""
        return float(self.middle[2] + index * self.upward[2])

    def nearest(self, point: Sequence[float]) -> int:
        """The slice that a point in RAS mm lies in, or the outermost one."""
        up = self.upward / (self.upward @ self.upward)
        return int(np.clip(round(float((np.asarray(point) - self.middle) @ up)), 0, self.slices - 1))

    def around(self, index: int, view: View) -> list[int]:
        """As many slices as the view wants around one, foot first; fewer where the volume ends."""
        step = max(1, round(view.step_mm / float(np.linalg.norm(self.upward))))
        first = index - step * ((view.slices - 1) // 2)
        return [at for at in range(first, first + step * view.slices, step) if 0 <= at < self.slices]

    def cut(self, volume: Volume, index: int, pixels: int | None = None, pixel: float = 1.0) -> np.ndarray:
        """A volume's values on a slice, (rows, columns), 0 where it has none; `pixel` is a multiple of the plane's."""
        size = pixels or self.pixels
        affine = np.eye(4)
        affine[:3, :3] = np.stack([self.leftward * pixel, self.backward * pixel, self.upward], axis=1)
        affine[:3, 3] = self.middle + index * self.upward - affine[:3, :2] @ [(size - 1) / 2, (size - 1) / 2]
        image = nib.Nifti1Image(volume.voxels, volume.affine)  # pyright: ignore
        found = resample_from_to(image, ((size, size, 1), affine), order=1, mode="grid-constant")
        return np.asarray(found.dataobj)[:, :, 0].T


def _slice(plane: _Plane, volumes: Mapping[str, Volume], view: View) -> int:
    if view.at_mm is not None:
        return plane.nearest(view.at_mm)
    everywhere = list(range(plane.slices))
    b1000 = volumes.get("dwi_b1000")
    if b1000 is None:
        return everywhere[len(everywhere) // 2]
    covered = [index for index in everywhere if _covers(b1000, plane, index)] or everywhere
    outer = len(covered) // 10
    inner = covered[outer : len(covered) - outer]
    shine = [_shine(plane, volumes, index) for index in inner]
    return inner[int(np.argmax(shine))] if max(shine) > 0 else covered[len(covered) // 2]


def _covers(volume: Volume, plane: _Plane, index: int) -> bool:
    """Whether a slice's middle lies inside a volume."""
    place = np.linalg.inv(volume.affine) @ [*(plane.middle + index * plane.upward), 1]
    return bool(np.all((place[:3] > -0.5) & (place[:3] < np.array(volume.voxels.shape) - 0.5)))


def _shine(plane: _Plane, volumes: Mapping[str, Volume], index: int) -> float:
    """How bright b1000 is in the central part of a slice; 0 if there is no signal."""
    pixel_mm = 2.0
    size, pixel = round(_SEARCH_MM / pixel_mm), pixel_mm / plane.pixel_mm
    b1000 = plane.cut(volumes["dwi_b1000"], index, size, pixel)
    signal = plane.cut(volumes.get("dwi_b100", volumes["dwi_b1000"]), index, size, pixel)
    inside = signal > 0.05 * np.percentile(signal, 99.5)
    return float(np.percentile(b1000[inside], 98)) if inside.any() else 0.0


def _grey(values: np.ndarray) -> np.ndarray:
    """Windowed to 8 bits; places without any value stay black and do not count."""
    known = values[values != 0]
    if known.size == 0:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(known, _WINDOW)
    scaled = np.clip((values - low) / (high - low), 0, 1) if high > low else np.full(values.shape, 0.5)
    steps = np.round(np.where(values == 0, 0, scaled) * (_GREYS - 1))
    return np.round(steps * (255 / (_GREYS - 1))).astype(np.uint8)


def _picture(grey: np.ndarray, sequence: str, plane: _Plane, index: int, view: View) -> KeyPicture:
    name, height = NAMES.get(sequence, sequence), plane.height_mm(index)
    image = Image.fromarray(grey)
    if view.outline is not None:
        image = outlined(image, plane.cut(view.outline, index) >= view.outline_level)
    _mark(image, name, f"z {height:.1f} mm".replace("-", "\N{MINUS SIGN}"), _BAR_MM / plane.pixel_mm)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return KeyPicture(buffer.getvalue(), sequence, height, f"{name}, axial, z {height:.1f} mm")


def _mark(image: Image.Image, name: str, height: str, bar: float) -> None:
    """Burn in what a picture says without its page: names, sides of the patient, and a scale bar of 20 mm."""
    side, draw = image.width, ImageDraw.Draw(image)
    font = _font(max(10, side // 19))
    edge = 4
    places = {
        "R": (edge, side / 2, "lm"), "L": (side - edge, side / 2, "rm"), "A": (side / 2, edge, "mt"),
        "P": (side / 2, side - edge, "mb"), name: (edge, edge, "lt"), height: (edge, side - edge, "lb"),
    }  # fmt: skip
    for text, (x, y, anchor) in places.items():
        draw.text((x, y), text, fill="white", font=font, anchor=anchor, stroke_width=1, stroke_fill=0)
    right, bottom = side - edge - 1, side - edge - 1
    draw.rectangle((right - bar - 1, bottom - 4, right + 1, bottom + 1), fill="black")
    draw.rectangle((right - bar, bottom - 3, right, bottom), fill="white")
    draw.text((right, bottom - 7), f"{_BAR_MM} mm", fill="white", font=font, anchor="rb", stroke_width=1, stroke_fill=0)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"), size)
