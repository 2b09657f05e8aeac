"""What an image is, by content: ImageType first, description only to rule out, never to rule in.

DICOM PS3.3 C.7.6.1.1.2 and C.8.3.1.1.1: ImageType value 1 is ORIGINAL or DERIVED, value 2 PRIMARY or SECONDARY, later
values are the vendor's (Siemens: M, P, DIFFUSION, ADC, TRACEW, FA, CALC_BVAL, MOSAIC ...).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from prostate_alm.studies.headers import Header
from prostate_alm.studies.mosaics import MOSAIC
from prostate_alm.studies.words import words_of


class Role(StrEnum):
    """The role of a series, as `inspect` reports it."""

    T2 = "t2"
    DWI = "dwi"
    ADC = "adc"
    CALCULATED = "calculated"
    OTHER = "other"


@dataclass(frozen=True)
class Kind:
    """A role that content allows, and why it is not more.

    Args:
        role: T2 only means "anatomical": selection decides.
        why_not: empty if the images may be used.
        perhaps: True if they may be just what the study lacks, could they be read.
    """

    role: Role
    why_not: str = ""
    perhaps: bool = False


@dataclass(frozen=True)
class Part:
    """The images of one series that are of one kind; one series can hold a trace, its ADC and raw directions."""

    kind: Kind
    images: tuple[Header, ...]

    @property
    def name(self) -> str:
        """How messages call the series."""
        return self.images[0].name


_ADC = {"ADC", "EADC", "ADC_UNSPECIFIED"}
_TRACE = {"TRACE", "TRACEW", "ISOTROPIC"}
_CALCULATED = ("CALC", "SYN", "COMP")
_CALCULATED_TEXT = re.compile(r"calc|synth|comput|extrapol|syn_?b\d", re.IGNORECASE)
_CALCULATED_WORD = re.compile(r"[cs]dwi\w*|syn|[cs]b\d{2,4}")
_MAPS = {"FA", "COLFA", "FRACT_ANISO", "TENSOR", "RELATIVE", "EXP", "TTEST", "MIP", "MPR", "SUBTRACTION", "PERFUSION"}
_PHASE = {"P", "PHASE", "PHASE MAP", "IMAGINARY", "REAL", "R", "I", "VELOCITY"}
_B_RANGE = re.compile(r"b\d+_\d+")


def is_trace(image: Header) -> bool:
    """True for a trace-weighted image, which already holds every direction."""
    return bool(_TRACE & set(image.image_type)) or image.directionality == "ISOTROPIC"


def split_parts(images: Sequence[Header]) -> list[Part]:
    """Split one study's images into parts: one series, one kind, one echo time; in order of series numbers."""
    series: dict[str, list[Header]] = defaultdict(list)
    for image in images:
        series[image.series_uid].append(image)
    parts = [part for members in series.values() for part in _split_series(members)]
    number = [(part.images[0].series_number or 0, part.images[0].series_uid) for part in parts]
    return [parts[index] for index in sorted(range(len(parts)), key=number.__getitem__)]


def _split_series(images: Sequence[Header]) -> list[Part]:
    diffusion = any(_is_diffusion(image) for image in images)
    groups: dict[tuple[Kind, float | None], list[Header]] = defaultdict(list)
    for image in images:
        groups[_kind(image, diffusion), image.echo_time_ms].append(image)
    return [Part(kind, tuple(members)) for (kind, _), members in groups.items()]


def _is_diffusion(image: Header) -> bool:
    """A b-value above zero, or one at all on an echo-planar or DIFFUSION image."""
    if image.b_problem:
        return True
    if image.b_value is None:
        return False
    return image.b_value.nominal > 0 or _looks_diffusion(image)


def _looks_diffusion(image: Header) -> bool:
    return "EP" in image.scanning_sequence or "DIFFUSION" in image.image_type


def _kind(image: Header, diffusion: bool) -> Kind:
    for rule in _RULES:
        if (kind := rule(image)) is not None:
            return kind
    if diffusion:
        if image.b_problem:
            return Kind(Role.OTHER, f"its b-value is unclear: {image.b_problem}", perhaps=True)
        if image.b_value is None:
            return Kind(Role.OTHER, "these images of a diffusion series state no b-value", perhaps=True)
        return Kind(Role.DWI)
    if _looks_diffusion(image):
        return Kind(Role.OTHER, _no_b_value(image), perhaps=True)
    return Kind(Role.T2)


def _no_b_value(image: Header) -> str:
    reason = "echo-planar or diffusion images that state no b-value in (0018,9087) or (0019,100C)"
    if not image.private_kept and image.vendor == "Siemens":
        return reason + "; de-identification has removed the private tags that hold it"
    return reason


def _unreadable(image: Header) -> Kind | None:
    if image.modality != "MR":
        return Kind(Role.OTHER, "it is not MR")
    if image.frames > 1 and not image.position_mm:
        return Kind(Role.OTHER, "it is a multi-frame file that does not place its frames", perhaps=True)
    if MOSAIC & set(image.image_type) and image.corner is None:
        return Kind(Role.OTHER, "it is a mosaic that does not say how its slices lie", perhaps=True)
    return None


def _adc(image: Header) -> Kind | None:
    """An ADC map mostly carries a b-value (800, 500, 100) and may stand beside TRACEW in one ImageType."""
    by_type = bool(_ADC & set(image.image_type))
    derived = "DERIVED" in image.image_type and not is_trace(image)
    if by_type or (derived and {"adc", "eadc"} & set(words_of(image.raw_description))):
        return Kind(Role.ADC, "it is an ADC map, not an acquired image")
    return None


def _calculated(image: Header) -> Kind | None:
    by_type = any(value.startswith(_CALCULATED) for value in image.image_type)
    by_word = any(_CALCULATED_WORD.fullmatch(word) for word in words_of(image.raw_description))
    if by_type or by_word or _CALCULATED_TEXT.search(image.raw_description):
        return Kind(Role.CALCULATED, "it is calculated (ImageType or description says so), not acquired")
    if _B_RANGE.search(image.sequence_name):
        return Kind(
            Role.CALCULATED, "it is calculated from several b-values (its SequenceName gives their range), not acquired"
        )
    return None


def _derived_otherwise(image: Header) -> Kind | None:
    words = set(image.image_type)
    if not words:
        return Kind(Role.OTHER, "it states no ImageType")
    if "LOCALIZER" in words:
        return Kind(Role.OTHER, "it is a localizer")
    if _MAPS & words:
        return Kind(Role.OTHER, "it is a computed map")
    if _PHASE & set(image.image_type[2:]) and not {"M", "M_SE"} & words:
        return Kind(Role.OTHER, "it is no magnitude image")
    if "SECONDARY" in words:
        return Kind(Role.OTHER, "it is a secondary image (reformatted or processed)")
    if not image.monochrome:
        return Kind(Role.OTHER, "it is in colour or inverted (not MONOCHROME2)")
    return None


_RULES: tuple[Callable[[Header], Kind | None], ...] = (_unreadable, _adc, _calculated, _derived_otherwise)
