"""What an image is, by content: ImageType first, description only to rule out, never to rule in.

DICOM PS3.3 C.7.6.1.1.2 and C.8.3.1.1.1: ImageType value 1 is ORIGINAL or DERIVED, value 2 PRIMARY or SECONDARY, later
values are the vendor's (Siemens: M, P, DIFFUSION, ADC, TRACEW, FA, CALC_BVAL, MOSAIC ...).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from prostate_alm.studies.bvalues.untagged import with_untagged_b0
from prostate_alm.studies.dicom.mosaics import MOSAIC
from prostate_alm.studies.headers import Header
from prostate_alm.studies.rules import Rules, SeriesRule
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

    def rule(self, rules: Rules) -> SeriesRule | None:
        """The first of the site's series rules that fits."""
        return series_rule(self.images[0], rules)


_ADC = {"ADC", "EADC", "ADC_UNSPECIFIED", "ADC_MAP"}
_TRACE = {"TRACE", "TRACEW", "ISOTROPIC"}
_CALCULATED = ("CALC", "SYN", "COMP")
_MAPS = frozenset(
    re.findall(
        r"\S+",
        """
        FA COLFA FRACT_ANISO DIFFUSION_ANISO TENSOR RELATIVE EXP TTEST T_TEST Z_SCORE MIP MAX_IP MIN_IP MAXIMUM MINIMUM
        MEAN MPR SUB SUBTRACTION ADDITION DIVISION MULTIPLICATION STD_DEVIATION RESAMPLED PERFUSION RA SNR_MAP T1_MAP
        T2_MAP T2STAR_MAP R_COEFFICIENT RHO NEI METABOLITE_MAP EXTRAPOLATED FAT
        """,
    )
)
"""What PS3.3 C.8.13.3.1.1.4 and the vendors call images that were computed from others."""
_HARMLESS = frozenset(("DERIVED", "PRIMARY", "M", "M_SE", "SE", "NORM", "DIS2D", "DIS3D", "ND", "FM", "FIL", "NONE"))
"""What a derived image may say of itself and still be acquired: corrected for shading or distortion."""
_PHASE = {"P", "PHASE", "PHASE MAP", "IMAGINARY", "REAL", "R", "I", "VELOCITY"}
_B_RANGE = re.compile(r"b\d+_\d+")


def is_trace(image: Header) -> bool:
    """True for a trace-weighted image, which already holds every direction."""
    return bool(_TRACE & set(image.image_type)) or image.directionality == "ISOTROPIC"


def series_rule(image: Header, rules: Rules) -> SeriesRule | None:
    """The first of the site's series rules that fits the image's series."""
    stated = {
        "description": image.raw_description,
        "series_number": image.series_number,
        "vendor": image.vendor,
        "model": image.model,
    }
    return next((rule for rule in rules.series if rule.fits(**stated)), None)


def split_parts(images: Sequence[Header], rules: Rules) -> list[Part]:
    """Split one study's images into parts: one series, kind, echo time and form, in order of series numbers.

    Args:
        images: of one study.
        rules: the site's rules.
    """
    series: dict[str, list[Header]] = defaultdict(list)
    for image in images:
        series[image.series_uid].append(image)
    parts = [part for members in series.values() for part in _split_series(with_untagged_b0(members), rules)]
    number = [(part.images[0].series_number or 0, part.images[0].series_uid) for part in parts]
    return [parts[index] for index in sorted(range(len(parts)), key=number.__getitem__)]


def _split_series(images: Sequence[Header], rules: Rules) -> list[Part]:
    diffusion = any(_is_diffusion(image) for image in images)
    groups: dict[tuple[Kind, float | None, str], list[Header]] = defaultdict(list)
    for image in images:
        # an enhanced file beside classic ones of one series is the same scan again
        echo = None if image.echo_time_ms is None else round(image.echo_time_ms, 1)  # rounded by some scanners
        groups[_kind(image, diffusion, rules), echo, image.sop_class].append(image)
    return [Part(kind, tuple(members)) for (kind, _, _), members in groups.items()]


def _is_diffusion(image: Header) -> bool:
    """A b-value above zero, an unclear one, or one at all on an image that calls itself diffusion."""
    if image.b_problem:
        return True
    if image.b_value is None:
        return False
    return image.b_value.nominal > 0 or _called_diffusion(image)


def _called_diffusion(image: Header) -> bool:
    weighted = image.directionality not in ("", "NONE")
    return "DIFFUSION" in image.image_type or weighted or image.named == Role.DWI


def _looks_diffusion(image: Header) -> bool:
    return "EP" in image.scanning_sequence or _called_diffusion(image)


def _kind(image: Header, diffusion: bool, rules: Rules) -> Kind:
    for rule in _RULES:
        if (kind := rule(image, rules)) is not None:
            return kind
    if diffusion:
        return _diffusion(image, rules)
    if image.b_value is not None and _looks_diffusion(image):
        return Kind(Role.OTHER, "it is no diffusion: every image of the series states b 0 (as fMRI does)")
    if "EP" in image.scanning_sequence and _is_gradient_echo(image):
        return Kind(Role.OTHER, "it is no diffusion: echo-planar gradient echo (as fMRI is), without a b-value")
    if _looks_diffusion(image):
        return Kind(Role.OTHER, _no_b_value(image), perhaps=True)
    return Kind(Role.T2)


def _is_gradient_echo(image: Header) -> bool:
    """Diffusion weighting needs a spin echo; Siemens calls the gradient echo FID in its SequenceName."""
    return not _called_diffusion(image) and ("GR" in image.scanning_sequence or "fid" in image.sequence_name.lower())


def _diffusion(image: Header, rules: Rules) -> Kind:
    if image.b_problem:
        return Kind(Role.OTHER, f"its b-value is unclear: {image.b_problem}", perhaps=True)
    if image.b_value is None:
        return Kind(Role.OTHER, "these images of a diffusion series state no b-value", perhaps=True)
    if not image.b_value.verified and rules.dwi.unverified_b_values == "refuse":
        why_not = f"its b-value stands only in {image.b_value.source}, which is not verified for this vendor"
        return Kind(Role.OTHER, f"{why_not} (rule dwi.unverified_b_values)", perhaps=True)
    return Kind(Role.DWI)


def _no_b_value(image: Header) -> str:
    reason = "echo-planar or diffusion images that state no b-value, in no place that any vendor is known to use"
    if image.private_kept or image.vendor not in _PRIVATE_B_VALUE:
        return reason
    where = _PRIVATE_B_VALUE[image.vendor]
    return f"{reason}; de-identification has removed the private tags that hold it (of {image.vendor}, {where})"


_PRIVATE_B_VALUE = {
    "Siemens": "(0019,100C)",
    "GE": "(0043,1039)",
    "Philips": "(2001,1003)",
    "UIH": "(0065,1009)",
    "Hitachi": "(0029,1030)",
}


def _unreadable(image: Header, _rules: Rules) -> Kind | None:
    if image.modality != "MR":
        why_not = "it is not MR" if image.modality else "nothing says what it is: no sidecar, and no rule fits its name"
        return Kind(Role.OTHER, why_not)
    if image.frames > 1 and not image.position_mm:
        return Kind(Role.OTHER, "it is a multi-frame file that does not place its frames", perhaps=True)
    if MOSAIC & set(image.image_type) and image.corner is None:
        return Kind(Role.OTHER, "it is a mosaic that does not say how its slices lie", perhaps=True)
    return None


def _left_out(image: Header, rules: Rules) -> Kind | None:
    rule = series_rule(image, rules)
    if rule is not None and rule.use_as == "ignore":
        return Kind(Role.OTHER, f"a rule of the site leaves it out: {rule.because}")
    return None


def _named(image: Header, _rules: Rules) -> Kind | None:
    """What a rule for file names says; the roles T2 and DWI still depend on content."""
    if image.named == Role.T2:
        return Kind(Role.T2)
    if image.named == Role.ADC:
        return Kind(Role.ADC, "it is an ADC map by its name, not an acquired image")
    if image.named == Role.CALCULATED:
        return Kind(Role.CALCULATED, "by its name it may be calculated, not acquired")
    return Kind(Role.OTHER, "a rule for file names leaves it out") if image.named == "ignore" else None


def _adc(image: Header, _rules: Rules) -> Kind | None:
    """An ADC map mostly carries a b-value (800, 500, 100) and may stand beside TRACEW in one ImageType."""
    by_type = bool(_ADC & set(image.image_type))
    derived = "DERIVED" in image.image_type and not is_trace(image)
    if by_type or (derived and {"adc", "eadc"} & set(words_of(image.raw_description))):
        return Kind(Role.ADC, "it is an ADC map, not an acquired image")
    return None


def _calculated(image: Header, rules: Rules) -> Kind | None:
    by_type = any(value.startswith(_CALCULATED) for value in image.image_type)
    if by_type or rules.dwi.says_calculated(image.raw_description):
        return Kind(Role.CALCULATED, "it is calculated (ImageType or description says so), not acquired")
    if _B_RANGE.search(image.sequence_name):
        return Kind(
            Role.CALCULATED, "it is calculated from several b-values (its SequenceName gives their range), not acquired"
        )
    return None


def _derived_otherwise(image: Header, _rules: Rules) -> Kind | None:
    words = set(image.image_type)
    if image.named:
        return None
    if not words:
        return Kind(Role.OTHER, "it states no ImageType")
    if "LOCALIZER" in words:
        return Kind(Role.OTHER, "it is a localizer")
    if _MAPS & words:
        return Kind(Role.OTHER, "it is a computed map")
    if _PHASE & set(image.image_type[2:]) and not {"M", "M_SE"} & words:
        return Kind(Role.OTHER, "it is no magnitude image")
    if image.component not in ("", "MAGNITUDE"):
        return Kind(Role.OTHER, "it is no magnitude image (ComplexImageComponent)", perhaps=True)
    if "SECONDARY" in words:
        return Kind(Role.OTHER, "it is a secondary image (reformatted or processed)")
    if "MIXED" in words or ("ORIGINAL" not in words and not is_trace(image) and words - _HARMLESS):
        return Kind(Role.OTHER, "it is derived, and its ImageType does not say how for certain", perhaps=True)
    if not image.monochrome:
        return Kind(Role.OTHER, "it is in colour or inverted (not MONOCHROME2)")
    return None


_RULES: tuple[Callable[[Header, Rules], Kind | None], ...] = (
    _left_out, _unreadable, _named, _adc, _calculated, _derived_otherwise,
)  # fmt: skip
