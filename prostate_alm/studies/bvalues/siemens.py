"""The three places where a Siemens image states its b-value."""

import re

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from prostate_alm.studies.bvalues.binning import BValue, BValueError
from prostate_alm.studies.dicom.csa import csa_text
from prostate_alm.studies.dicom.elements import (
    decimal_of,
    element_of,
    label,
    made_by,
    number_of,
    private_tag,
    stated,
    text_of,
)

_MAKER = re.compile("SIEMENS")
_NAMED = re.compile(r"\*?[A-Za-z][A-Za-z0-9]{1,7}_b(\d{1,5})(?:t|#\d{1,4})?", re.ASCII)

SEQUENCE_NAME = BaseTag(0x00180024)
SIEMENS = private_tag(0x0019, 0x0C, "SIEMENS MR HEADER", _MAKER)
CSA = private_tag(0x0029, 0x10, "SIEMENS CSA HEADER", _MAKER)


def siemens(dataset: Dataset) -> BValue | None:
    """B_value (0019,xx0C), or the CSA header where that element is missing: parsing it takes longer."""
    found = siemens_tag(dataset)
    return siemens_csa(dataset) if found is None else found


def siemens_tag(dataset: Dataset) -> BValue | None:
    """B_value (0019,xx0C), IS 1, of `SIEMENS MR HEADER`: Siemens MR DICOM conformance statements since VB13.

    An export without the private dictionary hands it on as bytes, `b'400 '`.
    """
    element = SIEMENS.find(dataset)
    return stated(decimal_of(element), element)


def siemens_csa(dataset: Dataset) -> BValue | None:
    """`B_value` of the CSA Image Header Info (0029,xx10), OB, of `SIEMENS CSA HEADER`.

    The conformance statements name the element only; its layout is as nibabel describes it. Numaris X (XA) has none.
    """
    element = CSA.find(dataset)
    if element is None or not element.value:
        return None
    if not isinstance(element.value, bytes):
        raise BValueError(f"{label(element.tag)} holds no bytes")
    try:
        text = csa_text(element.value, "B_value")
    except ValueError as error:
        raise BValueError(f"{label(element.tag)} holds {error}") from error
    return None if text is None else stated(number_of(text, element.tag), element)


def siemens_name(dataset: Dataset) -> BValue | None:
    """SequenceName (0018,0024), SH, of a Siemens image: `*ep_b400t` (trace), `ep_b1000#1` (direction 1), `ep_b0`.

    A habit of the Siemens sequences that no document states, so it comes last; the PROSTATEx and TrioTim files bear it
    out. The whole name has to fit: `*ep_b50_800` is the range behind a map.
    """
    element = element_of(dataset, SEQUENCE_NAME)
    named = _NAMED.fullmatch(text_of(element))
    return stated(float(named[1]), element) if named and _is_siemens(dataset) else None


def _is_siemens(dataset: Dataset) -> bool:
    creator = element_of(dataset, SIEMENS.places[0][1])
    return made_by(dataset, _MAKER) or text_of(creator).upper() == SIEMENS.creator
