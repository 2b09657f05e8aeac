"""A study's files -> a reading: volumes, one report per series, and every reason why it may not be decided on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from prostate_alm.studies import checks, completeness, subject
from prostate_alm.studies.acquisition import acquisition_of
from prostate_alm.studies.bvalues import CANONICAL_B_VALUES
from prostate_alm.studies.geometry import ReadingError, plane_of
from prostate_alm.studies.harmonise import harmonise as fit_canonical
from prostate_alm.studies.headers import Header
from prostate_alm.studies.index import StudyFiles
from prostate_alm.studies.keys import Keys
from prostate_alm.studies.pixels import PixelReader
from prostate_alm.studies.rules import Rules, default_rules, loosened
from prostate_alm.studies.selection import select
from prostate_alm.studies.selection.kinds import split_parts
from prostate_alm.studies.selection.verdicts import Choice, Selection, Verdict
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
        images: per acquired volume the images that it was read from.
        problems: why no decision is possible; empty means ready.
        harmonised: True if a volume was computed by the fit.
        harmonisation: provenance of the fit, None without one.
        scanner: {vendor, model, field_strength_t}.
        acquisition: geometry, timing and b-values of what is used, as `acquisition.acquisition_of` gives them.
        b_values_found: the acquired b-values that are used, s/mm^2.
        notes: what does not stand against a decision but must be known.
        measures: figures of quality by their column in the QC table; None where one cannot be computed.
    """

    study_key: str
    patient_key: str
    series: tuple[SeriesReport, ...] = ()
    volumes: dict[str, Volume] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: dict[str, tuple[Header, ...]] = field(default_factory=dict, repr=False)
    problems: tuple[str, ...] = ()
    harmonised: bool = False
    harmonisation: dict[str, Any] | None = None
    scanner: dict[str, Any] = field(default_factory=dict)
    acquisition: dict[str, Any] = field(default_factory=dict)
    b_values_found: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    measures: dict[str, float | None] = field(default_factory=dict)

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


def read_study(study: StudyFiles, *, keys: Keys, harmonise: bool = False, rules: Rules | None = None) -> StudyReading:
    """Read one study. Whatever fails becomes a problem in the reading, never an exception.

    Args:
        study: from `find_studies`; one without a readable image gives a reading that is not ready.
        keys: the site's keys.
        harmonise: compute b 100, 600 and 1000 from other b-values by the mono-exponential fit.
        rules: the site's rules; None means the defaults.
    """
    patient_key, notes = subject.patient_key_of(study, keys)
    reading = StudyReading(keys.study(study.uid), patient_key, notes=notes)
    problems: list[str] = completeness.check_files(study.skipped, bool(study.files))
    try:
        if study.files:
            _Reader(reading, rules or default_rules(), harmonise).read(study, problems)
        elif not problems:
            problems.append("nothing of this study can be read: it has no image")
    except Exception as error:  # fail safe: a study that breaks the reader is undecided, and the batch goes on
        problems.append(f"the study cannot be read, an unexpected {type(error).__name__}")
    reading.problems = tuple(dict.fromkeys(problems))
    return reading


@dataclass
class _Reader:
    """Fills one reading, step by step."""

    reading: StudyReading
    rules: Rules
    allowed_to_harmonise: bool
    pixels: PixelReader = field(default_factory=PixelReader)

    def read(self, study: StudyFiles, problems: list[str]) -> None:
        problems += subject.check_one_patient(study.files)
        selection = select(split_parts(study.files, self.rules), self.rules)
        problems += selection.problems
        self.reading.scanner = _scanner(selection, study.files)
        chosen = {"t2w": selection.t2} if selection.t2 else {}
        chosen |= {f"dwi_b{b}": choice for b, choice in selection.dwi.items()}
        problems += subject.check_body_part(list(chosen.values()))
        problems += completeness.check_numbers(list(chosen.values()), study.files)
        problems += completeness.check_stated(list(chosen.values()), study.files)
        for name, choice in chosen.items():
            self._read_volume(name, choice, selection, problems)
        problems += self._check_each(chosen)
        self.reading.series = tuple(_report(verdict, self.rules) for verdict in selection.verdicts)
        self.reading.b_values_found = tuple(b for b in sorted(selection.dwi) if f"dwi_b{b}" in self.reading.volumes)
        self.reading.notes += (*selection.notes, *_inferred(selection), *_lossy(selection), *loosened(self.rules))
        self.reading.acquisition = acquisition_of(selection, self.reading.volumes)
        acquired = {b: self.reading.volumes[f"dwi_b{b}"] for b in self.reading.b_values_found}
        if not acquired:
            return
        measures = checks.measure_fall(acquired, self.rules.checks)
        if selection.t2 and "t2w" in self.reading.volumes:
            problems += subject.check_patient_space([selection.t2, *selection.dwi.values()])
            dwi = next(iter(acquired.values()))
            measures += checks.measure_pair(self.reading.volumes["t2w"].grid, dwi.grid, self.rules.checks)
        self.reading.measures |= {measure.name: measure.value for measure in measures}
        problems += [measure.problem for measure in measures if measure.problem]
        if any(b not in acquired for b in CANONICAL_B_VALUES):
            problems += self._harmonise(acquired)

    def _read_volume(self, name: str, choice: Choice, selection: Selection, problems: list[str]) -> None:
        try:
            volume = read_volume(choice.stack, self.pixels)
        except ReadingError as error:
            problems.append(str(error))
            for verdict in selection.verdicts:
                if verdict.part is choice.part:
                    verdict.reason = f"not used because {error}"
            return
        self.reading.volumes[name] = volume
        self.reading.images[name] = tuple(choice.images)
        description = choice.part.images[0].description
        self.reading.sources[name] = {"description": description, "b": choice.b, "source_tag": choice.source_tag}

    def _check_each(self, chosen: Mapping[str, Choice]) -> list[str]:
        """The figures of every volume; what several volumes of a series share is said once."""
        wrong: dict[tuple[str, str], list[str]] = {}
        for name, volume in self.reading.volumes.items():
            for measure in checks.measure_volume(volume, self.rules.checks):
                self.reading.measures[f"{name}_{measure.name}"] = measure.value
                if measure.problem:
                    wrong.setdefault((chosen[name].part.name, measure.problem), []).append(name)
        return [f"{series}, {', '.join(names)}: {what}" for (series, what), names in wrong.items()]

    def _harmonise(self, acquired: dict[int, Volume]) -> list[str]:
        wanted = ", ".join(str(b) for b in CANONICAL_B_VALUES)
        found = ", ".join(str(b) for b in acquired)
        if not self.allowed_to_harmonise:
            return [
                f"DWI has b-values {found}, b {wanted} are needed; --harmonise computes them from at least two above 0"
            ]
        stated = {b: float(self.reading.sources[f"dwi_b{b}"]["b"]) for b in acquired}
        signals = {b: (stated[b], volume.voxels) for b, volume in acquired.items()}
        try:
            computed, provenance = fit_canonical(signals, self.rules.checks)
        except ReadingError as error:
            return [f"{error}; found b {found}, b {wanted} are needed"]
        affine = next(iter(acquired.values())).affine
        how: Any = provenance["b_values"]
        for b, voxels in computed.items():
            self.reading.volumes[f"dwi_b{b}"] = Volume(voxels, affine)
            self.reading.sources[f"dwi_b{b}"] = {
                "description": f"computed by harmonisation, {how[str(b)]}",
                "b": float(b),
                "source_tag": None,
            }
        self.reading.harmonised, self.reading.harmonisation = True, provenance
        return []


def _scanner(selection: Selection, files: Sequence[Header]) -> dict[str, Any]:
    image = selection.t2.part.images[0] if selection.t2 else files[0]
    return {"vendor": image.vendor, "model": image.model, "field_strength_t": image.field_strength_t}


def _lossy(selection: Selection) -> tuple[str, ...]:
    chosen = [choice for choice in (selection.t2, *selection.dwi.values()) if choice is not None]
    lossy = [choice.part.name for choice in chosen if any(image.lossy for image in choice.images)]
    return tuple(f"{name} was compressed with loss" for name in dict.fromkeys(lossy))


def _inferred(selection: Selection) -> tuple[str, ...]:
    """b-values that no tag states, or that a rule accepts from a source that is not verified."""
    stated = [(b, choice.part.name, choice.images[0].b_value) for b, choice in selection.dwi.items()]
    return tuple(
        f"b{b} of {name} is inferred: {value.inferred}"
        if value.inferred
        else f"b{b} of {name} stands in {value.source}, not verified for this vendor; a rule of the site accepts it"
        for b, name, value in stated
        if value is not None and (value.inferred or not value.verified)
    )


def _report(verdict: Verdict, rules: Rules) -> SeriesReport:
    images, grid = verdict.part.images, verdict.grid
    first = images[0]
    stated = [image.b_value for image in images if image.b_value is not None]
    return SeriesReport(
        description=first.description,
        modality=first.modality,
        vendor=first.vendor,
        files=len({image.path for image in images}),
        shape=grid.shape if grid else (first.columns, first.rows),
        spacing_mm=tuple(round(length, 4) for length in grid.spacing_mm) if grid else None,
        orientation=plane_of(first, rules.geometry.max_tilt_deg),
        b_values=tuple(sorted({value.nominal for value in stated})),
        b_source=", ".join(dict.fromkeys(value.source for value in stated)) or None,
        role=verdict.role.value,
        reason=verdict.reason,
    )
