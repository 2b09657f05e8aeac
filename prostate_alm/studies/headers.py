"""The header of one image file, parsed once into plain values."""

import math
import stat
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.uid import UID

from prostate_alm.studies import bvalues
from prostate_alm.studies.bvalues import BValue, BValueError
from prostate_alm.studies.strays import named_otherwise
from prostate_alm.studies.words import safe_description, safe_modality, safe_model, safe_vendor

_KEYWORDS = (
    "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "FrameOfReferenceUID", "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "BodyPartExamined",
    "AccessionNumber", "InstanceNumber", "Modality", "Manufacturer", "ManufacturerModelName",
    "MagneticFieldStrength", "SeriesDescription", "SeriesNumber", "ImageType", "ScanningSequence",
    "SequenceName", "EchoTime", "RepetitionTime", "DiffusionDirectionality", "NumberOfFrames", "Rows",
    "Columns", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "PhotometricInterpretation",
)  # fmt: skip
_TAGS = [*_KEYWORDS, *bvalues.TAGS]
SHORTEST = 132
"""Bytes before the first element of a DICOM file (PS3.10 7.1); a shorter file holds nothing."""


@dataclass(frozen=True)
class Skipped:
    """A file that takes no part.

    Args:
        path: the file.
        reason: why, in plain words.
        damaged: True if it is, or claims to be, a DICOM image: a study that lost one is not complete.
        study_uid: the study it belongs to, where that is known.
        suspect: True if only its place and name can tell whether it was an image once.
    """

    path: Path
    reason: str
    damaged: bool = False
    study_uid: str = ""
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """What selection and geometry need to know of one image; millimetres in the patient's system (LPS), ms, tesla."""

    path: Path
    sop_class: str
    sop_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax: str
    modality: str
    image_type: tuple[str, ...]
    rows: int
    columns: int
    frames: int = 1
    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)
    birth_date: str = field(default="", repr=False)
    sex: str = field(default="", repr=False)
    body_part: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)
    frame_of_reference: str = ""
    vendor: str = ""
    model: str = ""
    field_strength_t: float | None = None
    raw_description: str = field(default="", repr=False)
    series_number: int | None = None
    instance_number: int | None = None
    scanning_sequence: tuple[str, ...] = ()
    sequence_name: str = ""
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    directionality: str = ""
    b_value: BValue | None = None
    b_problem: str = ""
    pixel_spacing_mm: tuple[float, ...] = ()
    orientation: tuple[float, ...] = ()
    position_mm: tuple[float, ...] = ()
    monochrome: bool = True
    private_kept: bool = True

    @property
    def description(self) -> str:
        """SeriesDescription with allow-listed words only."""
        return safe_description(self.raw_description)

    @property
    def name(self) -> str:
        """How messages call the series: its number and the safe description."""
        number = "without number" if self.series_number is None else str(self.series_number)
        return f"series {number} ({self.description or 'no description'})"


def read_header(path: Path) -> Header | Skipped:
    """Read one file's header; whatever goes wrong becomes a `Skipped` with the reason.

    Args:
        path: any file.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            return Skipped(path, "not a regular file", suspect=True)
        if status.st_size < SHORTEST:
            return _short(path, status.st_size)
        with path.open("rb") as file:
            start = file.read(SHORTEST)
        preamble = start[128:] == b"DICM"
        if not preamble and start[:2] not in (b"\x08\x00", b"\x02\x00"):
            return Skipped(path, "not a DICOM file", suspect=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS, force=not preamble)
            return _parse(path, dataset)
    except OSError as error:
        return Skipped(path, f"cannot be opened: {error.strerror or type(error).__name__}", damaged=True)
    except InvalidDicomError:
        return Skipped(path, "not a DICOM file", suspect=True)
    except Exception as error:  # pydicom raises many kinds on damaged input; one bad file never stops a batch
        return Skipped(path, f"damaged DICOM file ({type(error).__name__})", damaged=True)


def _short(path: Path, size: int) -> Skipped:
    if named_otherwise(path):
        return Skipped(path, "not a DICOM file", suspect=True)
    return Skipped(path, f"a file of only {size} bytes" if size else "an empty file", damaged=True)


def _parse(path: Path, dataset: Dataset) -> Header | Skipped:
    study_uid, sop_class = _text(dataset, "StudyInstanceUID"), _text(dataset, "SOPClassUID")
    if not dataset.get("Rows") or not dataset.get("Columns"):
        kind = UID(dataset.file_meta.get("MediaStorageSOPClassUID") or sop_class).name  # the first survives a cut
        if not kind:
            return Skipped(path, "damaged DICOM file (no SOP class, no image)", damaged=True, study_uid=study_uid)
        if kind.endswith("Image Storage"):
            return Skipped(path, f"damaged DICOM file ({kind} without rows and columns)", True, study_uid)
        return Skipped(path, f"not an image: {kind}", study_uid=study_uid)
    if not study_uid or not _text(dataset, "SeriesInstanceUID"):
        return Skipped(path, "image without StudyInstanceUID or SeriesInstanceUID", damaged=True, study_uid=study_uid)
    b_value, b_problem = _b_value(dataset)
    return Header(
        path=path,
        sop_class=sop_class,
        sop_uid=_text(dataset, "SOPInstanceUID"),
        study_uid=study_uid,
        series_uid=_text(dataset, "SeriesInstanceUID"),
        transfer_syntax=str(dataset.file_meta.get("TransferSyntaxUID", "")),
        modality=safe_modality(_text(dataset, "Modality")),
        image_type=_texts(dataset, "ImageType"),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        frames=int(_number(dataset, "NumberOfFrames") or 1),
        patient_id=_text(dataset, "PatientID"),
        patient_name=_text(dataset, "PatientName"),
        birth_date=_text(dataset, "PatientBirthDate"),
        sex=_text(dataset, "PatientSex").upper(),
        body_part=_text(dataset, "BodyPartExamined").upper(),
        accession=_text(dataset, "AccessionNumber"),
        frame_of_reference=_text(dataset, "FrameOfReferenceUID"),
        vendor=safe_vendor(_text(dataset, "Manufacturer")),
        model=safe_model(_text(dataset, "ManufacturerModelName")),
        field_strength_t=_tesla(dataset),
        raw_description=_text(dataset, "SeriesDescription"),
        series_number=_whole(dataset, "SeriesNumber"),
        instance_number=_whole(dataset, "InstanceNumber"),
        scanning_sequence=_texts(dataset, "ScanningSequence"),
        sequence_name=_text(dataset, "SequenceName"),
        echo_time_ms=_number(dataset, "EchoTime"),
        repetition_time_ms=_number(dataset, "RepetitionTime"),
        directionality=_text(dataset, "DiffusionDirectionality").upper(),
        b_value=b_value,
        b_problem=b_problem,
        pixel_spacing_mm=_numbers(dataset, "PixelSpacing"),
        orientation=_numbers(dataset, "ImageOrientationPatient"),
        position_mm=_numbers(dataset, "ImagePositionPatient"),
        monochrome=_text(dataset, "PhotometricInterpretation") == "MONOCHROME2",
        private_kept=bvalues.SIEMENS_CREATOR in dataset,
    )


def _b_value(dataset: Dataset) -> tuple[BValue | None, str]:
    try:
        return bvalues.read_b_value(dataset), ""
    except BValueError as error:
        return None, str(error)


def _values(dataset: Dataset, keyword: str) -> list[Any]:
    value = dataset.get(keyword)
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (MultiValue, list, tuple)) else [value]


def _text(dataset: Dataset, keyword: str) -> str:
    return "\\".join(str(value) for value in _values(dataset, keyword)).strip("\0 ")


def _texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    return tuple(str(value).strip("\0 ").upper() for value in _values(dataset, keyword))


def _numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in _values(dataset, keyword))
    return numbers if all(math.isfinite(number) for number in numbers) else ()


def _number(dataset: Dataset, keyword: str) -> float | None:
    numbers = _numbers(dataset, keyword)
    return numbers[0] if numbers else None


def _whole(dataset: Dataset, keyword: str) -> int | None:
    number = _number(dataset, keyword)
    return None if number is None else int(number)


def _tesla(dataset: Dataset) -> float | None:
    """MagneticFieldStrength (0018,0087); old exports state gauss."""
    strength = _number(dataset, "MagneticFieldStrength")
    return strength / 10_000 if strength is not None and strength > 100 else strength
