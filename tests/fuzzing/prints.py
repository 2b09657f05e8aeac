"""What is kept of a reading to compare another with it."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from prostate_alm.errors import UserError
from prostate_alm.studies import REQUIRED, Keys, StudyFiles, StudyReading, Volume, find_studies, read_study

KEYS = Keys(b"a salt for the fuzzer")
CORNER_MM = 0.3
B_SHARE, B_LEAST = 0.03, 5.0
COMPUTED = {"rtol": 0.1, "atol": 5.0}
"""How far a computed volume may move if a stated b-value moves within its bin."""


@dataclass(frozen=True)
class VolumePrint:
    """Shape, place, one hash per slice, and the stated b-value; the voxels only of computed volumes."""

    affine: np.ndarray
    slices: tuple[bytes, ...]
    shape: tuple[int, ...]
    b: float | None
    computed: np.ndarray | None = None


@dataclass(frozen=True)
class StudyPrint:
    """One study's reading."""

    key: str
    ready: bool
    complete: bool
    problems: tuple[str, ...]
    said: frozenset[str]
    files: frozenset[str]
    volumes: dict[str, VolumePrint] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """All studies behind one path, or the reason why there is none."""

    studies: tuple[StudyPrint, ...]
    refusal: str = ""


def read(root: Path, harmonise: bool) -> Reading:
    """Read everything as `triage` does."""
    try:
        found = find_studies(root)
    except UserError as error:
        return Reading((), str(error))
    return Reading(tuple(_print(study, root, harmonise) for study in found))


def _print(study: StudyFiles, root: Path, harmonise: bool) -> StudyPrint:
    reading = read_study(study, keys=KEYS, harmonise=harmonise)
    said = {f"{report.role}: {report.reason}" for report in reading.series}
    said |= {f"skipped: {reason}" for _, reason in study.unreadable}
    return StudyPrint(
        reading.study_key,
        reading.ready,
        all(name in reading.volumes for name in REQUIRED),
        reading.problems,
        frozenset(said),
        frozenset(image.path.relative_to(root).as_posix() for image in study.files),
        {name: _volume(name, volume, reading) for name, volume in reading.volumes.items()},
    )


def _volume(name: str, volume: Volume, reading: StudyReading) -> VolumePrint:
    source = reading.sources[name]
    computed = name.startswith("dwi") and source["source_tag"] is None and reading.harmonised
    voxels = np.ascontiguousarray(volume.voxels.T)
    return VolumePrint(
        volume.affine,
        tuple(hashlib.blake2b(plane.tobytes(), digest_size=16).digest() for plane in voxels),
        volume.voxels.shape,
        None if source["b"] is None else float(source["b"]),
        volume.voxels if computed else None,
    )
