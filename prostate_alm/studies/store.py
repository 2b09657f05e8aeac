"""One study on disk: its volumes and its record, in a folder that appears whole or not at all."""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prostate_alm import __version__
from prostate_alm.errors import OutputError, UserError
from prostate_alm.files import write_json
from prostate_alm.studies.headers import Header
from prostate_alm.studies.index import StudyFiles
from prostate_alm.studies.keys import Keys
from prostate_alm.studies.quality import quality_row
from prostate_alm.studies.reading import REQUIRED, StudyReading, read_study
from prostate_alm.studies.rules import Rules, default_rules
from prostate_alm.studies.subject import patient_key_of
from prostate_alm.studies.volume_files.names import companions_of

RECORD = "study.json"
RECORD_VERSION = 4
"""Raise it when the reading changes: finished studies of an older version are read again."""


@dataclass(frozen=True)
class Task:
    """Read this study and store it under `volumes`."""

    study: StudyFiles
    volumes: Path
    keys: Keys
    harmonise: bool
    rules: Rules = field(default_factory=default_rules)


def store_study(task: Task) -> dict[str, Any]:
    """Read one study and write its volumes, unless that is done already; a study with problems leaves no folder.

    Args:
        task: what to read and where to store it.

    Returns:
        The record, also of a study that breaks the reader: study_key, patient_key, ready, problems, images (file
        names), scanner, acquisition, harmonised, harmonisation, sources, quality (a row of the QC table), fingerprint,
        version.

    Raises:
        OutputError: if the folder cannot be written.
    """
    try:
        return _store(task)
    except UserError:
        raise
    except Exception as error:  # one bad study never stops a batch
        problem = f"the study cannot be stored, an unexpected {type(error).__name__}"
        patient_key, notes = patient_key_of(task.study, task.keys)
        broken = StudyReading(task.keys.study(task.study.uid), patient_key, problems=(problem,), notes=notes)
        return _record(broken, "")


def _store(task: Task) -> dict[str, Any]:
    print_of_inputs = fingerprint(task)
    folder = task.volumes / task.keys.study(task.study.uid)
    if (record := finished(folder, print_of_inputs)) is not None:
        return record
    reading = read_study(task.study, keys=task.keys, harmonise=task.harmonise, rules=task.rules)
    record = _record(reading, print_of_inputs)
    try:
        if folder.exists():
            shutil.rmtree(folder)
        if reading.ready:
            _write(reading, record, folder)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror}; is there space, and may you write there?"
        ) from error
    return record


def fingerprint(task: Task) -> str:
    """A salted hash of the inputs (each file's UID, size and time of change), of the settings and the rules."""
    lines = [f"version {RECORD_VERSION} {__version__}, harmonise {task.harmonise}, rules {task.rules.fingerprint}"]
    lines += [_stated(image) for image in task.study.files]
    files = {path: "" for volume in {image.path for image in task.study.files} for path in companions_of(volume)}
    files |= {image.path: image.sop_uid for image in task.study.files}
    files |= {skipped.path: skipped.reason for skipped in task.study.skipped if skipped.damaged}
    for path, uid in files.items():
        try:
            status = path.stat()
            lines.append(f"{uid} {status.st_size} {status.st_mtime_ns}")
        except OSError as error:
            lines.append(f"{uid} {type(error).__name__}")
    return task.keys.digest("\n".join([lines[0], *sorted(lines[1:])]))


def _stated(image: Header) -> str:
    """What the index read of an image, from its file or from one beside it."""
    place = image.frame, image.position_mm, image.orientation
    return f"{image.sop_uid} {place} {image.b_value} {image.scale} {image.echo_time_ms} {image.repetition_time_ms}"


def finished(folder: Path, print_of_inputs: str) -> dict[str, Any] | None:
    """The record of a stored study, if it was made from the same inputs and all its files are there."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        whole = all((folder / name).stat().st_size == size for name, size in record["images"].items())
        return record if whole and record["fingerprint"] == print_of_inputs else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _record(reading: StudyReading, print_of_inputs: str) -> dict[str, Any]:
    return {
        "version": RECORD_VERSION,
        "fingerprint": print_of_inputs,
        "study_key": reading.study_key,
        "patient_key": reading.patient_key,
        "ready": reading.ready,
        "problems": list(reading.problems),
        "images": {},
        "scanner": reading.scanner,
        "acquisition": reading.acquisition,
        "harmonised": reading.harmonised,
        "harmonisation": reading.harmonisation,
        "sources": {name: reading.sources[name] for name in REQUIRED if name in reading.sources},
        "quality": quality_row(reading),
    }


def _write(reading: StudyReading, record: dict[str, Any], folder: Path) -> None:
    part = folder.with_name(f".{os.getpid()}.part.{folder.name}")
    try:
        part.mkdir(parents=True)
        for name in REQUIRED:
            path = reading.volumes[name].save(part / f"{name}.nii.gz")
            record["images"][path.name] = path.stat().st_size
        write_json(part / RECORD, record)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
