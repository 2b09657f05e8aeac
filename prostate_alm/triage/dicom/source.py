"""What DICOM outputs take over from a study's images: the patient, the study, and references to the images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.config import IGNORE, RAISE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID
from pydicom.valuerep import DA, TM, validate_value

from prostate_alm.studies.dicom.quiet import quiet
from prostate_alm.triage.absence import NothingToWriteError

if TYPE_CHECKING:
    from prostate_alm.studies import StudyFiles
    from prostate_alm.studies.headers import Header

CHARACTER_SET = "ISO_IR 192"
"""UTF-8: it holds every name, whatever set the source wrote it in."""

_TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "ReferringPhysicianName",
    "StudyID", "AccessionNumber",
)  # fmt: skip
_TYPE_3 = ("IssuerOfPatientID", "StudyDescription", "PatientAge", "PatientIdentityRemoved", "DeidentificationMethod")
_METHODS = "DeidentificationMethodCodeSequence"
_CODE = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
_SEXES = frozenset("MFO")


@dataclass(frozen=True)
class Source:
    """Where a DICOM output belongs.

    Args:
        identity: the Patient, General Study and Patient Study modules; what type 2 wants and the source lacks is empty.
        images: every image of the study that can be referred to.
        used: volume name -> the acquired images behind it.
    """

    identity: Dataset = field(repr=False)
    images: tuple["Header", ...] = field(repr=False)
    used: Mapping[str, tuple["Header", ...]] = field(repr=False)

    def facts(self) -> list[Any]:
        """What is said of patient and study, and every image's UID: with other ones, an output is another instance."""
        return [[[str(element.tag), str(element.value)] for element in self.identity], sorted(_uids(self.images))]


def _uids(images: "Sequence[Header]") -> set[str]:
    return {image.sop_uid for image in images}


def read_source(study: "StudyFiles", used: "Mapping[str, Sequence[Header]] | None" = None) -> Source:
    """The source of a study's DICOM outputs.

    Args:
        study: from `find_studies`.
        used: volume name -> the images it was read from (`StudyReading.images`).

    Raises:
        NothingToWriteError: if the study has no DICOM header, states more than one patient, or cannot be referred to.
        OSError, ValueError: if its first file cannot be read again, or was replaced; pydicom may raise others.
    """
    with quiet():
        return _source(study, used or {})


def _source(study: "StudyFiles", used: "Mapping[str, Sequence[Header]]") -> Source:
    images = [image for image in study.files if image.sop_class]
    if not images:
        raise NothingToWriteError("the study's files are no DICOM files")
    people = {(image.patient_id, image.patient_name, image.birth_date) for image in study.files}
    if len(people) > 1:
        raise NothingToWriteError("the study's files state more than one patient")
    if not UID(study.uid).is_valid:
        raise NothingToWriteError("the StudyInstanceUID is not valid")
    known = [image for image in images if _can_be_referred_to(image)]
    if not known:
        raise NothingToWriteError("no image has a valid SOPInstanceUID")
    chosen = {name: tuple(image for image in found if _can_be_referred_to(image)) for name, found in used.items()}
    first = next((image for found in chosen.values() for image in found), known[0])
    return Source(_identity(first), tuple(known), chosen)


def _can_be_referred_to(image: "Header") -> bool:
    return all(UID(uid).is_valid for uid in (image.sop_class, image.sop_uid, image.series_uid))


def _identity(image: "Header") -> Dataset:
    """The source's statements on patient and study, each only if it can be written again."""
    wanted = ["StudyInstanceUID", "SOPInstanceUID", *_TYPE_2, *_TYPE_3, _METHODS]
    header = pydicom.dcmread(image.path, stop_before_pixels=True, specific_tags=wanted, force=True)
    if (header.get("StudyInstanceUID"), header.get("SOPInstanceUID")) != (image.study_uid, image.sop_uid):
        raise ValueError("the file is another one by now")  # and may be another patient's
    identity = _copied(header, (*_TYPE_2, *_TYPE_3))
    methods = [_copied(item, _CODE) for item in header.get(_METHODS) or []]
    for keyword in _TYPE_2:
        if keyword not in identity:
            _put(identity, keyword, "")
    methods = [item for item in methods if all(keyword in item for keyword in _CODE)]
    if methods:
        identity.DeidentificationMethodCodeSequence = methods
    if identity.get("PatientIdentityRemoved") != "YES" or not (methods or identity.get("DeidentificationMethod")):
        for keyword in ("PatientIdentityRemoved", "DeidentificationMethod", _METHODS):
            identity.pop(keyword, None)
    identity.StudyInstanceUID = image.study_uid
    return identity


def _copied(header: Dataset, keywords: Sequence[str]) -> Dataset:
    found = Dataset()
    for keyword in keywords:
        try:
            value = _text(header.get(keyword))
        except Exception:  # an element that cannot be converted counts as one that is not there
            continue
        if value and _is_sound(keyword, value):
            _put(found, keyword, value)
    return found


def _put(dataset: Dataset, keyword: str, value: Any) -> None:
    """A text that is too long for its kind stays as the source has it: systems find the patient by it."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    dataset.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE))


def _text(value: Any) -> str:
    if isinstance(value, MultiValue):
        return "\\".join(_text(item) for item in value)
    return "".join(letter for letter in str(value or "") if letter.isprintable())


def _is_sound(keyword: str, value: str) -> bool:
    """Whether a date, a time, an age or a code says something; free text always does."""
    vr = dictionary_VR(keyword)
    if keyword == "PatientSex":
        return value in _SEXES
    try:
        if vr in ("AS", "CS", "DA", "TM"):
            validate_value(vr, value, RAISE)
        return bool({"DA": DA, "TM": TM}.get(vr, str)(value))
    except ValueError:
        return False
