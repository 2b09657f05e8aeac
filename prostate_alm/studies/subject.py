"""Who was scanned, and where: one man, and his prostate."""

import re
from collections.abc import Sequence

from prostate_alm.studies.headers import Header
from prostate_alm.studies.index import StudyFiles
from prostate_alm.studies.keys import Keys
from prostate_alm.studies.selection.verdicts import Choice

_RIGHT_PART = re.compile(r"PROST|PELV")
_UNSTATED_PART = frozenset(("", "UNKNOWN", "UNDEFINED", "NONE", "NA"))


def patient_key_of(study: StudyFiles, keys: Keys) -> tuple[str, tuple[str, ...]]:
    """The salted key of the patient, and what must be known about it.

    Without PatientID it comes from name and birth date, without those the study is a patient of its own.

    Args:
        study: its first image speaks for all; `check_one_patient` tells if that is wrong.
        keys: the site's keys.
    """
    if study.patient_id:
        return keys.patient(study.patient_id), ()
    first = study.files[0] if study.files else None
    if first is not None and first.patient_name and first.birth_date:
        return keys.patient(f"name {first.patient_name} born {first.birth_date}"), (
            "no PatientID: told from other patients by name and birth date",
        )
    return keys.patient(f"study {study.uid}"), ("no PatientID, name and birth date: counted as a patient of its own",)


def check_one_patient(files: Sequence[Header]) -> list[str]:
    """All files must state one PatientID, one name, one birth date, and never a woman."""
    stated = {
        "PatientID": {image.patient_id for image in files},
        "PatientName": {image.patient_name for image in files},
        "PatientBirthDate": {image.birth_date for image in files},
    }
    problems = [f"the study's files state more than one {word}" for word, values in stated.items() if len(values) > 1]
    if any(image.sex == "F" for image in files):
        problems.append("PatientSex (0010,0040) is F: this is no study of a prostate")
    return problems


def check_body_part(choices: Sequence[Choice]) -> list[str]:
    """A stated body part must be the prostate or the pelvis; what it says instead is free text and not repeated."""
    first = [choice.images[0] for choice in choices if any(_elsewhere(image) for image in choice.images)]
    return [
        f"{name}: BodyPartExamined (0018,0015) is neither prostate nor pelvis"
        for name in dict.fromkeys(image.name for image in first)
    ]


def _elsewhere(image: Header) -> bool:
    return image.body_part not in _UNSTATED_PART and not _RIGHT_PART.search(image.body_part)


def check_patient_space(choices: Sequence[Choice]) -> list[str]:
    """Positions can be compared within one frame of reference only (PS3.3 C.7.4.1)."""
    frames = {image.frame_of_reference for choice in choices for image in choice.images}
    if len(frames - {""}) > 1:
        return ["T2 and DWI have different frames of reference: their positions cannot be compared"]
    if len(frames) > 1:
        without = (choice for choice in choices if any(not image.frame_of_reference for image in choice.images))
        series = ", ".join(dict.fromkeys(choice.part.name for choice in without))
        return [f"{series}: no FrameOfReferenceUID, while other images state one: positions cannot be compared"]
    return []
