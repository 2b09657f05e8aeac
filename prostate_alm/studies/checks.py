"""What is measured of the volumes before anyone decides on them, and what is wrong with them by the rules' limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from prostate_alm.studies.geometry import LPS_TO_RAS, Grid
from prostate_alm.studies.harmonise import foreground_of
from prostate_alm.studies.rules import CheckRules
from prostate_alm.studies.volumes import Volume


@dataclass(frozen=True)
class Measure:
    """One figure of quality.

    Args:
        name: its column in the QC table, without the volume's name.
        value: None if it cannot be computed.
        problem: what is wrong; empty if the figure keeps its limit.
    """

    name: str
    value: float | None
    problem: str = ""


_ROWS = 48


def _millimetres(length: float) -> float:
    """Two slices of 3 mm are 6 mm, whatever rounding of the affine adds to them."""
    return round(float(length), 2) + 0.0  # no -0


def _thinned(voxels: np.ndarray) -> np.ndarray:
    """Every n-th row of every slice, 48 of them or some more: enough for percentiles and noise, and quicker."""
    return voxels[:, :: max(1, voxels.shape[1] // _ROWS)]


def measure_volume(volume: Volume, limits: CheckRules) -> list[Measure]:
    """Every figure of one volume; at most the first problem counts if voxels are not finite or all alike.

    Args:
        volume: as acquired.
        limits: the rules' limits.
    """
    extent = _millimetres(volume.voxels.shape[2] * volume.spacing_mm[2])
    slices = f"{volume.voxels.shape[2]} slices"
    short = f"only {extent:.0f} mm along the slices ({slices}), at least {limits.min_extent_mm:g} mm are needed"
    measures = [Measure("extent_mm", extent, short if extent < limits.min_extent_mm else "")]
    wrong = int(np.count_nonzero(~np.isfinite(volume.voxels)))
    measures.append(Measure("not_finite", wrong, "voxels are not finite" if wrong else ""))
    if wrong:
        return measures
    thinned = _thinned(volume.voxels)
    low, middle, high = (float(value) for value in np.percentile(thinned, (1, 50, 99)))
    if high <= low:
        return [*measures, Measure("contrast", 1.0, "intensities are constant")]
    return [*measures, _blank_slices(volume, limits), _contrast(middle, high, limits), *_signal(volume, limits)]


def _blank_slices(volume: Volume, limits: CheckRules) -> Measure:
    blank = np.flatnonzero(volume.voxels.min(axis=(0, 1)) == volume.voxels.max(axis=(0, 1)))
    if blank.size <= limits.max_blank_slices:
        return Measure("blank_slices", blank.size)
    middle = [(length - 1) / 2 for length in volume.voxels.shape[:2]]
    place = LPS_TO_RAS @ volume.affine @ [*middle, float(blank[0]), 1.0]
    slices = "a slice is blank" if blank.size == 1 else f"{blank.size} slices are blank, the first"
    where = ", ".join(f"{value:.1f}" for value in place[:3])
    return Measure("blank_slices", blank.size, f"{slices} at ({where}) mm")


def _contrast(middle: float, high: float, limits: CheckRules) -> Measure:
    """The 99th percentile over the median; a median of 0 is air, and no image is inverted then."""
    if middle <= 0:
        return Measure("contrast", None)
    contrast = high / middle
    problem = f"the image looks inverted or empty: its 99th percentile is only {contrast:.2f} times its median"
    problem += f", at least {limits.min_contrast:g} is needed"
    return Measure("contrast", contrast, problem if contrast < limits.min_contrast else "")


def _signal(volume: Volume, limits: CheckRules) -> list[Measure]:
    share = float(np.mean(volume.voxels == volume.voxels.max()))
    cut = f"{share:.1%} of the voxels have the largest value: values were cut off (at most {limits.max_saturated:.1%})"
    ratio = signal_to_noise(_thinned(volume.voxels))
    noisy = ""
    if ratio is None:
        noisy = "its noise cannot be measured: it holds none, as an interpolated or computed image does"
    elif ratio < limits.min_snr:
        noisy = f"the signal-to-noise ratio is {ratio:.1f}, at least {limits.min_snr:g} is needed"
    return [
        Measure("saturated", share, cut if share > limits.max_saturated else ""),
        Measure("snr", ratio, noisy),
    ]


def signal_to_noise(voxels: np.ndarray) -> float | None:
    """Median foreground signal over the noise, the noise from second differences along x.

    Noise of standard deviation s gives second differences of standard deviation sqrt(6) s, and anatomy mostly cancels
    (Immerkaer 1996, in one dimension); the median absolute deviation makes it robust against edges.

    Args:
        voxels: (X, Y, Z) with X of at least 3.

    Returns:
        The ratio, or None if there is no foreground or no noise.
    """
    if voxels.shape[0] < 3:
        return None
    foreground = foreground_of(voxels)
    middle = foreground[1:-1] & foreground[2:] & foreground[:-2]
    differences = (voxels[2:] - 2 * voxels[1:-1] + voxels[:-2])[middle]
    if not differences.size:
        return None
    noise = 1.4826 * float(np.median(np.abs(differences - np.median(differences)))) / np.sqrt(6)
    return float(np.median(voxels[foreground])) / noise if noise > 0 else None


def measure_pair(t2: Grid, dwi: Grid, limits: CheckRules) -> list[Measure]:
    """T2 and diffusion must show the same region: the middle of each, and both ends of the stacks.

    Args:
        t2: grid of the T2.
        dwi: grid of the diffusion.
        limits: the rules' limits.
    """
    shares = {("DWI", "T2"): overlap(t2, dwi), ("T2", "DWI"): overlap(dwi, t2)}
    problems = [
        f"T2 and DWI do not show the same region: {one} covers {share:.0%} of the middle of the {other}"
        for (one, other), share in shares.items()
        if share < limits.min_overlap
    ]
    return [Measure("overlap", min(shares.values()), "; ".join(problems)), *_ends(t2, dwi, limits)]


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


def _ends(t2: Grid, dwi: Grid, limits: CheckRules) -> list[Measure]:
    """T2 and diffusion must end at about the same place: what is shorter has lost slices.

    Measured along the normal of the T2 through the middle of its slices, from outer face to outer face.
    """
    normal = t2.affine[:3, 2] / t2.spacing_mm[2]
    middle = t2.affine @ [*((length - 1) / 2 for length in t2.shape), 1.0]
    to_dwi = np.linalg.inv(dwi.affine)
    start, rate = float((to_dwi @ middle)[2]), float(to_dwi[2, :3] @ normal)
    reach = t2.shape[2] * t2.spacing_mm[2] / 2
    low, high = sorted((edge - start) / rate for edge in (-0.5, dwi.shape[2] - 0.5))
    measures: list[Measure] = []
    for end, sign, t2_end, dwi_end in (("lower", -1, -reach, low), ("upper", 1, reach, high)):
        beyond = _millimetres(sign * (t2_end - dwi_end))
        one, other = ("T2", "DWI") if beyond > 0 else ("DWI", "T2")
        place = ", ".join(f"{value:.1f}" for value in LPS_TO_RAS[:3, :3] @ (middle[:3] + normal * t2_end))
        problem = (
            f"T2 and DWI do not show the same region: {one} reaches {abs(beyond):.1f} mm beyond {other} "
            f"at the {end} end of the T2, ({place}) mm; at most {limits.max_end_distance_mm:g} mm are allowed"
        )
        far = abs(beyond) > limits.max_end_distance_mm
        measures.append(Measure(f"{end}_end_mm", beyond, problem if far else ""))
    return measures


def measure_fall(dwi: Mapping[int, Volume], limits: CheckRules) -> list[Measure]:
    """Mean signal in the foreground must fall from each b-value to the next; the figure is the largest ratio of two.

    Args:
        dwi: b-value -> volume; all on one grid.
        limits: the rules' limits.
    """
    b_values = sorted(dwi)
    if len(b_values) < 2:
        return []
    foreground = foreground_of(dwi[b_values[0]].voxels)
    if not foreground.any():
        return [Measure("signal_ratio", None, "DWI: no foreground in the image with the lowest b-value")]
    means = [float(dwi[b].voxels[foreground].mean(dtype=np.float64)) for b in b_values]
    ratios = [after / before if before > 0 else np.inf for before, after in pairwise(means)]
    rising = [
        f"DWI signal does not fall from b{b_values[index]} to b{b_values[index + 1]}"
        for index, ratio in enumerate(ratios)
        if not ratio < limits.max_signal_ratio
    ]
    return [Measure("signal_ratio", float(max(ratios)), "; ".join(rising))]
