"""One DICOM file -> its images: one slice, the frames of a multi-frame file, or the tiles of a mosaic."""

import stat
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage

from prostate_alm.studies import bvalues
from prostate_alm.studies.bvalues import BValue, BValueError
from prostate_alm.studies.dicom import enhanced, mosaics
from prostate_alm.studies.dicom.quiet import quiet
from prostate_alm.studies.dicom.scan import DeflatedError, parse, read_elements
from prostate_alm.studies.dicom.values import listed, number, numbers, text, texts, whole
from prostate_alm.studies.headers import FormError, Header, Skipped
from prostate_alm.studies.strays import named_otherwise
from prostate_alm.studies.words import safe_modality, safe_model, safe_vendor

_KEYWORDS = (
    "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "FrameOfReferenceUID", "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "BodyPartExamined",
    "AccessionNumber", "InstanceNumber", "Modality", "Manufacturer", "ManufacturerModelName",
    "MagneticFieldStrength", "SeriesDescription", "SeriesNumber", "ImageType", "ScanningSequence",
    "SequenceName", "EchoTime", "RepetitionTime", "DiffusionDirectionality", "NumberOfFrames", "Rows",
    "Columns", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "PhotometricInterpretation",
    "RescaleSlope", "RescaleIntercept", "BitsAllocated", "SamplesPerPixel", "ComplexImageComponent",
    "SpacingBetweenSlices", "SliceThickness", "PixelPaddingValue", "PixelPaddingRangeLimit", "LossyImageCompression",
    "ImagesInAcquisition",
)  # fmt: skip
_KEYWORD = {tag_for_keyword(keyword) or 0: keyword for keyword in _KEYWORDS}
PHILIPS_SCALE, PHILIPS_EPI = 0x2005100E, 0x20011013
_PRIVATE_CREATORS = frozenset((0x00190010, 0x00290010, 0x00430010, 0x00650010, 0x20010010, 0x20050010))
_PLAIN = frozenset((*_KEYWORD, *(group << 16 | element for group, element in bvalues.TAGS))) | _PRIVATE_CREATORS | {
    PHILIPS_SCALE, PHILIPS_EPI
}  # fmt: skip
_ENHANCED = frozenset((EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage))
_TAGS = _PLAIN - {mosaics.CSA}  # long, and rarely needed
_ALL_TAGS = _PLAIN | enhanced.TAGS | mosaics.TAGS
SHORTEST = 132
"""Bytes before the first element of a DICOM file (PS3.10 7.1); a shorter file holds nothing."""
MAX_FRAMES = 10_000
MAX_BYTES = 1 << 29
"""Largest decoded size of a file, 512 MiB: no MR image comes near it."""
MAX_PIXELS = 1 << 24
"""Largest plane, 4096 x 4096: more than any mosaic, and a decoder's work of less than a second."""
_MAX_HEADER = 1 << 26


def read_headers(path: Path) -> tuple[Header, ...] | Skipped:
    """The images of one file; whatever goes wrong becomes a `Skipped` with the reason.

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
        if start.startswith(b"PK\x03\x04"):
            return Skipped(
                path, "a zip archive among other files, not opened; unpack it or give it alone", damaged=True
            )
        if start[128:] != b"DICM" and start[:2] not in (b"\x08\x00", b"\x02\x00"):
            return Skipped(path, "not a DICOM file", suspect=True)
        if status.st_size > MAX_BYTES + _MAX_HEADER:
            raise FormError(f"a file of more than {MAX_BYTES + _MAX_HEADER >> 20} MiB")
        with quiet():
            return _images(path, read_elements(path, _TAGS))
    except OSError as error:
        if error.errno is None:  # raised by pydicom, not by the system
            return Skipped(path, f"damaged DICOM file ({type(error).__name__})", damaged=True)
        return Skipped(path, f"cannot be opened: {error.strerror or type(error).__name__}", damaged=True)
    except InvalidDicomError:
        return Skipped(path, "not a DICOM file", suspect=True)
    except DeflatedError:
        return Skipped(path, "its transfer syntax, Deflated Explicit VR Little Endian, is not read", damaged=True)
    except FormError as error:
        return Skipped(path, f"damaged DICOM file ({error})", damaged=True)
    except Exception as error:  # pydicom raises many kinds on damaged input; one bad file never stops a batch
        return Skipped(path, f"damaged DICOM file ({type(error).__name__})", damaged=True)


def _short(path: Path, size: int) -> Skipped:
    if named_otherwise(path):
        return Skipped(path, "not a DICOM file", suspect=True)
    return Skipped(path, f"a file of only {size} bytes" if size else "an empty file", damaged=True)


def _images(path: Path, dataset: Dataset) -> tuple[Header, ...] | Skipped:
    values = _values(dataset)
    study_uid, sop_class = text(values, "StudyInstanceUID"), text(values, "SOPClassUID")
    if not values.get("Rows") or not values.get("Columns"):
        kind = _class_name(dataset.file_meta.get("MediaStorageSOPClassUID") or sop_class)  # the first survives a cut
        if not kind:
            return Skipped(path, "damaged DICOM file (no SOP class, no image)", damaged=True, study_uid=study_uid)
        if kind.endswith("Image Storage"):
            return Skipped(path, f"damaged DICOM file ({kind} without rows and columns)", True, study_uid)
        return Skipped(path, f"not an image: {kind}", study_uid=study_uid)
    if not study_uid or ":" in study_uid or not text(values, "SeriesInstanceUID"):
        return Skipped(path, "image without StudyInstanceUID or SeriesInstanceUID", damaged=True, study_uid=study_uid)
    _check_size(values)
    if (number(values, "NumberOfFrames") or 1) > 1 or sop_class in _ENHANCED:
        return _frames(path, parse(path, _ALL_TAGS))
    if mosaics.MOSAIC & set(texts(values, "ImageType")):
        dataset = parse(path, _ALL_TAGS)
        return mosaics.tiles(_header(path, dataset, _values(dataset)), dataset)
    if _csa_is_needed(dataset, values):
        dataset = parse(path, _ALL_TAGS)
        values = _values(dataset)
    return (_header(path, dataset, values),)


def _class_name(uid: str) -> str:
    """What DICOM calls a SOP class; one that it does not know may be any text."""
    name = UID(uid).name
    return name if name != uid or not uid else "object of an unknown class"


def _csa_is_needed(dataset: Dataset, values: dict[str, Any]) -> bool:
    """A Siemens image whose b-value, if it has one, stands nowhere else."""
    planar = "EP" in texts(values, "ScanningSequence") or "DIFFUSION" in texts(values, "ImageType")
    return planar and mosaics.CSA_CREATOR in dataset and bvalues.SIEMENS not in dataset


def _check_size(values: dict[str, Any]) -> None:
    frames = number(values, "NumberOfFrames") or 1
    if not 1 <= frames <= MAX_FRAMES:
        raise FormError(f"{frames:g} frames")
    if float(values["Rows"]) * float(values["Columns"]) > MAX_PIXELS:
        raise FormError(f"an image of {values['Columns']}x{values['Rows']} pixels")
    samples, bits = number(values, "SamplesPerPixel") or 1, number(values, "BitsAllocated") or 16
    if float(values["Rows"]) * float(values["Columns"]) * frames * samples * bits / 8 > MAX_BYTES:
        raise FormError(f"an image of more than {MAX_BYTES >> 20} MiB")


def _frames(path: Path, dataset: Dataset) -> tuple[Header, ...]:
    """One image per frame; a file without functional groups stays one image without a place."""
    flat = enhanced.flatten(dataset)
    if not flat:
        return (replace(_header(path, dataset, _values(dataset)), position_mm=()),)
    return tuple(
        replace(header, frame=index, b_value=_placed(header, level))
        for index, (level, frame) in enumerate(flat)
        for header in (_header(path, frame, _values(frame)),)
    )


def _placed(header: Header, level: str) -> BValue | None:
    """The b-value of a frame, with the place of its functional group; a group that says NONE states b 0."""
    b_value = header.b_value
    if b_value is None and level and header.directionality == "NONE" and not header.b_problem:
        return BValue(0.0, f"{level} > (0018,9117) > (0018,9075)")
    if b_value is None or not level or b_value.source != "(0018,9087)":
        return b_value
    return replace(b_value, source=f"{level} > (0018,9117) > (0018,9087)")


def _header(path: Path, dataset: Dataset, values: dict[str, Any]) -> Header:
    private_kept = any(tag in dataset for tag in _PRIVATE_CREATORS)
    b_value, b_problem = _b_value(dataset, private_kept)
    scale, scaling = _scale(values, dataset)
    return Header(
        path=path,
        sop_class=text(values, "SOPClassUID"),
        sop_uid=text(values, "SOPInstanceUID"),
        study_uid=text(values, "StudyInstanceUID"),
        series_uid=text(values, "SeriesInstanceUID"),
        transfer_syntax=str(dataset.file_meta.get("TransferSyntaxUID", "")),
        modality=safe_modality(text(values, "Modality")),
        image_type=texts(values, "ImageType"),
        rows=int(values["Rows"]),
        columns=int(values["Columns"]),
        frames=int(number(values, "NumberOfFrames") or 1),
        scale=scale,
        scaling=scaling,
        patient_id=text(values, "PatientID"),
        patient_name=text(values, "PatientName"),
        birth_date=text(values, "PatientBirthDate"),
        sex=text(values, "PatientSex").upper(),
        body_part=text(values, "BodyPartExamined").upper(),
        accession=text(values, "AccessionNumber"),
        frame_of_reference=text(values, "FrameOfReferenceUID"),
        vendor=_vendor(text(values, "Manufacturer")),
        model=_model(text(values, "ManufacturerModelName")),
        field_strength_t=_tesla(values),
        raw_description=text(values, "SeriesDescription"),
        series_number=whole(values, "SeriesNumber"),
        instance_number=whole(values, "InstanceNumber"),
        scanning_sequence=_scanning_sequence(values, dataset),
        sequence_name=text(values, "SequenceName"),
        echo_time_ms=number(values, "EchoTime"),
        repetition_time_ms=number(values, "RepetitionTime"),
        directionality=text(values, "DiffusionDirectionality").upper(),
        b_value=b_value,
        b_problem=b_problem,
        pixel_spacing_mm=numbers(values, "PixelSpacing"),
        orientation=numbers(values, "ImageOrientationPatient"),
        position_mm=numbers(values, "ImagePositionPatient"),
        monochrome=text(values, "PhotometricInterpretation") == "MONOCHROME2",
        component=text(values, "ComplexImageComponent").upper(),
        step_mm=number(values, "SpacingBetweenSlices"),
        thickness_mm=number(values, "SliceThickness"),
        padding=_padding(values),
        lossy=text(values, "LossyImageCompression") == "01",
        private_kept=private_kept,
        stated_images=whole(values, "ImagesInAcquisition"),
    )


def _b_value(dataset: Dataset, private_kept: bool) -> tuple[BValue | None, str]:
    """The b-value; a SequenceName alone does not count where de-identification has taken the b-value out on purpose."""
    try:
        b_value = bvalues.read_b_value(dataset)
        only_named = b_value is not None and b_value.source == "(0018,0024)"
        if b_value is not None and b_value.nominal > 0 and dataset.get("DiffusionDirectionality") == "NONE":
            return None, f"{b_value.source} states b {b_value.value:g} and (0018,9075) no diffusion weighting"
        return (None if only_named and not private_kept else b_value), ""
    except BValueError as error:
        return None, str(error)


def _scanning_sequence(values: dict[str, Any], dataset: Dataset) -> tuple[str, ...]:
    """ScanningSequence; Philips calls an echo-planar image SE too, and tells it by an EPI factor above 1."""
    words = texts(values, "ScanningSequence")
    factor = mosaics.raw_float(dataset.get(PHILIPS_EPI)) if "PHILIPS" in text(values, "Manufacturer").upper() else 0
    return (*words, "EP") if (factor or 0) > 1 and "EP" not in words else words


def _padding(values: dict[str, Any]) -> tuple[int, int] | None:
    """Lowest and highest stored value that stands for no image (PS3.3 C.7.5.1.1.2), as 16 bits without sign."""
    ends = [_sixteen_bits(values.get(keyword)) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    stated = [end for end in ends if end is not None]
    return (stated[0], stated[-1]) if ends[0] is not None else None


def _sixteen_bits(value: Any) -> int | None:
    if isinstance(value, bytes):  # without a value representation it may be of either sign
        return int.from_bytes(value[:2], "little") if len(value) >= 2 else None
    return int(value) & 0xFFFF if isinstance(value, int) else None


def _scale(values: dict[str, Any], dataset: Dataset) -> tuple[tuple[float, float], str]:
    """Slope and intercept of the stored values (PS3.3 C.11.1.1.2), and how images must agree to be compared.

    Philips scales each image to its full range; with its private ScaleSlope (2005,100E) the floating-point value is
    (stored RS + RI) / (RS SS), and only that can be compared between b-values (Chenevert et al. 2014).
    """
    slope, intercept = _factor(values, "RescaleSlope", 1.0), _factor(values, "RescaleIntercept", 0.0)
    private = mosaics.raw_float(dataset.get(PHILIPS_SCALE))
    if private and slope and "PHILIPS" in text(values, "Manufacturer").upper():
        return (1.0 / private, intercept / (slope * private)), "private"
    real_world = dataset.get(enhanced.REAL_WORLD_SLOPE)
    ratio = None if real_world is None or not slope else mosaics.raw_float(real_world)
    return (slope, intercept), "" if ratio is None else f"real world {ratio / slope:.4g}"


def _factor(values: dict[str, Any], keyword: str, usual: float) -> float:
    stated = listed(values, keyword)
    return float(stated[0]) if stated else usual


_vendor, _model = lru_cache(maxsize=256)(safe_vendor), lru_cache(maxsize=256)(safe_model)


def _values(dataset: Dataset) -> dict[str, Any]:
    """Keyword -> value of the standard elements."""
    values: dict[str, Any] = {}
    for element in dataset.values():
        keyword = _KEYWORD.get(element.tag)
        if keyword is not None:
            read = element if isinstance(element, DataElement) else dataset[element.tag]
            values[keyword] = read.value
    return values


def _tesla(values: dict[str, Any]) -> float | None:
    """MagneticFieldStrength (0018,0087); old exports state gauss."""
    strength = number(values, "MagneticFieldStrength")
    return strength / 10_000 if strength is not None and strength > 100 else strength
