"""What a study may carry in the prostate: a lesion in positives, a harmless look-alike in some negatives."""

from dataclasses import dataclass

import numpy as np

from prostate_alm.phantom.grid import rotation
from prostate_alm.phantom.structures import Ellipsoid, Tissue

LESION = Tissue(t2w=190, s0=1050, adc=0.00055)
LOOK_ALIKES = {
    "inflammation": Tissue(t2w=190, s0=780, adc=0.00145),  # dark on T2, diffusion nearly free
    "stromal nodule": Tissue(t2w=230, s0=700, adc=0.00118),  # a mild drop of the ADC
}
LOOK_ALIKE_SHARE = 0.4
RADIUS_MM = (5.0, 9.0)
# most findings are plain, some are all but hidden: the hidden ones keep the AUC below 1
PLAIN_CONSPICUITY = (0.7, 1.0)
FAINT_CONSPICUITY = (0.1, 0.4)
FAINT_SHARE = 0.3
PERIPHERAL_SHARE = 0.7


@dataclass(frozen=True)
class Finding:
    """A lesion or a look-alike: its kind, its place and how well it shows.

    Args:
        kind: `lesion`, or the name of a look-alike.
        centre_mm: (3,) LPS.
        radius_mm: geometric mean of its half lengths.
        conspicuity: share of its tissue in the middle, 0 (invisible) to 1.
        body: what is painted.
    """

    kind: str
    centre_mm: np.ndarray
    radius_mm: float
    conspicuity: float
    body: Ellipsoid


def draw_finding(
    generator: np.random.Generator, *, positive: bool, conspicuity: float, prostate: Ellipsoid
) -> Finding | None:
    """A lesion for a positive; for a negative a look-alike of the same place, size and strength, or nothing.

    Args:
        generator: the study's own source of chance.
        positive: whether the study is of the critical class.
        conspicuity: factor on each case's own conspicuity, not negative; the product stops at 1.
        prostate: the gland it lies in.
    """
    kind, tissue = "lesion", LESION
    present = generator.random() < LOOK_ALIKE_SHARE
    choice = int(generator.integers(len(LOOK_ALIKES)))
    if not positive:
        if not present:
            return None
        kind, tissue = list(LOOK_ALIKES.items())[choice]
    centre = _place(generator, prostate)
    radius = float(generator.uniform(*RADIUS_MM))
    stretch = generator.uniform(0.8, 1.25, 3)
    semi_axes = radius * stretch / np.prod(stretch) ** (1 / 3)
    x, y, z = generator.uniform(-40, 40, 3)
    faint = generator.random() < FAINT_SHARE
    own = float(generator.uniform(*(FAINT_CONSPICUITY if faint else PLAIN_CONSPICUITY)))
    strength = min(1.0, conspicuity * own)
    body = Ellipsoid(tissue, centre, semi_axes, rotation((x, y, z)), edge_mm=2.5, strength=strength)
    return Finding(kind, centre, radius, strength, body)


def _place(generator: np.random.Generator, prostate: Ellipsoid) -> np.ndarray:
    """Mostly in the peripheral zone (behind and to the side), else in front."""
    peripheral = generator.random() < PERIPHERAL_SHARE
    angle = generator.uniform(0.1, 0.9) * np.pi * (1 if peripheral else -1)
    depth = generator.uniform(0.55, 0.75) if peripheral else generator.uniform(0.3, 0.55)
    height = generator.uniform(-0.5, 0.5)
    offset = np.array([depth * np.cos(angle), depth * np.sin(angle), height])
    return prostate.centre_mm + (offset * prostate.semi_axes_mm) @ prostate.axes
