"""Decisions, and small studies that were read, for tests of what is written beside a decision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dicom_factory

from prostate_alm.studies import Keys, StudyFiles, StudyReading, find_studies, read_study
from prostate_alm.triage.decision import SERIES, Decision

KEYS = Keys(b"a salt for tests only")
MODEL = {"name": "a model", "version": "1.2.3", "sha256": "ab" * 32}


def make_decision(**changes: Any) -> Decision:
    """A sound negative decision, but for the changes."""
    given: dict[str, Any] = {
        "study_key": "0123456789abcdef0123",
        "logit": -2.5,
        "threshold": {"value": -1.25, "promise": "certified: a promise"},
        "reasons": (),
        "series_used": {
            name: {"description": f"series of {name}", "b": 0.0 if name == "t2" else float(name[1:]), "source_tag": "T"}
            for name in SERIES
        },
        "harmonised": False,
        "qc": {},
        "model": MODEL,
        "rules": {"fingerprint": "f", "changed": []},
        "software_version": "9.9",
        "seconds": {"total": 1.0},
    }
    return Decision(**(given | changes))


@dataclass(frozen=True)
class Read:
    """A study and what was read of it."""

    study: StudyFiles
    reading: StudyReading


def read(folder: Path) -> Read:
    """The one study in a folder."""
    (study,) = find_studies(folder)
    return Read(study, read_study(study, keys=KEYS))


def small_study(folder: Path, made: dicom_factory.Study | None = None, **header: Any) -> Read:
    """A whole study of small images; `header` is set in each."""
    made = made or dicom_factory.study("small")
    for images in made.values():
        for image in images:
            image.PatientSex, image.PatientBirthDate = "M", "19410307"
            for keyword, value in header.items():
                setattr(image, keyword, value)
    return read(dicom_factory.save(made, folder))
