"""Multi-frame files: each frame as the header that a classic image of it would have.

Enhanced MR (PS3.3 A.36.2) keeps what differs by frame in functional groups: shared ones in (5200,9229), those of each
frame in (5200,9230). A frame's own group goes before the shared one.
"""

from collections.abc import Iterator

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from prostate_alm.studies.headers import FormError

SHARED, PER_FRAME = 0x52009229, 0x52009230
_DIFFUSION = "MRDiffusionSequence"
_GROUPS = (
    "PixelMeasuresSequence", "PlaneOrientationSequence", "PlanePositionSequence", "PixelValueTransformationSequence",
    "MREchoSequence", "MRTimingAndRelatedParametersSequence", "MRModifierSequence", "MRImageFrameTypeSequence",
    _DIFFUSION,
)  # fmt: skip
_RENAMED = {"FrameType": "ImageType", "EffectiveEchoTime": "EchoTime"}
_WHOLE = ("EchoPulseSequence", "EchoPlanarPulseSequence", "InversionRecovery", "PulseSequenceName")
_PHILIPS_IMAGE, _PHILIPS_SCALE = 0x2005140F, 0x2005100E
TAGS = frozenset((SHARED, PER_FRAME, *(tag_for_keyword(keyword) or 0 for keyword in _WHOLE)))
"""What a multi-frame file must be asked for besides."""


def flatten(dataset: Dataset) -> list[tuple[str, Dataset]]:
    """One classic header per frame, in the order of the pixel data.

    Args:
        dataset: the header of a multi-frame file, sequences included.

    Returns:
        Per frame where its MR Diffusion group stands, `(5200,9229)` or `(5200,9230)`, empty if nowhere, and the
        header; an empty list if the file has no functional groups.

    Raises:
        FormError: if there are more or fewer groups than frames.
    """
    per_frame = dataset.get(PER_FRAME)
    if per_frame is None or not per_frame.value:
        return []
    count = int(dataset.get("NumberOfFrames") or 1)
    if len(per_frame.value) != count:
        raise FormError(f"{count} frames, {len(per_frame.value)} described")
    shared = dataset.get(SHARED)
    common = dict(_elements(shared.value[0])) if shared is not None and shared.value else {}
    whole = {element.tag: element for element in dataset if element.tag not in (SHARED, PER_FRAME)}
    frames: list[tuple[str, Dataset]] = []
    for item in per_frame.value:
        groups = common | dict(_elements(item))
        elements = {**whole, **_scanning_sequence(dataset, groups), **groups}
        frame = Dataset(elements)  # pyright: ignore[reportArgumentType]
        frame.file_meta = dataset.file_meta
        frame.set_original_encoding(*dataset.original_encoding)
        where = (
            "(5200,9230)" if _DIFFUSION in item else "(5200,9229)" if common and _DIFFUSION in shared.value[0] else ""
        )
        frames.append((where, frame))
    return frames


def _elements(item: Dataset) -> Iterator[tuple[BaseTag, DataElement]]:
    """The elements of one frame's functional groups under the tags that a classic image has for them."""
    for keyword in _GROUPS:
        group = item.get(keyword)
        for element in group[0] if group else ():
            name = _RENAMED.get(element.keyword, element.keyword or "")
            tag = BaseTag(tag_for_keyword(name) or element.tag)
            yield tag, DataElement(tag, element.VR, element.value)
    image = item.get(_PHILIPS_IMAGE)
    scale = image.value[0].get(_PHILIPS_SCALE) if image is not None and image.VR == "SQ" and image.value else None
    if scale is not None:
        yield scale.tag, scale


def _scanning_sequence(dataset: Dataset, groups: dict[BaseTag, DataElement]) -> dict[BaseTag, DataElement]:
    """ScanningSequence and SequenceName from their enhanced successors (PS3.3 C.8.13.4), if they are not there."""
    words = {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["SE", "GR"]}.get(
        str(dataset.get("EchoPulseSequence", "")), []
    )
    inversion = groups.get(BaseTag(0x00189009), dataset.get(0x00189009))
    words += ["EP"] if dataset.get("EchoPlanarPulseSequence") == "YES" else []
    words += ["IR"] if inversion is not None and inversion.value == "YES" else []
    found: dict[BaseTag, DataElement] = {}
    if words and "ScanningSequence" not in dataset:
        found[BaseTag(0x00180020)] = DataElement(0x00180020, "CS", words)
    if "PulseSequenceName" in dataset and "SequenceName" not in dataset:
        found[BaseTag(0x00180024)] = DataElement(0x00180024, "SH", str(dataset.PulseSequenceName))
    return found
