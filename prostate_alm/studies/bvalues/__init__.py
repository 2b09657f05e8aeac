"""The b-value of one image, from whichever source states it.

A b-value belongs to an image, never to a series: one series often holds them all.
"""

from dataclasses import replace
from itertools import combinations

from pydicom.dataset import Dataset

from prostate_alm.studies.bvalues.binning import (
    CANONICAL_B_VALUES,
    NOMINAL_B_VALUES,
    BValue,
    BValueError,
    contradiction,
    nominal_b_value,
)
from prostate_alm.studies.bvalues.siemens import siemens_csa, siemens_name, siemens_tag
from prostate_alm.studies.bvalues.vendors import FRAMES, SOURCES, TAGS, standard
from prostate_alm.studies.dicom.elements import decimal_of, element_of

__all__ = [
    "CANONICAL_B_VALUES",
    "NOMINAL_B_VALUES",
    "SIEMENS",
    "SIEMENS_CREATOR",
    "TAGS",
    "BValue",
    "BValueError",
    "nominal_b_value",
    "read_b_value",
    "siemens_sources",
]

SIEMENS = (0x0019, 0x100C)
"""Where Siemens writes the b-value, mostly."""

SIEMENS_CREATOR = (0x0019, 0x0010)
"""The private creator that stands in every Siemens MR image unless de-identification removed it."""


def read_b_value(dataset: Dataset) -> BValue | None:
    """The b-value of one image, or None if no source states one.

    The sources, in order of trust: (0018,9087); Siemens (0019,100C), else its CSA header; GE (0043,1039); Philips
    (2001,1003); UIH (0065,1009) with its nominal (0065,100A); Hitachi (0029,1030), not verified; Canon's ImageComments;
    Siemens' SequenceName. An element of zero length states nothing (PS3.5 7.4.4). With NumberOfFrames above 1 only
    (0018,9087) counts, as all the others describe the file and not the frame.

    Args:
        dataset: the header of one image, or of one frame made flat, that holds at least `TAGS`.

    Raises:
        BValueError: if a source holds something that is no b-value (below -5 or above 20,000 s/mm^2, not a number), or
            two sources still disagree by more than max(5, 3 %) after binning.

    Example:
        >>> header = Dataset()
        >>> header.Manufacturer, header.SequenceName = "SIEMENS", "*ep_b400t"
        >>> read_b_value(header)
        BValue(value=400.0, source='(0018,0024)', stated_nominal=None, verified=True, inferred='')

    Source: one docstring per source, in `vendor_bvalues` and `siemens_bvalues`.
    """
    sources = (standard,) if (decimal_of(element_of(dataset, FRAMES)) or 1) > 1 else SOURCES
    found = [stated for source in sources if (stated := source(dataset)) is not None]
    for one, other in combinations(found, 2):
        if not one.agrees_with(other):
            raise contradiction(one, other)
    if not found:
        return None
    nominal = next((stated.stated_nominal for stated in found if stated.stated_nominal is not None), None)
    return found[0] if found[0].stated_nominal == nominal else replace(found[0], stated_nominal=nominal)


def siemens_sources(dataset: Dataset) -> dict[str, float]:
    """Every Siemens source of one image with what it states, in s/mm^2; the CSA header is always parsed.

    Args:
        dataset: the header of one image that holds at least `TAGS`.

    Raises:
        BValueError: if one of them holds something that is no b-value.

    Example:
        >>> header = Dataset()
        >>> header.Manufacturer, header.SequenceName = "SIEMENS", "ep_b1000#1"
        >>> siemens_sources(header)
        {'(0018,0024)': 1000.0}
    """
    found = (read(dataset) for read in (siemens_tag, siemens_csa, siemens_name))
    return {stated.source: stated.value for stated in found if stated is not None}
