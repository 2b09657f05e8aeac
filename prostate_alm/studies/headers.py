"""What selection and geometry know of one image, in plain values, wherever it came from."""

from dataclasses import dataclass, field
from pathlib import Path

from prostate_alm.studies.bvalues import BValue
from prostate_alm.studies.words import safe_description


class FormError(ValueError):
    """A file's own statements do not fit together; the message holds nothing that could identify a person."""


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
    """One image: a plane in patient space; millimetres in the patient's system (LPS), ms, tesla.

    A file of one slice holds one image; a multi-frame file, a mosaic or a volume file holds many. Then `frame` counts
    the planes of the file from 0, and `corner` is (row, column) of the first pixel of the tile in a mosaic.
    """

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
    frame: int = 0
    corner: tuple[int, int] | None = None
    scale: tuple[float, float] = (1.0, 0.0)
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
    component: str = ""
    step_mm: float | None = None
    thickness_mm: float | None = None
    scaling: str = ""
    padding: tuple[int, int] | None = None
    lossy: bool = False
    private_kept: bool = True
    stated_images: int | None = None
    named: str = ""

    @property
    def description(self) -> str:
        """SeriesDescription with allow-listed words only."""
        return safe_description(self.raw_description)

    @property
    def name(self) -> str:
        """How messages call the series: its number and the safe description."""
        number = "without number" if self.series_number is None else str(self.series_number)
        return f"series {number} ({self.description or 'no description'})"
