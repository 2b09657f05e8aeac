"""Siemens, classic slices: the b-value in (0019,100C), as a number or as bytes."""

from dataclasses import replace

from pydicom.dataset import Dataset

from prostate_alm.phantom.scan import Dialect, Style
from prostate_alm.phantom.slices import SLICES


def _tag(header: Dataset, b_value: int) -> None:
    """(0019,100C) B_value and (0019,100D) DiffusionDirectionality, as the scanner writes them."""
    block = header.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", str(b_value))
    block.add_new(0x0D, "CS", "ISOTROPIC")


def _tag_raw(header: Dataset, b_value: int) -> None:
    """The same as bytes such as `b'400 '`: what an archive that does not know the private tags makes of them."""
    block = header.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    text = str(b_value)
    block.add_new(0x0C, "OB", (text + " " * (len(text) % 2)).encode("ascii"))
    block.add_new(0x0D, "OB", b"ISOTROPIC ")


_SPIN_ECHO, _PLANAR, _GRADIENT = ("SE", "SK"), ("EP", "SK"), ("GR", "SP")
_NORM = ("ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D")
_TRACE = ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW", "DIS2D")
_ADC = ("DERIVED", "PRIMARY", "DIFFUSION", "ADC", "DIS2D")

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
    tag_b_value=_tag,
    layouts=SLICES,
)
SIEMENS_RAW = replace(SIEMENS, tag_b_value=_tag_raw)
