"""The parts that DICOM headers are made of, whatever the files of a series look like."""

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage
from pydicom.valuerep import format_number_as_ds

from prostate_alm.phantom.grid import Grid
from prostate_alm.phantom.protocol import MAX_STORED
from prostate_alm.phantom.scan import MODEL_NAME, Scan

STUDY_DATE = "20200102"
STORED_BITS = int(MAX_STORED).bit_length()


def series_header(scan: Scan, instance: int) -> Dataset:
    """Patient, study, equipment, series and the names of one file (PS3.3 C.7.1 to C.7.5), without image.

    Args:
        scan: the series.
        instance: InstanceNumber, from 1.
    """
    header = _study_header(scan)
    style, number = scan.style, scan.number
    header.ImageType = list(style.image_type)
    header.SeriesDescription = header.ProtocolName = style.description
    header.MRAcquisitionType = "2D"
    header.SeriesInstanceUID = scan.identity.uid("series", number)
    header.SeriesNumber = str(number)
    header.AcquisitionNumber = "1"
    header.SeriesTime = header.AcquisitionTime = header.ContentTime = f"0800{number:02d}"
    header.SOPInstanceUID = scan.identity.uid("instance", number, instance)
    header.InstanceNumber = str(instance)
    return header


def classic_header(scan: Scan, instance: int, b_value: int | None) -> Dataset:
    """A series header with the acquisition as a classic MR Image states it (PS3.3 C.8.3.1).

    Args:
        scan: the series.
        instance: InstanceNumber, from 1.
        b_value: in s/mm2, or None where there is no diffusion.
    """
    header = series_header(scan, instance)
    style = scan.style
    name = sequence_name(scan, b_value)
    if name is not None:
        header.SequenceName = name
    header.ScanningSequence, header.SequenceVariant = style.scanning
    header.ScanOptions = "FS" if b_value is not None else ""
    header.RepetitionTime, header.EchoTime = (str(time) for time in style.times_ms)
    header.EchoTrainLength = "1"
    return header


def sequence_name(scan: Scan, b_value: int | None) -> str | None:
    """The name of the pulse sequence with its b-values filled in; None where the vendor writes none."""
    low, high = min(scan.identity.b_values), max(scan.identity.b_values)
    template = scan.style.sequence
    return template and template.format(b=b_value, low=low, high=high, direction="#1" if b_value else "")


def add_sampling(header: Dataset, grid: Grid) -> None:
    """Thickness, spacing (mm) and orientation of the slices of a grid (PS3.3 C.7.6.2)."""
    header.SliceThickness = header.SpacingBetweenSlices = decimal(grid.spacing_mm[2])[0]
    header.ImageOrientationPatient = decimal(*grid.axes[0], *grid.axes[1])
    header.PixelSpacing = decimal(grid.spacing_mm[1], grid.spacing_mm[0])


def add_position(header: Dataset, position_mm: np.ndarray, grid: Grid) -> None:
    """Where the centre of the first pixel lies: (3,) LPS in mm (PS3.3 C.7.6.2.1.1)."""
    header.ImagePositionPatient = decimal(*position_mm)
    header.SliceLocation = decimal(position_mm @ grid.axes[2])[0]


def add_pixels(header: Dataset, pixels: np.ndarray, bits: int = STORED_BITS) -> None:
    """Unsigned pixels (rows, columns) or (frames, rows, columns), `bits` of 16 in use (PS3.3 C.7.6.3)."""
    header.Rows, header.Columns = pixels.shape[-2:]
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, bits, bits - 1
    header.PixelRepresentation = 0
    header.WindowCenter, header.WindowWidth = "500", "1000"
    header.PixelData = pixels.astype("<u2").tobytes()


def decimal(*values: float) -> Sequence[str]:
    """Decimal strings of at most 16 characters (PS3.5 6.2, VR DS).

    Example:
        >>> decimal(1 / 3, -0.0)
        ['0.33333333333333', '0.0']
    """
    return [format_number_as_ds(float(value) + 0.0) for value in values]


def _study_header(scan: Scan) -> Dataset:
    identity = scan.identity
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.SOPClassUID = MRImageStorage
    header.StudyDate = header.SeriesDate = header.AcquisitionDate = header.ContentDate = STUDY_DATE
    header.StudyTime = "080000"
    header.AccessionNumber = identity.accession
    header.Modality = "MR"
    header.Manufacturer = scan.dialect.manufacturer
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
