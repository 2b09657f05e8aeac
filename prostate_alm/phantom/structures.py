"""The parts an anatomy is painted from: tissues, soft ellipsoids and smooth random texture."""

from dataclasses import dataclass

import numpy as np

from prostate_alm.phantom.grid import Box, Grid


@dataclass(frozen=True)
class Tissue:
    """What one tissue shows.

    Args:
        t2w: signal of the T2-weighted sequence, arbitrary units.
        s0: signal of the diffusion sequence at b = 0 (fat is suppressed there), arbitrary units.
        adc: apparent diffusion coefficient in mm2/s.
    """

    t2w: float
    s0: float
    adc: float


@dataclass(frozen=True)
class Ellipsoid:
    """A body with a soft edge.

    Args:
        tissue: what it is made of.
        centre_mm: (3,) LPS.
        semi_axes_mm: (3,) half lengths along its own axes.
        axes: (3, 3) its axes, unit vectors as rows.
        edge_mm: width of the edge; a coarser grid widens it to one voxel.
        strength: share of its tissue in the middle, 0 to 1; the rest is what lies below.
    """

    tissue: Tissue
    centre_mm: np.ndarray
    semi_axes_mm: np.ndarray
    axes: np.ndarray
    edge_mm: float = 1.0
    strength: float = 1.0

    def box(self, grid: Grid) -> Box:
        """The part of the grid that it can reach."""
        reach = np.asarray(self.semi_axes_mm) + 2 * max(self.edge_mm, grid.spacing_mm[0])
        return grid.box(self.centre_mm, np.linalg.norm((self.axes * reach[:, None]) @ grid.axes.T, axis=0))

    def weight(self, grid: Grid, box: Box) -> np.ndarray:
        """Share of this body in every voxel of the box, 0 to `strength`; half of it on the surface."""
        squares = np.float32(0)
        for axis, length in zip(self.axes, self.semi_axes_mm, strict=True):
            direction = axis / length
            squares = squares + (grid.projection(direction, box) - np.float32(self.centre_mm @ direction)) ** 2
        radius = float(np.prod(self.semi_axes_mm) ** (1 / 3))
        edge = max(self.edge_mm, grid.spacing_mm[0])
        depth = (1 - np.sqrt(squares)) * np.float32(min(radius, 60.0) / edge)
        return np.float32(self.strength) * np.clip(depth + np.float32(0.5), 0, 1)


@dataclass(frozen=True)
class Texture:
    """A smooth random field with mean 0 and variance 1: a sum of plane waves.

    Args:
        wave_vectors: (waves, 3) in radians per mm.
        phases: (waves,) in radians.
    """

    wave_vectors: np.ndarray
    phases: np.ndarray

    @classmethod
    def draw(cls, generator: np.random.Generator, *, wavelengths_mm: tuple[float, float], waves: int = 8) -> "Texture":
        """Directions on the sphere, wavelengths in a range, phases at random."""
        directions = generator.standard_normal((waves, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = generator.uniform(*wavelengths_mm, size=(waves, 1))
        return cls(2 * np.pi * directions / lengths, generator.uniform(0, 2 * np.pi, waves))

    def sample(self, grid: Grid, box: Box | None = None) -> np.ndarray:
        """The field on every voxel of the box, float32."""
        waves = zip(self.wave_vectors, self.phases, strict=True)
        total = sum(np.cos(grid.projection(vector, box) + np.float32(phase)) for vector, phase in waves)
        return np.asarray(total * np.float32(np.sqrt(2 / len(self.phases))))
