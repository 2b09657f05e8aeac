"""What an enhanced MR image says of each frame: functional groups (PS3.3 C.7.6.16.2, C.8.13.5) and dimensions."""

from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from prostate_alm.phantom.grid import Grid
from prostate_alm.phantom.headers import STUDY_DATE, decimal
from prostate_alm.phantom.protocol import Frame, Series
from prostate_alm.phantom.scan import Scan

_CONTRASTS = {"DIFFUSION": "DIFFUSION", "T2": "T2"}


@dataclass(frozen=True)
class Dimensions:
    """By what the frames of a series differ: stack, place in the stack and, for diffusion, b-value.

    Args:
        stacks: the grids, in the order of their first frames.
        b_values: in s/mm2, rising; empty where there is no diffusion.
    """

    stacks: tuple[Grid, ...]
    b_values: tuple[int, ...]

    @classmethod
    def of(cls, series: Series) -> "Dimensions":
        """The dimensions of a series."""
        stacks = {id(frame.grid): frame.grid for frame in series.frames}
        b_values = {frame.b_value for frame in series.frames if frame.b_value is not None}
        return cls(tuple(stacks.values()), tuple(sorted(b_values)))

    def index(self, frame: Frame) -> list[int]:
        """DimensionIndexValues (0020,9157), each from 1."""
        stack = next(number for number, grid in enumerate(self.stacks, start=1) if grid is frame.grid)
        b_value = [] if frame.b_value is None else [self.b_values.index(frame.b_value) + 1]
        return [stack, frame.slice_index + 1, *b_value]

    def describe(self, header: Dataset, uid: str) -> None:
        """The Multi-frame Dimension Module (PS3.3 C.7.6.17).

        Args:
            header: gets the module.
            uid: DimensionOrganizationUID.
        """
        pointers = [("StackID", "FrameContentSequence"), ("InStackPositionNumber", "FrameContentSequence")]
        if self.b_values:
            pointers.append(("DiffusionBValue", "MRDiffusionSequence"))
        header.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=uid)]
        header.DimensionIndexSequence = [
            _item(
                DimensionOrganizationUID=uid,
                DimensionIndexPointer=tag_for_keyword(element),
                FunctionalGroupPointer=tag_for_keyword(group),
            )
            for element, group in pointers
        ]


def functional_groups(scan: Scan, frame: Frame, dimensions: Dimensions, slope: float) -> dict[str, Dataset]:
    """Everything said of one frame: keyword of the sequence -> its one item.

    Args:
        scan: the series.
        frame: one of its frames.
        dimensions: of the series.
        slope: RescaleSlope.
    """
    grid, (repetition_ms, echo_ms) = frame.grid, scan.style.times_ms
    thickness = decimal(grid.spacing_mm[2])[0]
    groups = {
        "PixelMeasuresSequence": _item(
            SliceThickness=thickness,
            SpacingBetweenSlices=thickness,
            PixelSpacing=decimal(grid.spacing_mm[1], grid.spacing_mm[0]),
        ),
        "PlaneOrientationSequence": _item(ImageOrientationPatient=decimal(*grid.axes[0], *grid.axes[1])),
        "PlanePositionSequence": _item(ImagePositionPatient=decimal(*grid.position_mm(0, 0, frame.slice_index))),
        "FrameContentSequence": _frame_content(scan, dimensions.index(frame)),
        "PixelValueTransformationSequence": _item(
            RescaleIntercept="0", RescaleSlope=decimal(slope)[0], RescaleType="US"
        ),
        "MRTimingAndRelatedParametersSequence": _item(
            RepetitionTime=str(repetition_ms), FlipAngle="90", EchoTrainLength="1"
        ),
        "MREchoSequence": _item(EffectiveEchoTime=float(echo_ms)),
        "MRImageFrameTypeSequence": _item(FrameType=list(scan.style.image_type), **image_description(scan)),
    }
    if frame.b_value is not None:
        groups["MRDiffusionSequence"] = _item()
        scan.dialect.tag_b_value(groups["MRDiffusionSequence"], frame.b_value)
    return groups


def image_description(scan: Scan) -> dict[str, str]:
    """Image description (PS3.3 C.8.13.3.1): of the whole image, and again of each frame."""
    return {
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
        "ComplexImageComponent": "MAGNITUDE",
        "AcquisitionContrast": _CONTRASTS.get(scan.style.image_type[2], "T1"),
    }


def _frame_content(scan: Scan, index: list[int]) -> Dataset:
    moment = f"{STUDY_DATE}0800{scan.number:02d}"
    return _item(
        FrameAcquisitionDateTime=moment,
        FrameReferenceDateTime=moment,
        FrameAcquisitionDuration=1000.0,
        StackID=str(index[0]),
        InStackPositionNumber=index[1],
        DimensionIndexValues=index,
    )


def _item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item
