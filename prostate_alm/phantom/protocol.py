"""What the scanner does with an anatomy: the series of one study, each on a grid of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prostate_alm.phantom.anatomy import Anatomy
from prostate_alm.phantom.grid import AXIAL, CORONAL, SAGITTAL, Grid, rotation
from prostate_alm.phantom.signal import diffusion_signal, fit_diffusion, rician

KINDS = ("localizer", "sagittal", "t2w", "dwi", "adc", "calculated")
MAX_STORED = 4095  # 12 bits, as MR scanners store
CALCULATED_B = 1500
ADC_UNIT = 1e-6  # mm2/s per stored step of an ADC map


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the noise per channel, in signal units (a peripheral zone has about 550 on T2).

    Args:
        t2w: of the T2-weighted series; signal to noise about 20.
        dwi: of the diffusion series; signal to noise about 55 at b 100 and 12 at b 1000.
    """

    t2w: float = 26.0
    dwi: float = 12.0


@dataclass(frozen=True)
class Frame:
    """One slice: stored pixels (rows, columns) of type uint16, its place, and its b-value if it has one."""

    pixels: np.ndarray
    grid: Grid
    slice_index: int
    b_value: int | None = None


@dataclass(frozen=True)
class Series:
    """The frames of one series; `kind` is one of `KINDS`."""

    kind: str
    frames: tuple[Frame, ...]


def acquire(
    anatomy: Anatomy, b_values: Sequence[int], generator: np.random.Generator, noise: Noise | None = None
) -> list[Series]:
    """The six series of one study, in the order of a scan.

    Args:
        anatomy: who is scanned.
        b_values: the acquired b-values in s/mm2, rising.
        generator: the study's source of chance for placement and noise.
        noise: how noisy the scanner is.
    """
    noise = noise or Noise()
    t2w_grid, dwi_grid = place_grids(anatomy, generator)
    centre = t2w_grid.centre_mm
    t2w = rician(anatomy.t2w(t2w_grid), noise.t2w, generator)
    s0, adc = anatomy.diffusion(dwi_grid)
    signals = [rician(diffusion_signal(s0, adc, b), noise.dwi, generator) for b in b_values]
    fitted_s0, fitted_adc = fit_diffusion(signals, b_values)
    tissue = signals[0] > 4 * noise.dwi
    calculated = diffusion_signal(fitted_s0, fitted_adc, CALCULATED_B) * tissue
    planes = [Grid(centre, axes, (3.125, 3.125, 12.0), (96, 96, 3)) for axes in (AXIAL, SAGITTAL, CORONAL)]
    sagittal = Grid(centre, SAGITTAL, (1.25, 1.25, 4.0), (128, 128, 11))
    return [
        Series("localizer", tuple(frame for grid in planes for frame in _scan(anatomy, grid, noise, generator))),
        Series("sagittal", _scan(anatomy, sagittal, noise, generator)),
        Series("t2w", _frames(t2w, t2w_grid)),
        Series("dwi", tuple(f for s, b in zip(signals, b_values, strict=True) for f in _frames(s, dwi_grid, b))),
        Series("adc", _frames(fitted_adc * tissue / ADC_UNIT, dwi_grid, max(b_values))),
        Series("calculated", _frames(calculated, dwi_grid, CALCULATED_B)),
    ]


def place_grids(anatomy: Anatomy, generator: np.random.Generator) -> tuple[Grid, Grid]:
    """The T2 grid (0.5 x 0.5 x 3 mm) and the diffusion grid (2 x 2 x 3 or 3.5 mm).

    Both are oblique by a few degrees; in half of the studies the diffusion grid has a tilt of its own. The gland lies
    a few millimetres off the middle of either.
    """
    x, y, z = generator.uniform(-1, 1, 3) * np.array([9.0, 3.0, 2.0])
    own_x, own_y = generator.uniform(-1, 1, 2) * np.array([4.0, 2.0])
    t2w_offset = generator.uniform(-1, 1, 3) * np.array([5.0, 5.0, 3.0])
    dwi_offset = t2w_offset + generator.uniform(-1, 1, 3) * np.array([6.0, 6.0, 2.0])
    own_tilt, thick = generator.random(2) < 0.5
    tilt = rotation((x, y, z))
    dwi_tilt = rotation((x + own_x, y + own_y, z)) if own_tilt else tilt
    centre = anatomy.prostate.centre_mm
    t2w = Grid(centre + t2w_offset, tilt, (0.5, 0.5, 3.0), (320, 320, 20))
    thickness, slices = (3.5, 18) if thick else (3.0, 20)
    return t2w, Grid(centre + dwi_offset, dwi_tilt, (2.0, 2.0, thickness), (92, 100, slices))


def _scan(anatomy: Anatomy, grid: Grid, noise: Noise, generator: np.random.Generator) -> tuple[Frame, ...]:
    return _frames(rician(anatomy.t2w(grid), noise.t2w, generator), grid)


def _frames(volume: np.ndarray, grid: Grid, b_value: int | None = None) -> tuple[Frame, ...]:
    stored = np.clip(np.rint(volume), 0, MAX_STORED).astype(np.uint16)
    return tuple(Frame(pixels, grid, index, b_value) for index, pixels in enumerate(stored))
