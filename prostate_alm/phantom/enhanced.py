"""One Enhanced MR Image (PS3.3 A.36) per series: all slices and all b-values as the frames of a single file."""

from collections.abc import Callable, Collection, Iterator

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from prostate_alm.phantom.functional_groups import Dimensions, functional_groups, image_description
from prostate_alm.phantom.headers import STUDY_DATE, add_pixels, sequence_name, series_header
from prostate_alm.phantom.protocol import Frame
from prostate_alm.phantom.scan import Scan

SHAREABLE = frozenset(
    (
        "PixelMeasuresSequence",
        "PlaneOrientationSequence",
        "MRTimingAndRelatedParametersSequence",
        "MREchoSequence",
        "MRImageFrameTypeSequence",
    )
)
# ScanningSequence -> EchoPulseSequence and EchoPlanarPulseSequence
_PULSES = {"SE": ("SPIN", "NO"), "EP": ("SPIN", "YES"), "GR": ("GRADIENT", "NO")}


def unscaled(_frame: Frame) -> float:
    """The slope of frames whose stored pixels are the signal."""
    return 1.0


def multi_frame(
    scan: Scan, *, shareable: Collection[str] = SHAREABLE, slope: Callable[[Frame], float] = unscaled
) -> Iterator[Dataset]:
    """A single file; its frames rise, fall or are scrambled, as the generator decides.

    Args:
        scan: the series.
        shareable: functional groups that are stated once where all frames agree.
        slope: frame -> RescaleSlope of that frame; the stored pixels are the signal divided by it.
    """
    numbers = scan.draw_numbers(len(scan.series.frames))
    frames = [scan.series.frames[place] for place in np.argsort(numbers)]
    dimensions = Dimensions.of(scan.series)
    header = series_header(scan, instance=1)
    _add_pulse_sequence(header, scan)
    dimensions.describe(header, scan.identity.uid("dimensions", scan.number))
    _add_groups(header, [functional_groups(scan, frame, dimensions, slope(frame)) for frame in frames], shareable)
    header.NumberOfFrames = str(len(frames))
    add_pixels(header, np.stack([np.rint(frame.pixels / slope(frame)) for frame in frames]), bits=16)
    yield header


def _add_groups(header: Dataset, groups: list[dict[str, Dataset]], shareable: Collection[str]) -> None:
    first = groups[0]
    shared = {name for name in first if name in shareable and all(group[name] == first[name] for group in groups)}
    header.SharedFunctionalGroupsSequence = [_sequences(first, shared)]
    header.PerFrameFunctionalGroupsSequence = [_sequences(group, group.keys() - shared) for group in groups]


def _sequences(group: dict[str, Dataset], names: Collection[str]) -> Dataset:
    item = Dataset()
    for name in names:
        setattr(item, name, [group[name]])
    return item


def _add_pulse_sequence(header: Dataset, scan: Scan) -> None:
    """What the Enhanced MR Image and MR Pulse Sequence Modules ask for (PS3.3 C.8.13.1, C.8.13.4)."""
    header.SOPClassUID = EnhancedMRImageStorage
    for keyword, value in image_description(scan).items():
        setattr(header, keyword, value)
    header.AcquisitionDateTime = f"{STUDY_DATE}0800{scan.number:02d}"
    header.AcquisitionDuration = 120.0
    header.PulseSequenceName = sequence_name(scan, None)
    header.EchoPulseSequence, header.EchoPlanarPulseSequence = _PULSES[scan.style.scanning[0]]
    header.MultipleSpinEcho = header.MultiPlanarExcitation = header.PhaseContrast = "NO"
    header.TimeOfFlightContrast = header.SaturationRecovery = "NO"
    header.SteadyStatePulseSequence = header.SpectrallySelectedSuppression = "NONE"
    header.OversamplingPhase = header.KSpaceFiltering = "NONE"
    header.GeometryOfKSpaceTraversal = "RECTILINEAR"
    header.SegmentedKSpaceTraversal = "SINGLE"
    header.RectilinearPhaseEncodeReordering = "LINEAR"
    header.NumberOfKSpaceTrajectories = 1
    header.ResonantNucleus = "1H"
    header.ApplicableSafetyStandardAgency = "IEC"
    header.ContentQualification = "RESEARCH"
    header.DeviceSerialNumber = header.SoftwareVersions = "1"
    header.AcquisitionContextSequence = []
    header.BurnedInAnnotation = "NO"
    header.LossyImageCompression = "00"
    header.PresentationLUTShape = "IDENTITY"
