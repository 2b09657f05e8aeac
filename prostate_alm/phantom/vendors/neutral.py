"""No vendor in particular: what the standard itself offers, as slices, compressed slices and enhanced images."""

from dataclasses import replace
from functools import partial

import numpy as np
from openjpeg.utils import encode_array
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from prostate_alm.phantom.enhanced import multi_frame
from prostate_alm.phantom.protocol import KINDS, Frame
from prostate_alm.phantom.scan import Dialect, Style
from prostate_alm.phantom.slices import SLICES


def _tag(header: Dataset, b_value: int) -> None:
    """Diffusion b-value (0018,9087), PS3.3 C.8.13.5.9."""
    header.DiffusionBValue = float(b_value)
    header.DiffusionDirectionality = "ISOTROPIC"


def _tag_frame(item: Dataset, b_value: int) -> None:
    """The MR Diffusion functional group: b = 0 has no directionality."""
    item.DiffusionBValue = float(b_value)
    item.DiffusionDirectionality = "ISOTROPIC" if b_value else "NONE"


def _jpeg_2000(header: Dataset) -> None:
    """JPEG 2000, lossless (PS3.5 A.4.4).

    The codec is called by itself: pydicom's `compress` wants the package pylibjpeg too, which nothing else here needs.
    """
    pixels = np.frombuffer(header.PixelData, dtype="<u2").reshape(header.Rows, header.Columns)
    header.PixelData = encapsulate([encode_array(pixels, bits_stored=header.BitsStored)])
    header["PixelData"].VR = "OB"
    header["PixelData"].is_undefined_length = True
    header.file_meta.TransferSyntaxUID = JPEG2000Lossless


def _finer_at_high_b(frame: Frame) -> float:
    """Half the slope where the signal is weak: whoever forgets that slopes differ by frame reads twice the signal."""
    return 1.0 if frame.b_value is None or frame.b_value < 500 else 0.5


_SPIN_ECHO, _PLANAR, _GRADIENT = ("SE", "SK"), ("EP", "SK"), ("GR", "SP")
_NONE = ("ORIGINAL", "PRIMARY", "M", "NONE")

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
    tag_b_value=_tag,
    layouts=SLICES,
)
J2K = replace(STANDARD, encode=_jpeg_2000)

# the image flavors of PS3.3 C.8.13.3.1.1 in the third value; the second is always PRIMARY there
_ENHANCED_TYPES = {
    "localizer": ("ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"),
    "sagittal": ("ORIGINAL", "PRIMARY", "T2", "NONE"),
    "t2w": ("ORIGINAL", "PRIMARY", "T2", "NONE"),
    "calculated": ("DERIVED", "PRIMARY", "DIFFUSION", "CALC_BVAL"),
}
ENHANCED = replace(
    STANDARD,
    styles={
        kind: replace(style, image_type=_ENHANCED_TYPES.get(kind, style.image_type))
        for kind, style in STANDARD.styles.items()
    },
    tag_b_value=_tag_frame,
    layouts=dict.fromkeys(KINDS, multi_frame),
)
# nearly everything is said of each frame anew, and slopes differ
ENHANCED_PER_FRAME = replace(
    ENHANCED,
    layouts=dict.fromkeys(
        KINDS, partial(multi_frame, shareable=("MRTimingAndRelatedParametersSequence",), slope=_finer_at_high_b)
    ),
)
