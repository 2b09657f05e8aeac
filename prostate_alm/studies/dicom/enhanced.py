"""Multi-frame files: each frame as the header that a classic image of it would have.

Enhanced MR (PS3.3 A.36.2) keeps what differs by frame in functional groups: shared ones in (5200,9229), those of each
frame in (5200,9230). A frame's own group goes before the shared one.
"""

from collections.abc import Iterator, Sequence

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
    "RealWorldValueMappingSequence", _DIFFUSION,
)  # fmt: skip
_RENAMED = {"FrameType": "ImageType", "EffectiveEchoTime": "EchoTime"}
_WHOLE = ("EchoPulseSequence", "EchoPlanarPulseSequence", "InversionRecovery", "PulseSequenceName")
REAL_WORLD_SLOPE = 0x00409225
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
    common = _groups(shared.value[0]) if shared is not None and shared.value else {}
    whole = {element.tag: element for element in dataset if element.tag not in (SHARED, PER_FRAME)}
    frames: list[tuple[str, Dataset]] = []
    for item in per_frame.value:
        groups = {tag: element for group in (common | _groups(item)).values() for tag, element in group.items()}
        elements = {**whole, **_scanning_sequence(dataset, groups), **groups}
        frame = Dataset(elements)  # pyright: ignore[reportArgumentType]
        frame.file_meta = dataset.file_meta
        frame.set_original_encoding(*dataset.original_encoding)
        where = (
            "(5200,9230)" if _DIFFUSION in item else "(5200,9229)" if common and _DIFFUSION in shared.value[0] else ""
        )
        frames.append((where, frame))
    return frames


def _groups(item: Dataset) -> dict[str, dict[BaseTag, DataElement]]:
    """The functional groups of one item, their elements under the tags that a classic image has for them.

    A group stands as a whole for the frame or for all frames (PS3.3 C.7.6.16), so that one replaces the other whole.
    """
    found = {keyword: dict(_elements(item.get(keyword))) for keyword in _GROUPS if item.get(keyword)}
    image = item.get(_PHILIPS_IMAGE)
    scale = image.value[0].get(_PHILIPS_SCALE) if image is not None and image.VR == "SQ" and image.value else None
    return found if scale is None else found | {"Philips": {scale.tag: scale}}


def _elements(group: Sequence[Dataset]) -> Iterator[tuple[BaseTag, DataElement]]:
    for element in group[0]:
        name = _RENAMED.get(element.keyword, element.keyword or "")
        tag = BaseTag(tag_for_keyword(name) or element.tag)
        yield tag, DataElement(tag, element.VR, element.value)


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
