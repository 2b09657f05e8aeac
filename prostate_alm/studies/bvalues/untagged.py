"""b 0 without a tag: some scanners leave the b-value out where there is no diffusion weighting."""

from collections.abc import Sequence
from dataclasses import replace

from prostate_alm.studies.bvalues import BValue
from prostate_alm.studies.headers import Header

VENDORS = frozenset(("Canon", "Toshiba", "GE"))
SOURCE = "no tag"
"""The source of an inferred b 0, as provenance gives it."""


def with_untagged_b0(images: Sequence[Header]) -> Sequence[Header]:
    """The images of one series, b 0 inferred for those that must be it; all others as they are.

    Inferred only where nothing else fits: a vendor known to leave b 0 out, tagged images above zero of the same form
    and times beside them, none tagged 0, and untagged images at exactly the positions of the tagged ones.

    Args:
        images: of one series.

    Source: images of Toshiba and Canon scanners (dcm_qa_canon), GE as dcm2niix documents it.
    """
    untagged = [image for image in images if image.b_value is None and not image.b_problem]
    tagged = [image for image in images if image.b_value is not None and "ORIGINAL" in image.image_type]
    stated = {image.b_value.nominal for image in tagged if image.b_value is not None}
    if not untagged or not stated or 0 in stated or not all(_may_lack_it(image) for image in untagged):
        return images
    if {_form(image) for image in untagged} != {_form(image) for image in tagged}:
        return images
    if sorted({image.position_mm for image in tagged}) != sorted(image.position_mm for image in untagged):
        return images
    beside = ", ".join(f"b{b}" for b in sorted(stated))
    inferred = BValue(0.0, SOURCE, inferred=f"no b-value is stated, in a series of {beside}")
    which = {id(image) for image in untagged}
    return [replace(image, b_value=inferred) if id(image) in which else image for image in images]


def _may_lack_it(image: Header) -> bool:
    return image.vendor in VENDORS and "EP" in image.scanning_sequence and "ORIGINAL" in image.image_type


def _form(image: Header) -> tuple[object, ...]:
    times = image.echo_time_ms, image.repetition_time_ms
    return (*times, image.image_type, image.rows, image.columns, image.orientation, image.sequence_name)
