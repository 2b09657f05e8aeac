"""Checks of the volumes before anyone decides on them; each returns what is wrong."""

from collections.abc import Mapping

import numpy as np

from prostate_alm.studies.geometry import LPS_TO_RAS, Grid
from prostate_alm.studies.harmonise import foreground_of
from prostate_alm.studies.volumes import Volume

MIN_OVERLAP = 0.8
"""Share of the middle of the one that the other must cover."""


def overlap(inner: Grid, outer: Grid) -> float:
    """Share of the middle of one grid (the central half in plane, all slices) that lies inside another.

    Args:
        inner: the grid whose middle is asked for, such as that of the T2.
        outer: the grid that should cover it.

    Returns:
        0 to 1.
    """
    columns, rows, slices = inner.shape
    axes = (np.linspace(columns / 4, 3 * columns / 4, 9), np.linspace(rows / 4, 3 * rows / 4, 9), np.arange(slices))
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    homogeneous = np.c_[points, np.ones(len(points))]
    inside = (np.linalg.inv(outer.affine) @ inner.affine @ homogeneous.T)[:3].T
    # a voxel reaches half its size beyond its centre; a slice of the other stack may lie up to one slice further out
    low, high = np.array([-0.5, -0.5, -1.0]), np.array(outer.shape) - np.array([0.5, 0.5, 0.0])
    return float(np.mean(np.all((inside >= low) & (inside <= high), axis=1)))


def check_overlap(t2: Volume, dwi: Volume) -> list[str]:
    """The diffusion must cover the middle of the T2, and the T2 that of the diffusion."""
    shares = {("DWI", "T2"): overlap(t2.grid, dwi.grid), ("T2", "DWI"): overlap(dwi.grid, t2.grid)}
    return [
        f"T2 and DWI do not show the same region: {one} covers {share:.0%} of the middle of the {other}"
        for (one, other), share in shares.items()
        if share < MIN_OVERLAP
    ]


def check_intensities(volume: Volume) -> str:
    """Voxels must be finite, and no volume or slice constant; returns what is wrong, empty if nothing is."""
    if not np.isfinite(volume.voxels).all():
        return "voxels are not finite"
    low, high = np.percentile(volume.voxels, (1, 99))
    if high <= low:
        return "intensities are constant"
    blank = np.flatnonzero(volume.voxels.min(axis=(0, 1)) == volume.voxels.max(axis=(0, 1)))
    if blank.size:
        middle = [(length - 1) / 2 for length in volume.voxels.shape[:2]]
        place = LPS_TO_RAS @ volume.affine @ [*middle, float(blank[0]), 1.0]
        slices = "a slice is blank" if blank.size == 1 else f"{blank.size} slices are blank, the first"
        return f"{slices} at ({', '.join(f'{value:.1f}' for value in place[:3])}) mm"
    return ""


def check_signal_falls(dwi: Mapping[int, Volume]) -> list[str]:
    """Mean signal in the foreground must fall from each b-value to the next.

    Args:
        dwi: b-value -> volume; all on one grid.
    """
    b_values = sorted(dwi)
    if len(b_values) < 2:
        return []
    foreground = foreground_of(dwi[b_values[0]].voxels)
    if not foreground.any():
        return ["DWI: no foreground in the image with the lowest b-value"]
    means = [float(dwi[b].voxels[foreground].mean(dtype=np.float64)) for b in b_values]
    return [
        f"DWI signal does not fall from b{b_values[index]} to b{b_values[index + 1]}"
        for index in range(len(means) - 1)
        if means[index + 1] >= means[index]
    ]
