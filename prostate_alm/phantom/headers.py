"""The DICOM headers of a series, and its files."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import PYDICOM_ROOT_UID, UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from prostate_alm.phantom.dialects import MODEL_NAME, Dialect
from prostate_alm.phantom.protocol import MAX_STORED, Frame, Series

STUDY_DATE = "20200102"


@dataclass(frozen=True)
class Identity:
    """Who was scanned when; all of it made up.

    Args:
        key: what every identifier of the study is made from.
        patient_name: for example `PHANTOM^0001`.
        patient_id: differs between cohorts of different seeds.
        accession: at most 16 characters.
        b_values: the acquired b-values, for the names of sequences.
    """

    key: str
    patient_name: str
    patient_id: str
    accession: str
    b_values: tuple[int, ...]

    def uid(self, *parts: object) -> UID:
        """A UID under pydicom's root that the key and the parts decide."""
        return generate_uid(prefix=PYDICOM_ROOT_UID, entropy_srcs=[self.key, *(str(part) for part in parts)])

    def file_name(self, *parts: object) -> str:
        """Sixteen characters without meaning."""
        return hashlib.sha256("/".join([self.key, *(str(part) for part in parts)]).encode()).hexdigest()[:16].upper()


def write_series(
    folder: Path, series: Series, number: int, identity: Identity, dialect: Dialect, generator: np.random.Generator
) -> None:
    """Write one series, a file per slice.

    InstanceNumber follows the slices, runs against them or is scrambled, as the generator decides: no reader may
    trust it.

    Args:
        folder: made here; must not exist.
        series: the frames.
        number: SeriesNumber.
        identity: who was scanned.
        dialect: how the vendor writes.
        generator: the study's source of chance.
    """
    folder.mkdir()
    instance_numbers = _instance_numbers(len(series.frames), generator)
    for frame, instance in zip(series.frames, instance_numbers, strict=True):
        header = _study_header(identity, dialect)
        _add_series(header, series, frame, number, identity, dialect)
        _add_frame(header, frame, instance, identity, number)
        if frame.b_value is not None:
            dialect.tag_b_value(header, frame.b_value)
        header.file_meta = _file_meta(header)
        header.save_as(folder / (identity.file_name(number, instance) + dialect.suffix), enforce_file_format=True)


def _instance_numbers(count: int, generator: np.random.Generator) -> list[int]:
    numbers = np.arange(1, count + 1)
    way = generator.random()
    if way < 0.25:
        numbers = numbers[::-1]
    elif way < 0.6:
        numbers = generator.permutation(numbers)
    return [int(number) for number in numbers]


def _file_meta(header: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta


def _study_header(identity: Identity, dialect: Dialect) -> Dataset:
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.SOPClassUID = MRImageStorage
    header.StudyDate = header.SeriesDate = header.AcquisitionDate = header.ContentDate = STUDY_DATE
    header.StudyTime = "080000"
    header.AccessionNumber = identity.accession
    header.Modality = "MR"
    header.Manufacturer = dialect.manufacturer
    header.ManufacturerModelName = MODEL_NAME
    header.ReferringPhysicianName = ""
    header.StudyDescription = "Synthetic prostate MRI"
    header.PatientName = identity.patient_name
    header.PatientID = identity.patient_id
    header.PatientBirthDate = ""
    header.PatientSex = "M"
    header.BodyPartExamined = "PROSTATE"
    header.MagneticFieldStrength = "3"
    header.PatientPosition = "HFS"
    header.StudyInstanceUID = identity.uid("study")
    header.FrameOfReferenceUID = identity.uid("frame of reference")
    header.PositionReferenceIndicator = ""
    header.StudyID = "1"
    return header


def _add_series(
    header: Dataset, series: Series, frame: Frame, number: int, identity: Identity, dialect: Dialect
) -> None:
    style = dialect.styles[series.kind]
    low, high = min(identity.b_values), max(identity.b_values)
    header.ImageType = list(style.image_type)
    header.SeriesDescription = header.ProtocolName = style.description
    header.SequenceName = style.sequence.format(b=frame.b_value, low=low, high=high)
    header.ScanningSequence, header.SequenceVariant = style.scanning
    header.ScanOptions = "FS" if frame.b_value is not None else ""
    header.MRAcquisitionType = "2D"
    header.RepetitionTime, header.EchoTime = (str(time) for time in style.times_ms)
    header.EchoTrainLength = "1"
    header.SeriesInstanceUID = identity.uid("series", number)
    header.SeriesNumber = str(number)
    header.AcquisitionNumber = "1"
    header.SeriesTime = header.AcquisitionTime = header.ContentTime = f"0800{number:02d}"


def _add_frame(header: Dataset, frame: Frame, instance: int, identity: Identity, number: int) -> None:
    grid = frame.grid
    position = grid.position_mm(0, 0, frame.slice_index)
    header.SOPInstanceUID = identity.uid("instance", number, instance)
    header.InstanceNumber = str(instance)
    header.SliceThickness = header.SpacingBetweenSlices = _decimal(grid.spacing_mm[2])[0]
    header.ImagePositionPatient = _decimal(*position)
    header.ImageOrientationPatient = _decimal(*grid.axes[0], *grid.axes[1])
    header.SliceLocation = _decimal(position @ grid.axes[2])[0]
    header.PixelSpacing = _decimal(grid.spacing_mm[1], grid.spacing_mm[0])
    header.Rows, header.Columns = frame.pixels.shape
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, int(MAX_STORED).bit_length(), 11
    header.PixelRepresentation = 0
    header.WindowCenter, header.WindowWidth = "500", "1000"
    header.PixelData = frame.pixels.astype("<u2").tobytes()


def _decimal(*values: float) -> Sequence[str]:
    """Decimal strings of at most 16 characters (PS3.5 6.2, VR DS)."""
    return [format_number_as_ds(float(value) + 0.0) for value in values]
