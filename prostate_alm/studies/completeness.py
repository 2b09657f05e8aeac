"""Is a study whole? What tells that a part of it is missing, damaged or still on its way."""

from collections.abc import Sequence

import numpy as np

from prostate_alm.studies.geometry import LPS_TO_RAS, Grid
from prostate_alm.studies.headers import Header, Skipped
from prostate_alm.studies.verdicts import Choice
from prostate_alm.studies.volumes import Volume

MIN_EXTENT_MM = 40.0
"""Least extent along the slices: the length of a prostate with a slice to spare at either end."""
MAX_END_DISTANCE_MM = 6.0
"""How far one sequence may reach beyond the other at either end: two slices of 3 mm."""
_NAMED_REASONS = 3
_COUNTING = 4


def check_files(skipped: Sequence[Skipped], readable: bool) -> list[str]:
    """Damaged files stand against their study; the commonest reasons are named.

    Args:
        skipped: the files of the study that take no part.
        readable: False if nothing of the study can be read.
    """
    damaged = [item.reason for item in skipped if item.damaged]
    if not damaged:
        return []
    kinds = sorted(set(damaged), key=lambda reason: (-damaged.count(reason), reason))
    more = f"; and {len(kinds) - _NAMED_REASONS} other reasons" if len(kinds) > _NAMED_REASONS else ""
    reasons = "; ".join(kinds[:_NAMED_REASONS]) + more
    if not readable:
        return [f"nothing of this study can be read: {len(damaged)} damaged or unreadable file(s): {reasons}"]
    return [f"{len(damaged)} damaged or unreadable file(s) among the study's files: {reasons}"]


def check_numbers(choices: Sequence[Choice], files: Sequence[Header]) -> list[str]:
    """The InstanceNumbers of a series that is used must have no hole; they say nothing about order.

    A series numbered from 1 that begins later has lost its first images. The loss of the last number leaves no hole.
    Diffusion series, one for each b-value, may be numbered as one.

    Args:
        choices: what is used.
        files: all images of the study.
    """
    problems: list[str] = []
    for kind in (False, True):
        used = dict.fromkeys(choice.images[0].series_uid for choice in choices if (choice.b is not None) is kind)
        numbers = {series: _numbers(series, files) for series in used}
        together = set[int]().union(*numbers.values())
        counted_as_one = len(together) == sum(map(len, numbers.values())) and not _holes(together)
        for series in [] if counted_as_one else used:
            if missing := _holes(numbers[series]):
                name = next(image.name for image in files if image.series_uid == series)
                listed = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
                problems.append(f"{name}: InstanceNumber {listed} missing; has the whole series arrived?")
    return problems


def _numbers(series: str, files: Sequence[Header]) -> set[int]:
    return {
        image.instance_number for image in files if image.series_uid == series and image.instance_number is not None
    }


def _holes(numbers: set[int]) -> list[int]:
    if not numbers:
        return []
    lowest, highest = min(numbers), max(numbers)
    start = 1 if 1 < lowest <= len(numbers) else lowest
    if highest - start >= _COUNTING * len(numbers):  # numbers that encode something, not a count
        return []
    return sorted(set(range(start, highest)) - numbers)


def check_extent(volume: Volume) -> str:
    """A stack must be long enough to hold a prostate; returns what is wrong, empty if nothing is."""
    extent = volume.voxels.shape[2] * volume.spacing_mm[2]
    if extent < MIN_EXTENT_MM:
        slices = f"{volume.voxels.shape[2]} slices"
        return f"only {extent:.0f} mm along the slices ({slices}), at least {MIN_EXTENT_MM:.0f} mm are needed"
    return ""


def check_ends(t2: Grid, dwi: Grid) -> list[str]:
    """T2 and diffusion must end at about the same place, at either end: what is shorter has lost slices.

    Measured along the normal of the T2 through the middle of its slices, from outer face to outer face.

    Args:
        t2: grid of the T2.
        dwi: grid of the diffusion.
    """
    normal = t2.affine[:3, 2] / t2.spacing_mm[2]
    middle = t2.affine @ [*((length - 1) / 2 for length in t2.shape), 1.0]
    to_dwi = np.linalg.inv(dwi.affine)
    start, rate = float((to_dwi @ middle)[2]), float(to_dwi[2, :3] @ normal)
    reach = t2.shape[2] * t2.spacing_mm[2] / 2
    low, high = sorted((edge - start) / rate for edge in (-0.5, dwi.shape[2] - 0.5))
    problems: list[str] = []
    for end, sign, t2_end, dwi_end in (("lower", -1, -reach, low), ("upper", 1, reach, high)):
        beyond = sign * (t2_end - dwi_end)
        if abs(beyond) > MAX_END_DISTANCE_MM:
            one, other = ("T2", "DWI") if beyond > 0 else ("DWI", "T2")
            place = ", ".join(f"{value:.1f}" for value in LPS_TO_RAS[:3, :3] @ (middle[:3] + normal * t2_end))
            problems.append(
                f"T2 and DWI do not show the same region: {one} reaches {abs(beyond):.1f} mm beyond {other} "
                f"at the {end} end of the T2, ({place}) mm; at most {MAX_END_DISTANCE_MM:.0f} mm are allowed"
            )
    return problems
