"""A study's files -> a reading: volumes, one report per series, and every reason why it may not be decided on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from prostate_alm.studies import checks, completeness, subject
from prostate_alm.studies.bvalues import CANONICAL_B_VALUES
from prostate_alm.studies.geometry import ReadingError, plane_of
from prostate_alm.studies.harmonise import harmonise as fit_canonical
from prostate_alm.studies.headers import Header
from prostate_alm.studies.index import StudyFiles
from prostate_alm.studies.keys import Keys
from prostate_alm.studies.kinds import split_parts
from prostate_alm.studies.selection import select
from prostate_alm.studies.verdicts import Choice, Selection, Verdict
from prostate_alm.studies.volumes import Volume, read_volume

REQUIRED = ("t2w", *(f"dwi_b{b}" for b in CANONICAL_B_VALUES))
"""The volumes that the network takes."""


@dataclass(frozen=True)
class SeriesReport:
    """One row of `inspect`: what a series is, and "used as ..." or "not used because ..."."""

    description: str
    modality: str
    vendor: str
    files: int
    shape: tuple[int, ...]
    spacing_mm: tuple[float, ...] | None
    orientation: str
    b_values: tuple[int, ...]
    b_source: str | None
    role: str
    reason: str


@dataclass
class StudyReading:
    """What was read of one study.

    Args:
        study_key: salted key of the study.
        patient_key: salted key of the patient.
        series: one report per series (per kind, where a series holds several).
        volumes: `t2w` and `dwi_b<value>` for every acquired b-value; with harmonisation also b 100, 600 and 1000.
        sources: per volume {description, b, source_tag}.
        problems: why no decision is possible; empty means ready.
        harmonised: True if a volume was computed by the fit.
        harmonisation: provenance of the fit, None without one.
        scanner: {vendor, model, field_strength_t}.
        b_values_found: the acquired b-values that are used, s/mm^2.
        notes: what does not stand against a decision but must be known.
    """

    study_key: str
    patient_key: str
    series: tuple[SeriesReport, ...] = ()
    volumes: dict[str, Volume] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    harmonised: bool = False
    harmonisation: dict[str, Any] | None = None
    scanner: dict[str, Any] = field(default_factory=dict)
    b_values_found: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """True if every volume that the network takes is there and nothing stands against a decision."""
        return not self.problems and all(name in self.volumes for name in REQUIRED)

    def as_json(self) -> dict[str, Any]:
        """What `inspect --json` prints; nothing in it identifies a person."""
        volumes = {
            name.replace("t2w", "t2").replace("dwi_", ""): {
                "shape": list(volume.voxels.shape),
                "spacing_mm": [round(length, 4) for length in volume.spacing_mm],
                **self.sources[name],
            }
            for name, volume in self.volumes.items()
        }
        return {
            "study_key": self.study_key,
            "series": [asdict(report) for report in self.series],
            "volumes": volumes,
            "decision_possible": self.ready,
            "problems": list(self.problems),
        }


def read_study(study: StudyFiles, *, keys: Keys, harmonise: bool = False) -> StudyReading:
    """Read one study. Whatever fails becomes a problem in the reading, never an exception.

    Args:
        study: from `find_studies`; one without a readable image gives a reading that is not ready.
        keys: the site's keys.
        harmonise: compute b 100, 600 and 1000 from other b-values by the mono-exponential fit.
    """
    patient_key, notes = subject.patient_key_of(study, keys)
    reading = StudyReading(keys.study(study.uid), patient_key, notes=notes)
    problems: list[str] = completeness.check_files(study.skipped, bool(study.files))
    try:
        if study.files:
            _read(study, harmonise, reading, problems)
        elif not problems:
            problems.append("nothing of this study can be read: it has no image")
    except Exception as error:  # fail safe: a study that breaks the reader is undecided, and the batch goes on
        problems.append(f"the study cannot be read, an unexpected {type(error).__name__}")
    reading.problems = tuple(dict.fromkeys(problems))
    return reading


def _read(study: StudyFiles, harmonise: bool, reading: StudyReading, problems: list[str]) -> None:
    problems += subject.check_one_patient(study.files)
    selection = select(split_parts(study.files))
    problems += selection.problems
    reading.scanner = _scanner(selection, study.files)
    chosen = {"t2w": selection.t2} if selection.t2 else {}
    chosen |= {f"dwi_b{b}": choice for b, choice in selection.dwi.items()}
    problems += subject.check_body_part(list(chosen.values()))
    problems += completeness.check_numbers(list(chosen.values()), study.files)
    for name, choice in chosen.items():
        _read_volume(name, choice, reading, selection, problems)
    problems += _check_each(chosen, reading)
    reading.series = tuple(_report(verdict) for verdict in selection.verdicts)
    reading.b_values_found = tuple(b for b in sorted(selection.dwi) if f"dwi_b{b}" in reading.volumes)
    acquired = {b: reading.volumes[f"dwi_b{b}"] for b in reading.b_values_found}
    if not acquired:
        return
    problems += checks.check_signal_falls(acquired)
    if selection.t2 and "t2w" in reading.volumes:
        t2, dwi = reading.volumes["t2w"], next(iter(acquired.values()))
        problems += subject.check_patient_space([selection.t2, *selection.dwi.values()])
        problems += [*checks.check_overlap(t2, dwi), *completeness.check_ends(t2.grid, dwi.grid)]
    if any(b not in acquired for b in CANONICAL_B_VALUES):
        problems += _harmonise(reading, acquired, harmonise)


def _scanner(selection: Selection, files: Sequence[Header]) -> dict[str, Any]:
    image = selection.t2.part.images[0] if selection.t2 else files[0]
    return {"vendor": image.vendor, "model": image.model, "field_strength_t": image.field_strength_t}


def _read_volume(name: str, choice: Choice, reading: StudyReading, selection: Selection, problems: list[str]) -> None:
    try:
        volume = read_volume(choice.stack)
    except ReadingError as error:
        problems.append(str(error))
        for verdict in selection.verdicts:
            if verdict.part is choice.part:
                verdict.reason = f"not used because {error}"
        return
    reading.volumes[name] = volume
    description = choice.part.images[0].description
    reading.sources[name] = {"description": description, "b": choice.b, "source_tag": choice.source_tag}


def _check_each(chosen: Mapping[str, Choice], reading: StudyReading) -> list[str]:
    """Intensities and extent of every volume; what several volumes of a series share is said once."""
    wrong: dict[tuple[str, str], list[str]] = {}
    for name, volume in reading.volumes.items():
        for what in (checks.check_intensities(volume), completeness.check_extent(volume)):
            if what:
                wrong.setdefault((chosen[name].part.name, what), []).append(name)
    return [f"{series}, {', '.join(names)}: {what}" for (series, what), names in wrong.items()]


def _harmonise(reading: StudyReading, acquired: dict[int, Volume], allowed: bool) -> list[str]:
    wanted = ", ".join(str(b) for b in CANONICAL_B_VALUES)
    found = ", ".join(str(b) for b in acquired)
    if not allowed:
        return [f"DWI has b-values {found}, b {wanted} are needed; --harmonise computes them from at least two above 0"]
    stated = {b: float(reading.sources[f"dwi_b{b}"]["b"]) for b in acquired}
    try:
        computed, provenance = fit_canonical({b: (stated[b], volume.voxels) for b, volume in acquired.items()})
    except ReadingError as error:
        return [f"{error}; found b {found}, b {wanted} are needed"]
    affine = next(iter(acquired.values())).affine
    how: Any = provenance["b_values"]
    for b, voxels in computed.items():
        reading.volumes[f"dwi_b{b}"] = Volume(voxels, affine)
        reading.sources[f"dwi_b{b}"] = {
            "description": f"computed by harmonisation, {how[str(b)]}",
            "b": float(b),
            "source_tag": None,
        }
    reading.harmonised, reading.harmonisation = True, provenance
    return []


def _report(verdict: Verdict) -> SeriesReport:
    images, grid = verdict.part.images, verdict.grid
    first = images[0]
    stated = [image.b_value for image in images if image.b_value is not None]
    return SeriesReport(
        description=first.description,
        modality=first.modality,
        vendor=first.vendor,
        files=len(images),
        shape=grid.shape if grid else (first.columns, first.rows),
        spacing_mm=tuple(round(length, 4) for length in grid.spacing_mm) if grid else None,
        orientation=plane_of(first),
        b_values=tuple(sorted({value.nominal for value in stated})),
        b_source=stated[0].source if stated else None,
        role=verdict.role.value,
        reason=verdict.reason,
    )
