"""What must not leave the hospital, taken out of every text that is stored or printed on stdout."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom

from prostate_alm.studies.dicom.quiet import quiet
from prostate_alm.studies.words import ALLOWED, safe_description

if TYPE_CHECKING:
    from prostate_alm.studies import StudyFiles

REMOVED = "[removed]"
LONGEST = 400
UID = re.compile(r"\d+(?:\.\d+)+")
_LONG_UID = re.compile(r"\b\d+(?:\.\d+){4,}\b")
_PATH = re.compile(
    r"""(?<![\w.\])])(?:~|\.{1,2}|[A-Za-z]:)?[/\\][^\s'"),;]*[^\s'"),;:.]   # absolute, or relative to a dot
        | [^\s'"(,;]+[/\\][^\s'"),;]*[/\\](?:[^\s'"),;]*[^\s'"),;:.])?  # two separators or more
        | [^\s'"(,;]+\.(?:dcm|ima|nii|gz|zip|json|csv|pt)\b       # a file's name
    """,
    re.VERBOSE | re.IGNORECASE,
)
_IDENTIFYING = ["PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "OtherPatientIDs", "StudyID"]


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """One line without paths, UIDs and the given secrets.

    Args:
        text: any text.
        secrets: strings to take out wherever they stand, upper or lower case; one or two characters are too short.

    Example:
        >>> scrub("cannot open /data/DOE/1.dcm of Doe, 1.2.840.113619.2.5", ["doe"])
        'cannot open [removed] of [removed], [removed]'
    """
    text = " ".join(str(text).split())
    for secret in sorted({secret.strip() for secret in secrets}, key=len, reverse=True):
        if len(secret) > 2:
            text = re.sub(rf"(?<![^\W_]){re.escape(secret)}(?![^\W_])", REMOVED, text, flags=re.IGNORECASE)
    text = _PATH.sub(REMOVED, _LONG_UID.sub(REMOVED, text))
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def cleaned(value: Any, secrets: Iterable[str]) -> Any:
    """Every text in a JSON value scrubbed, however deep it lies."""
    secrets = set(secrets)
    if isinstance(value, dict):
        return {str(key): cleaned(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item, secrets) for item in value]
    return scrub(value, secrets) if isinstance(value, str) else value


def identifiers(study: "StudyFiles") -> set[str]:
    """The strings that identify the patient or the study: from its index, which may know two, and its first file."""
    stated = set(_stated(study.files[0].path) if study.files else [])
    for header in study.files:
        stated.update([header.patient_id, header.accession, header.patient_name, header.birth_date])
    secrets = {study.uid}
    for value in stated:
        secrets.update([value, *re.split(r"[\^=\s]+", value)])
    return {secret for secret in secrets if secret and secret.casefold() not in ALLOWED}


def free_words(study: "StudyFiles") -> set[str]:
    """The parts of the study's path and the unknown words of its descriptions: people put names there."""
    words = path_words(Path(study.folder))
    for description in {header.raw_description for header in study.files}:
        words.update(word for word in re.split(r"[\W_]+", description) if "*" in safe_description(word))
    return words


def path_words(path: Path) -> set[str]:
    """The path, its parts and their words: people name folders after patients."""
    return {str(path), *path.parts, *re.findall(r"[^\W_]+", str(path))}


def describe(error: Exception, secrets: Iterable[str]) -> str:
    """An exception as a reason: the name of its class and a message without paths and identifiers."""
    message = scrub(str(error), secrets)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _stated(path: Path) -> list[str]:
    try:
        with quiet():
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_IDENTIFYING, force=True)
            return [str(dataset.get(name) or "") for name in _IDENTIFYING]
    except Exception:  # pydicom raises many kinds on damaged input; then nothing of the file has been quoted either
        return []
