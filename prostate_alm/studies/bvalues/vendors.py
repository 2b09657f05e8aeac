"""Every place where a b-value may stand in one image: one small function per source, one table.

What the vendors' conformance statements leave open is as dcm2niix documents it (github.com/rordenlab/dcm2niix, README
of each vendor), confirmed by real files where the function does not say otherwise.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from prostate_alm.studies.bvalues.binning import BValue, BValueError, contradiction
from prostate_alm.studies.bvalues.siemens import CSA, SEQUENCE_NAME, SIEMENS, siemens, siemens_name
from prostate_alm.studies.dicom.elements import (
    MANUFACTURER,
    decimal_of,
    element_of,
    label,
    made_by,
    private_tag,
    real_of,
    stated,
    text_of,
)

STANDARD = BaseTag(0x00189087)
FRAMES = BaseTag(0x00280008)
IMAGE_COMMENTS = BaseTag(0x00204000)

_CANON_MAKER = re.compile("CANON|TOSHIBA")
_GE_MAKER = re.compile(r"\bGE\b|GENERAL ELECTRIC")
_HITACHI_MAKER = re.compile("HITACHI|FUJIFILM")
_UIH_MAKER = re.compile(r"\bUIH\b|UNITED IMAGING")

GE = private_tag(0x0043, 0x39, "GEMS_PARM_01", _GE_MAKER)
PHILIPS = private_tag(0x2001, 0x03, "Philips Imaging DD 001", re.compile("PHILIPS"))
UIH_ACTUAL = private_tag(0x0065, 0x09, "Image Private Header", _UIH_MAKER)
UIH_NOMINAL = private_tag(0x0065, 0x0A, "Image Private Header", _UIH_MAKER)
HITACHI = private_tag(0x0029, 0x30, "MMCPrivate", _HITACHI_MAKER, blocks=(0x10,))

_GE_BIAS = 1_000_000_000
_COMMENTED = re.compile(r"\[?b=(\d{1,5}(?:\.\d{1,6})?)\(", re.ASCII)


def standard(dataset: Dataset) -> BValue | None:
    """Diffusion b-value (0018,9087), FD 1: DICOM PS3.3 C.8.13.5.9, MR Diffusion Macro; PS3.6.

    Required in enhanced images only, but most vendors write it into classic ones too. Some GE and Toshiba scanners
    leave it out at b 0.
    """
    element = element_of(dataset, STANDARD)
    return stated(real_of(dataset, element, "d"), element)


def ge(dataset: Dataset) -> BValue | None:
    """First value of (0043,xx39), IS 4, of `GEMS_PARM_01`: GE MR DICOM conformance statements (Slop_int_6 to 9).

    DWI with several or calculated b-values carries a bias of 1,000,000,000 (dcm2niix issue 602, by GE); an anonymiser
    leaves `b'1000001000\\8\\0\\0 '`. Other echo-planar series carry it as well, fMRI with 0.
    """
    element = GE.find(dataset)
    number = decimal_of(element, first=True)
    return stated(number % _GE_BIAS if number is not None and number >= _GE_BIAS else number, element)


def philips(dataset: Dataset) -> BValue | None:
    """Diffusion B-Factor (2001,xx03), FL 1, of `Philips Imaging DD 001`: Philips MR DICOM conformance statements.

    Often four raw bytes without a creator. 0.001 to 0.004 keep several b 0 volumes apart: binning makes them 0.
    """
    element = PHILIPS.find(dataset)
    return stated(real_of(dataset, element, "f"), element)


def uih(dataset: Dataset) -> BValue | None:
    """BActualValue (0065,xx09) and BUserValue (0065,xx0A), FD 1 each, of `Image Private Header`.

    Told by United Imaging in dcm2niix issue 225. The actual value counts every gradient, the user's is the protocol's:
    928.29 for 1000 is usual, so the two may differ by up to max(25, 20 %).

    Raises:
        BValueError: if they differ by more.
    """
    actual_element, nominal_element = UIH_ACTUAL.find(dataset), UIH_NOMINAL.find(dataset)
    actual = stated(real_of(dataset, actual_element, "d"), actual_element)
    nominal = stated(real_of(dataset, nominal_element, "d"), nominal_element)
    if nominal is None:
        return actual
    if actual is None:
        actual = nominal
    if abs(actual.value - nominal.value) > max(25.0, 0.2 * nominal.value):
        raise contradiction(actual, nominal)
    return BValue(actual.value, actual.source, stated_nominal=max(0, round(nominal.value)))


def hitachi(dataset: Dataset) -> BValue | None:
    """(0029,1030), FD 1, of `MMCPrivate`, on Hitachi (now Fujifilm) scanners only; not verified.

    Only the private dictionaries (GDCM's, pydicom's) call it DiffusionBValue, no file here has it. So nothing passes
    but one double that is a whole number.
    """
    element = HITACHI.find(dataset)
    if element is None or element.is_empty or not made_by(dataset, _HITACHI_MAKER):
        return None
    if element.VR not in ("FD", "UN", "OB"):
        raise BValueError(f"{label(element.tag)} holds no double")
    found = stated(real_of(dataset, element, "d"), element)
    if found and (found.value < 0 or found.value % 1):
        raise BValueError(f"{found.source} holds {found.value:g}, where only whole numbers are trusted")
    return found and replace(found, verified=False)


def canon(dataset: Dataset) -> BValue | None:
    """ImageComments (0020,4000), LT, of Canon and Toshiba: `b=1500(0.445,0.000,0.895)`, b-value and direction.

    dcm2niix, Canon README: classic images since Canon took over may hold it there alone. Other comments are free text.
    """
    element = element_of(dataset, IMAGE_COMMENTS)
    comment = _COMMENTED.match(text_of(element))
    return stated(float(comment[1]), element) if comment and made_by(dataset, _CANON_MAKER) else None


SOURCES: tuple[Callable[[Dataset], BValue | None], ...] = (
    standard, siemens, ge, philips, uih, hitachi, canon, siemens_name,
)  # fmt: skip
"""In order of trust: the first that states a b-value gives it, the others may not contradict it."""

TAGS: tuple[tuple[int, int], ...] = tuple(
    (tag.group, tag.element)
    for tag in dict.fromkeys(
        (
            MANUFACTURER,
            FRAMES,
            STANDARD,
            SEQUENCE_NAME,
            IMAGE_COMMENTS,
            *(tag for private in (SIEMENS, CSA, GE, PHILIPS, UIH_ACTUAL, UIH_NOMINAL, HITACHI) for tag in private.tags),
        )
    )
)
"""Every tag that reading a b-value looks at."""
