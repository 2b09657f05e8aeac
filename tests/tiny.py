"""A cohort, a network and runs so small that a whole training takes a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from prostate_alm.bundle import find_bundle
from prostate_alm.cohort import Case, Cohort
from prostate_alm.training import TrainingSettings, train

BUNDLE = find_bundle("prostate_dce_classification")
OVERRIDES: dict[str, Any] = {
    "spacing_mm": [8.0, 8.0, 6.0],
    "spatial_shape": [12, 12, 4],
    "member_def::channels": [2, 2],
    "member_def::pooling": [[2, 2, 1], [6, 6, 4]],
    "member_def::hidden": 4,
    "batch_size": 4,
    "learning_rate": 0.01,
}
GRIDS = {"t2w": ((24, 24, 8), (4.0, 4.0, 3.0))} | {
    f"dwi_b{b}": ((14, 14, 8), (6.0, 6.0, 3.0)) for b in (100, 600, 1000)
}


def make_cohort(folder: Path, labels: Sequence[int], first: int = 0) -> Cohort:
    """Noise, and in the positives' DWI a brighter cube; every case is a patient of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    cases: list[Case] = []
    for number, label in enumerate(labels, start=first):
        generator = np.random.default_rng(number)
        images: dict[str, str] = {}
        (folder / "volumes" / f"c{number}").mkdir(parents=True)
        for name, (shape, spacing) in GRIDS.items():
            voxels = generator.normal(100, 8, shape).astype(np.float32)
            if label and name != "t2w":
                voxels[6:10, 5:9, 3:6] += 12
            affine = np.diag([*spacing, 1.0])
            affine[:3, 3] = -np.array(shape) * np.array(spacing) / 2
            images[name] = f"volumes/c{number}/{name}.nii.gz"
            nib.save(nib.Nifti1Image(voxels, affine), folder / images[name])
        scanner = {"vendor": "V", "model": f"M{number % 2}", "field_strength_t": 3.0}
        cases.append(Case(f"c{number:02d}", f"p{number:02d}", label, images, scanner))
    cohort = Cohort(folder, tuple(cases))
    cohort.save()
    return cohort


def settings(**changes: Any) -> TrainingSettings:
    """Two members, three epochs of either stage."""
    given = {"members": 2, "epochs": 3, "constrained_epochs": 3, "seed": 5, "overrides": OVERRIDES} | changes
    return TrainingSettings(**given)


@dataclass(frozen=True)
class Run:
    """A finished run and what it was trained on."""

    cohort: Cohort
    folder: Path
    settings: TrainingSettings


_RUNS: dict[Path, Run] = {}


def shared_run(base: Path) -> Run:
    """One run for all tests of a session (never change it: copy its folders); `base` is the session's folder."""
    if base not in _RUNS:
        cohort = make_cohort(base / "tiny-cohort", [0, 1, 0] * 6)
        train(cohort.folder, base / "tiny-run", BUNDLE, settings(), processes=1)
        _RUNS[base] = Run(cohort, base / "tiny-run", settings())
    return _RUNS[base]
