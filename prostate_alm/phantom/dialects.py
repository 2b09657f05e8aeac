"""How a vendor writes what it scanned: names, types and the place of the b-value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from prostate_alm.errors import UsageError

MODEL_NAME = "prostate_alm phantom"


@dataclass(frozen=True)
class Style:
    """What the headers of one kind of series say.

    Args:
        description: SeriesDescription.
        image_type: ImageType.
        sequence: SequenceName; `{b}`, `{low}` and `{high}` stand for b-values.
        scanning: ScanningSequence and SequenceVariant.
        times_ms: repetition and echo time.
    """

    description: str
    image_type: tuple[str, ...]
    sequence: str
    scanning: tuple[str, str]
    times_ms: tuple[int, int]


@dataclass(frozen=True)
class Dialect:
    """One vendor's way to write a study.

    Args:
        manufacturer: what the vendor calls itself.
        suffix: ending of file names.
        styles: kind of series -> what its headers say.
        tag_b_value: writes a b-value where this vendor writes it.
    """

    manufacturer: str
    suffix: str
    styles: Mapping[str, Style]
    tag_b_value: Callable[[Dataset, int], None]


def _tag_siemens(header: Dataset, b_value: int) -> None:
    """(0019,100C) B_value and (0019,100D) DiffusionDirectionality, as the scanner writes them."""
    block = header.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", str(b_value))
    block.add_new(0x0D, "CS", "ISOTROPIC")


def _tag_siemens_raw(header: Dataset, b_value: int) -> None:
    """The same as bytes such as `b'400 '`: what an archive that does not know the private tags makes of them."""
    block = header.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    text = str(b_value)
    block.add_new(0x0C, "OB", (text + " " * (len(text) % 2)).encode("ascii"))
    block.add_new(0x0D, "OB", b"ISOTROPIC ")


def _tag_standard(header: Dataset, b_value: int) -> None:
    """Diffusion b-value (0018,9087), PS3.3 C.8.13.5.9."""
    header.DiffusionBValue = float(b_value)
    header.DiffusionDirectionality = "ISOTROPIC"


_SPIN_ECHO, _PLANAR, _GRADIENT = ("SE", "SK"), ("EP", "SK"), ("GR", "SP")
_NORM = ("ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D")
_TRACE = ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW", "DIS2D")
_ADC = ("DERIVED", "PRIMARY", "DIFFUSION", "ADC", "DIS2D")
_NONE = ("ORIGINAL", "PRIMARY", "M", "NONE")

SIEMENS = Dialect(
    manufacturer="SIEMENS",
    suffix=".IMA",
    styles={
        "localizer": Style("localizer", _NORM, "*fl2d1", _GRADIENT, (9, 4)),
        "sagittal": Style("t2_tse_sag", _NORM, "*tse2d1_25", _SPIN_ECHO, (5660, 104)),
        "t2w": Style("t2_tse_tra", _NORM, "*tse2d1_25", _SPIN_ECHO, (5660, 104)),
        "dwi": Style("ep2d_diff_tra_DYNDIST", _TRACE, "*ep_b{b}t", _PLANAR, (2700, 63)),
        "adc": Style("ep2d_diff_tra_DYNDIST_ADC", _ADC, "*ep_b{low}_{high}", _PLANAR, (2700, 63)),
        "calculated": Style("ep2d_diff_tra_DYNDISTCALC_BVAL", _TRACE, "*ep_b{low}_{high}", _PLANAR, (2700, 63)),
    },
    tag_b_value=_tag_siemens,
)
STANDARD = Dialect(
    manufacturer="Phantom",
    suffix="",
    styles={
        "localizer": Style("Localizer 3 planes", _NONE, "GRE", _GRADIENT, (9, 4)),
        "sagittal": Style("T2 sagittal", _NONE, "TSE", _SPIN_ECHO, (4800, 100)),
        "t2w": Style("T2 axial", _NONE, "TSE", _SPIN_ECHO, (4800, 100)),
        "dwi": Style("DWI axial", ("ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"), "EPI", _PLANAR, (3100, 70)),
        "adc": Style("ADC map", ("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), "EPI", _PLANAR, (3100, 70)),
        "calculated": Style(
            "Calculated DWI", ("DERIVED", "SECONDARY", "DIFFUSION", "CALC_BVAL"), "EPI", _PLANAR, (3100, 70)
        ),
    },
    tag_b_value=_tag_standard,
)
# what one site's exports look like; each study is one of them
DIALECTS: Mapping[str, tuple[Dialect, ...]] = {
    "siemens": (SIEMENS, replace(SIEMENS, tag_b_value=_tag_siemens_raw)),
    "standard": (STANDARD,),
}


def choose_dialect(name: str, study: int) -> Dialect:
    """The dialect of one study; studies take the variants of their site in turn.

    Raises:
        UsageError: if there is no such dialect.

    Example:
        >>> choose_dialect("siemens", 1).manufacturer
        'SIEMENS'
    """
    if name not in DIALECTS:
        raise UsageError(f"there is no dialect {name!r}; choose one of {', '.join(DIALECTS)}")
    variants = DIALECTS[name]
    return variants[study % len(variants)]
