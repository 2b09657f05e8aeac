"""GE, classic slices: the b-value in the first of four numbers of (0043,1039), 1e9 added; no (0018,9087)."""

from collections.abc import Iterator
from dataclasses import replace

from pydicom.dataset import Dataset

from prostate_alm.phantom.protocol import KINDS
from prostate_alm.phantom.scan import Dialect, Scan, Style
from prostate_alm.phantom.slices import one_file_per_slice

_OFFSET = 1_000_000_000


def _slices(scan: Scan) -> Iterator[Dataset]:
    """Every image of a GE scanner carries (0043,1039), diffusion or not."""
    for header in one_file_per_slice(scan):
        if (0x0043, 0x1039) not in header:
            scan.dialect.tag_b_value(header, 0)
        yield header


def _numbers(b_value: int) -> list[int]:
    return [b_value + _OFFSET if b_value else 0, 8, 0, 0]


def _tag(header: Dataset, b_value: int) -> None:
    header.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", _numbers(b_value))


def _tag_raw(header: Dataset, b_value: int) -> None:
    """The same as bytes and without its private creator, as some archives leave it."""
    text = "\\".join(str(number) for number in _numbers(b_value))
    header.add_new((0x0043, 0x1039), "UN", (text + " " * (len(text) % 2)).encode("ascii"))


_SPIN_ECHO, _PLANAR, _GRADIENT = ("SE", "SK\\OSP"), ("EP\\SE", "NONE"), ("GR", "SK")
_ORIGINAL = ("ORIGINAL", "PRIMARY", "OTHER")

GE = Dialect(
    manufacturer="GE MEDICAL SYSTEMS",
    suffix=".dcm",
    styles={
        "localizer": Style("3Plane Loc", _ORIGINAL, None, _GRADIENT, (6, 2)),
        "sagittal": Style("Sag T2 FRFSE", _ORIGINAL, None, _SPIN_ECHO, (4200, 106)),
        "t2w": Style("Ax T2 FRFSE", _ORIGINAL, None, _SPIN_ECHO, (4200, 106)),
        "dwi": Style("Ax DWI", _ORIGINAL, None, _PLANAR, (4000, 72)),
        "adc": Style("ADC (10^-6 mm2/s)", ("DERIVED", "SECONDARY", "ADC"), None, _PLANAR, (4000, 72)),
        "calculated": Style("Synthetic DWI b1500", ("DERIVED", "SECONDARY", "OTHER"), None, _PLANAR, (4000, 72)),
    },
    tag_b_value=_tag,
    layouts=dict.fromkeys(KINDS, _slices),
)
GE_RAW = replace(GE, tag_b_value=_tag_raw)
