"""Philips, classic slices: the b-value in (2001,1003), stored pixels scaled twice, an ADC map that says ORIGINAL."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from pydicom.dataset import Dataset

from prostate_alm.phantom.headers import decimal
from prostate_alm.phantom.scan import Dialect, Scan, Style
from prostate_alm.phantom.slices import one_file_per_slice


@dataclass(frozen=True)
class _Scaled:
    """Slices whose stored pixels times `slope` are the signal; as the scanner does it, the intercept is 0.

    Args:
        slope: RescaleSlope (0028,1053).
        scale_slope: (2005,100E): stored pixels divided by it compare between series (Chenevert et al. 2014).
    """

    slope: float
    scale_slope: float

    def __call__(self, scan: Scan) -> Iterator[Dataset]:
        for header in one_file_per_slice(scan):
            signal = np.frombuffer(header.PixelData, dtype="<u2")
            header.PixelData = np.rint(signal / self.slope).astype("<u2").tobytes()
            header.RescaleIntercept = "0"
            header.RescaleSlope = decimal(self.slope)[0]
            header.RescaleType = "normalized"
            block = header.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
            block.add_new(0x0D, "FL", 0.0)
            block.add_new(0x0E, "FL", self.scale_slope)
            yield header


def _tag(header: Dataset, b_value: int) -> None:
    """(2001,1003) Diffusion B-Factor, (2001,1004) Diffusion Direction and (0018,9075)."""
    block = header.private_block(0x2001, "Philips Imaging DD 001", create=True)
    block.add_new(0x03, "FL", float(b_value))
    block.add_new(0x04, "CS", "I")
    _tag_directionality(header, b_value)


def _tag_raw(header: Dataset, b_value: int) -> None:
    """The b-value as four bytes without creator: what an archive that does not know the private tags makes of it."""
    header.add_new((0x2001, 0x1003), "UN", struct.pack("<f", b_value))
    _tag_directionality(header, b_value)


def _tag_directionality(header: Dataset, b_value: int) -> None:
    header.DiffusionDirectionality = "ISOTROPIC" if b_value else "NONE"


_SPIN_ECHO, _GRADIENT = ("SE", "SK"), ("GR", "SP")
_MAGNITUDE = ("ORIGINAL", "PRIMARY", "M_SE", "M", "SE")
_ADC = ("ORIGINAL", "PRIMARY", "ADC_UNSPECIFIED", "ADC", "UNSPECIFIED")
_T2W_SCALED, _DWI_SCALED = _Scaled(1.23394383394383, 0.00861), _Scaled(1.51477411477411, 0.0269347)

PHILIPS = Dialect(
    manufacturer="Philips",
    suffix="",
    styles={
        "localizer": Style("Survey", ("ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"), None, _GRADIENT, (11, 5)),
        "sagittal": Style("T2W_TSE_sag", _MAGNITUDE, None, _SPIN_ECHO, (4600, 100)),
        "t2w": Style("T2W_TSE_ax", _MAGNITUDE, None, _SPIN_ECHO, (4600, 100)),
        "dwi": Style("DWI_EPI_ax", _MAGNITUDE, None, _SPIN_ECHO, (3800, 75)),
        "adc": Style("ADC map", _ADC, None, _SPIN_ECHO, (3800, 75)),
        "calculated": Style(
            "Calculated DWI b1500", ("DERIVED", "SECONDARY", "M_SE", "M", "SE"), None, _SPIN_ECHO, (3800, 75)
        ),
    },
    tag_b_value=_tag,
    layouts={
        "localizer": _T2W_SCALED,
        "sagittal": _T2W_SCALED,
        "t2w": _T2W_SCALED,
        "dwi": _DWI_SCALED,
        "adc": _Scaled(1.25, 0.8),
        "calculated": _DWI_SCALED,
    },
)
PHILIPS_RAW = replace(PHILIPS, tag_b_value=_tag_raw)
