"""A cohort on disk: the manifest of prepared cases, patient-level splits and class ratio.

A cohort folder holds `manifest.json` and the volumes that it names by relative path.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from prostate_alm.errors import NoInputError, UsageError
from prostate_alm.files import sha256, write_json

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1


@dataclass(frozen=True)
class Case:
    """One prepared study.

    Args:
        case_id: salted study key; the identity of the training row.
        patient_id: salted patient key; the unit of splitting.
        label: 1 if DCE is needed (critical), 0 if not, None if unknown.
        images: sequence name (`t2w`, `dwi_b100`, ...) -> path relative to the cohort folder.
        scanner: `vendor`, `model`, `field_strength_t` as the study states them.
        harmonised: True if the b-values were computed by the mono-exponential fit.
        acquisition: geometry, timing and acquired b-values; empty if an earlier version prepared the case.
        groups: what the labels table says of it beside the label: `site`, `age band`.
    """

    case_id: str
    patient_id: str
    label: int | None
    images: dict[str, str]
    scanner: dict[str, Any] = field(default_factory=dict)
    harmonised: bool = False
    acquisition: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cohort:
    """The cases of one cohort folder."""

    folder: Path
    cases: tuple[Case, ...]

    @classmethod
    def load(cls, folder: Path | str) -> "Cohort":
        """Read `manifest.json`.

        Raises:
            NoInputError: if the folder holds no manifest, or one that cannot be read.
        """
        folder = Path(folder)
        path = folder / MANIFEST
        if not path.is_file():
            raise NoInputError(f"{folder} is not a cohort: it has no {MANIFEST}; make one with 'prostate-alm prepare'")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["manifest_version"] != MANIFEST_VERSION:
                raise ValueError(f"version {content['manifest_version']}, expected {MANIFEST_VERSION}")
            cases = tuple(Case(**case) for case in content["cases"])
            if len({case.case_id for case in cases}) != len(cases):
                raise ValueError("a case id stands twice")
            if any(case.label not in (0, 1, None) for case in cases):
                raise ValueError("a label is neither 0, 1 nor null")
        except (ValueError, KeyError, TypeError) as error:
            raise NoInputError(f"{path} cannot be read ({error}); run 'prostate-alm prepare' again") from error
        return cls(folder, cases)

    def save(self) -> Path:
        """Write `manifest.json` whole, the cases in order of their ids."""
        cases = sorted(self.cases, key=lambda case: case.case_id)
        content = {"manifest_version": MANIFEST_VERSION, "cases": [asdict(case) for case in cases]}
        return write_json(self.folder / MANIFEST, content)

    def digest(self) -> str:
        """SHA-256 of the manifest and of every volume's bytes: another label or voxel, another digest."""
        whole = hashlib.sha256(sha256(self.folder / MANIFEST).encode())
        for case in self.cases:
            for name, path in sorted(case.images.items()):
                whole.update(f"{name} {sha256(self.folder / path)}".encode())
        return whole.hexdigest()

    @property
    def patients(self) -> frozenset[str]:
        """Salted patient keys."""
        return frozenset(case.patient_id for case in self.cases)

    def data(self, cases: Iterable[Case] | None = None) -> list[dict[str, Any]]:
        """The data list that MONAI reads: image paths made absolute, `label` (float) and `case_id`.

        Raises:
            NoInputError: if a volume is missing.
        """
        return [
            self._images(case)
            | ({} if case.label is None else {"label": float(case.label)})
            | {"case_id": case.case_id}
            for case in (self.cases if cases is None else cases)
        ]

    def _images(self, case: Case) -> dict[str, Any]:
        for path in case.images.values():
            if not (self.folder / path).is_file():
                raise NoInputError(f"cohort {self.folder}: {path} is missing; run 'prostate-alm prepare' again")
        return {name: str((self.folder / path).resolve()) for name, path in case.images.items()}


@dataclass(frozen=True)
class Split:
    """Training and validation cases of one ensemble member."""

    training: tuple[Case, ...]
    validation: tuple[Case, ...]


def split_cases(cases: Sequence[Case], *, member: int, seed: int, validation_fraction: float = 0.2) -> Split:
    """One seeded, stratified split by patient, so that no patient is on both sides.

    A patient with any positive study is positive. `member` makes the splits of an ensemble differ.

    Args:
        cases: labelled cases.
        member: the ensemble member, 0, 1, ...
        seed: the run's seed.
        validation_fraction: share of each class's patients that validates, in (0, 1).

    Raises:
        UsageError: if a case has no label, or a class has fewer than two patients.
    """
    if any(case.label is None for case in cases):
        raise UsageError("a case has no label: training needs one for every study; run 'prepare' with --labels")
    patients: dict[str, int] = {}
    for case in cases:
        patients[case.patient_id] = max(patients.get(case.patient_id, 0), int(case.label or 0))
    generator = np.random.default_rng([seed, member])
    validating: set[str] = set()
    for label in (0, 1):
        group = sorted(patient for patient, value in patients.items() if value == label)
        if len(group) < 2:
            raise UsageError(f"{len(group)} patients have label {label}: a split needs at least two of each class")
        share = min(len(group) - 1, max(1, round(validation_fraction * len(group))))
        validating.update(group[index] for index in generator.permutation(len(group))[:share])
    return Split(
        tuple(case for case in cases if case.patient_id not in validating),
        tuple(case for case in cases if case.patient_id in validating),
    )


def parse_class_ratio(text: str) -> float:
    """`"1:8"` (positives : negatives) as negatives per positive, 8.0.

    Raises:
        UsageError: if the text is not two positive numbers with a colon between.
    """
    try:
        positives, negatives = (float(part) for part in text.split(":"))
    except ValueError as error:
        raise UsageError(f"class ratio {text!r} is not of the form 1:8 (positives:negatives)") from error
    if not (0 < positives < math.inf and 0 < negatives < math.inf):
        raise UsageError(f"class ratio {text!r}: both numbers must be positive and finite")
    return negatives / positives


def thin_positives(cases: Sequence[Case], negatives_per_positive: float, *, seed: int) -> tuple[Case, ...]:
    """Drop seeded random positives until the class ratio holds: floor(negatives / ratio) positives stay.

    Raises:
        UsageError: if the cohort has too few positives for the ratio, or none would stay.
    """
    counts = Counter(case.label for case in cases)
    wanted = math.floor(counts[0] / negatives_per_positive + 1e-9)  # 35 / (7 / 3) is 14.999...
    if wanted < 1 or wanted > counts[1]:
        raise UsageError(
            f"class ratio 1:{negatives_per_positive:g} wants {wanted} positives for {counts[0]} negatives, "
            f"the cohort has {counts[1]}; choose another ratio"
        )
    positives = sorted(case.case_id for case in cases if case.label == 1)
    kept = {positives[index] for index in np.random.default_rng(seed).permutation(len(positives))[:wanted]}
    return tuple(case for case in cases if case.label == 0 or case.case_id in kept)


def load_split(
    folder: str, *, member: int, seed: int, class_ratio: str | None = None, validation_fraction: float = 0.2
) -> dict[str, list[dict[str, Any]]]:
    """What a bundle's train config calls: the data lists `training` and `validation` of one member.

    Args:
        folder: cohort folder.
        member: the ensemble member.
        seed: the run's seed.
        class_ratio: for example `"1:8"`; None keeps the cohort's own.
        validation_fraction: share of the patients of each class that validates.
    """
    cohort = Cohort.load(folder)
    cases: Sequence[Case] = cohort.cases
    if class_ratio is not None:
        cases = thin_positives(cases, parse_class_ratio(class_ratio), seed=seed)
    split = split_cases(cases, member=member, seed=seed, validation_fraction=validation_fraction)
    return {"training": cohort.data(split.training), "validation": cohort.data(split.validation)}


def load_data(folder: str) -> list[dict[str, Any]]:
    """What a bundle's inference config calls: the data list of a whole cohort."""
    return Cohort.load(folder).data()
