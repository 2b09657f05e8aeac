"""One synthetic pelvis, drawn at random and sampled on any grid in patient space."""

from dataclasses import dataclass

import numpy as np

from prostate_alm.phantom.findings import Finding
from prostate_alm.phantom.grid import Grid, rotation
from prostate_alm.phantom.structures import Ellipsoid, Texture, Tissue

# Relaxation and diffusion at 3 T in round figures; the ADCs follow the ranges of PI-RADS v2.1 and its sources.
FAT = Tissue(t2w=620, s0=50, adc=0.0004)
SKIN_TO_PELVIS = Tissue(t2w=430, s0=90, adc=0.0008)
MUSCLE = Tissue(t2w=130, s0=330, adc=0.0013)
BONE = Tissue(t2w=300, s0=60, adc=0.0005)
URINE = Tissue(t2w=1000, s0=800, adc=0.0029)
RECTAL_WALL = Tissue(t2w=240, s0=450, adc=0.0014)
RECTAL_GAS = Tissue(t2w=25, s0=25, adc=0.0010)
VESICLE = Tissue(t2w=750, s0=750, adc=0.0019)
CAPSULE = Tissue(t2w=170, s0=420, adc=0.0013)
CYST = Tissue(t2w=1700, s0=1250, adc=0.0026)


@dataclass(frozen=True)
class Anatomy:
    """Everything that does not depend on the scanner.

    Args:
        bodies: painted in this order, later ones over earlier ones.
        prostate: the gland as a whole; the peripheral zone is what is painted first in it.
        cyst: a small bright cyst of the utricle: the landmark that shows on T2 and at low b.
        finding: the lesion or look-alike, or None.
        t2w_texture: relative variation of the T2 signal.
        diffusion_texture: relative variation of S0 and ADC.
        heterogeneity: standard deviation of the variation inside the prostate.
        coil: (3,) direction and strength, per mm, of the logarithm of the receive sensitivity.
    """

    bodies: tuple[Ellipsoid, ...]
    prostate: Ellipsoid
    cyst: Ellipsoid
    finding: Finding | None
    t2w_texture: Texture
    diffusion_texture: Texture
    heterogeneity: float
    coil: np.ndarray

    def landmarks(self) -> dict[str, list[float]]:
        """Named points, LPS in mm."""
        return {
            "prostate_centre": [round(float(value), 3) for value in self.prostate.centre_mm],
            "utricle_cyst": [round(float(value), 3) for value in self.cyst.centre_mm],
        }

    def t2w(self, grid: Grid) -> np.ndarray:
        """The T2-weighted image without noise, (slices, rows, columns)."""
        (image,) = self._paint(grid, ("t2w",))
        self._vary(image, grid, self.t2w_texture)
        return image * self._sensitivity(grid)

    def diffusion(self, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """S0 (with the coil's sensitivity) and ADC in mm2/s, each (slices, rows, columns)."""
        s0, adc = self._paint(grid, ("s0", "adc"))
        self._vary(adc, grid, self.diffusion_texture)
        return s0 * self._sensitivity(grid), adc

    def _paint(self, grid: Grid, properties: tuple[str, ...]) -> list[np.ndarray]:
        images = [np.zeros(grid.shape[::-1], dtype=np.float32) for _ in properties]
        finding = () if self.finding is None else (self.finding.body,)
        for body in (*self.bodies, *finding, self.cyst):
            box = body.box(grid)
            weight = body.weight(grid, box)
            for image, name in zip(images, properties, strict=True):
                image[box] += weight * (np.float32(getattr(body.tissue, name)) - image[box])
        return images

    def _vary(self, image: np.ndarray, grid: Grid, texture: Texture) -> None:
        """Multiply by 1 + heterogeneity * texture inside the prostate, but not in the cyst."""
        box = self.prostate.box(grid)
        inside = self.prostate.weight(grid, box) * (1 - self.cyst.weight(grid, box))
        image[box] *= 1 + np.float32(self.heterogeneity) * inside * np.clip(texture.sample(grid, box), -2.5, 2.5)

    def _sensitivity(self, grid: Grid) -> np.ndarray:
        linear = grid.projection(self.coil) - np.float32(self.prostate.centre_mm @ self.coil)
        return np.exp(linear)


def draw_anatomy(generator: np.random.Generator) -> Anatomy:
    """A pelvis without any finding; size, place, shape and sensitivity differ by draw."""
    middle = generator.uniform(-1, 1, 3) * np.array([15.0, 25.0, 40.0])
    x, y, z = generator.uniform(-1, 1, 3) * np.array([6.0, 3.0, 4.0])
    axes = rotation((x, y, z))
    gland = _Gland.draw(generator, middle, axes)
    direction = generator.standard_normal(3)
    coil = direction / np.linalg.norm(direction) * generator.uniform(0.0003, 0.0015)
    return Anatomy(
        bodies=(*_surroundings(generator, middle, gland), *gland.bodies),
        prostate=gland.whole,
        cyst=gland.cyst,
        finding=None,
        t2w_texture=Texture.draw(generator, wavelengths_mm=(5.0, 25.0)),
        diffusion_texture=Texture.draw(generator, wavelengths_mm=(8.0, 30.0)),
        heterogeneity=float(generator.uniform(0.03, 0.07)),
        coil=coil,
    )


@dataclass(frozen=True)
class _Gland:
    """The prostate: the whole, the landmark, and all bodies in painting order."""

    whole: Ellipsoid
    cyst: Ellipsoid
    bodies: tuple[Ellipsoid, ...]

    @classmethod
    def draw(cls, generator: np.random.Generator, middle: np.ndarray, axes: np.ndarray) -> "_Gland":
        """A gland near `middle` (mm), lying along `axes` (3, 3), everything else drawn."""
        centre = middle + generator.uniform(-1, 1, 3) * np.array([6.0, 6.0, 3.0])
        size = generator.uniform([22, 16, 18], [29, 21, 24])
        peripheral = Tissue(generator.uniform(470, 620), generator.uniform(720, 850), generator.uniform(0.0015, 0.0019))
        whole = Ellipsoid(peripheral, centre, size, axes)
        capsule = Ellipsoid(CAPSULE, centre, size + 1.0, axes)
        inner_size = size * generator.uniform([0.6, 0.5, 0.6], [0.78, 0.7, 0.8])
        inner_centre = centre + np.array([0.0, -0.22 * size[1], 0.1 * size[2]]) @ axes
        transition = Tissue(generator.uniform(290, 380), generator.uniform(650, 760), generator.uniform(0.0012, 0.0015))
        inner = Ellipsoid(transition, inner_centre, inner_size, axes)
        nodules = [_nodule(generator, inner) for _ in range(int(generator.integers(2, 7)))]
        cyst_centre = centre + np.array([0.0, 0.42 * size[1], 0.35 * size[2]]) @ axes
        cyst = Ellipsoid(CYST, cyst_centre, np.full(3, 3.6), axes, edge_mm=0.8)
        return cls(whole, cyst, (capsule, whole, inner, *nodules))


def _nodule(generator: np.random.Generator, inner: Ellipsoid) -> Ellipsoid:
    """A benign nodule of the transition zone: glandular (bright) to mixed (darker)."""
    glandular = generator.random()
    tissue = Tissue(230 + 330 * glandular, 680 + 80 * glandular, 0.00112 + 0.0006 * glandular)
    offset = generator.uniform(-0.6, 0.6, 3) * inner.semi_axes_mm
    size = generator.uniform(2.5, 6.5) * generator.uniform(0.85, 1.15, 3)
    return Ellipsoid(tissue, inner.centre_mm + offset @ inner.axes, size, inner.axes, edge_mm=1.2)


def _surroundings(generator: np.random.Generator, middle: np.ndarray, gland: _Gland) -> list[Ellipsoid]:
    """Body, fat, bones, muscles, bladder, rectum and seminal vesicles around the gland, back to front."""
    axes, size, centre = np.eye(3), gland.whole.semi_axes_mm, gland.whole.centre_mm

    def at(tissue: Tissue, offset: tuple[float, ...], semi_axes: tuple[float, ...], edge_mm: float = 1.5) -> Ellipsoid:
        jitter = generator.uniform(-2, 2, 3)
        return Ellipsoid(tissue, middle + np.array(offset) + jitter, np.array(semi_axes), axes, edge_mm=edge_mm)

    width = generator.uniform(0.95, 1.08)
    rectum = generator.uniform(9, 15)
    bladder = generator.uniform(24, 32)
    behind = float((centre - middle)[1] + size[1] + rectum + 2.0)
    above = float((centre - middle)[2] + size[2] + 0.8 * bladder)
    return [
        at(FAT, (0, 0, 0), (180 * width, 115 * width, 320)),
        at(SKIN_TO_PELVIS, (0, 0, 0), (150 * width, 95 * width, 300)),
        *(at(BONE, (side * 82 * width, -15, 5), (22, 28, 45)) for side in (-1, 1)),
        at(BONE, (0, -58, -8), (20, 14, 22)),
        *(at(MUSCLE, (side * 52 * width, -2, 0), (9, 34, 60)) for side in (-1, 1)),
        *(at(MUSCLE, (side * 50 * width, 72, 0), (42, 22, 90)) for side in (-1, 1)),
        at(FAT, (0, 10, 0), (40, 42, 60), 6.0),
        at(URINE, (0, -10, above), (1.2 * bladder, 0.9 * bladder, 0.8 * bladder)),
        at(RECTAL_WALL, (0, behind, 0), (rectum + 3, rectum, 130)),
        at(RECTAL_GAS, (0, behind, 0), (rectum - 1, rectum - 4, 120)),
        *(at(VESICLE, (side * 14, behind - rectum - 4, above - 0.6 * bladder), (11, 5, 6)) for side in (-1, 1)),
    ]
