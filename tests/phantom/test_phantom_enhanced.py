from dataclasses import replace
from pathlib import Path

import numpy as np
import phantom_files as files
import pydicom
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from prostate_alm.phantom.dialects import DIALECTS
from prostate_alm.phantom.protocol import Series

BOTH = pytest.mark.parametrize("number", [0, 1])


def write_enhanced(folder: Path, number: int, series: Series, seed: int = 0) -> Dataset:
    (header,) = files.read(files.write(folder / f"series-{seed}", DIALECTS["enhanced"][number], series, seed))
    return header


def b_values(header: Dataset) -> list[float]:
    return [frame.MRDiffusionSequence[0].DiffusionBValue for frame in header.PerFrameFunctionalGroupsSequence]


@BOTH
def test_one_file_holds_all_b_values_and_its_frames_equal_the_classic_slices(number: int, tmp_path: Path):
    header = write_enhanced(tmp_path, number, files.tiny_series("dwi", files.B_VALUES))
    assert header.SOPClassUID == pydicom.uid.EnhancedMRImageStorage
    assert header.NumberOfFrames == 15
    slices = files.decode(header)
    for b_value in files.B_VALUES:
        chosen = [one for one, b in zip(slices, b_values(header), strict=True) if b == b_value]
        chosen.sort(key=lambda one: one.origin @ files.GRID.axes[2])
        np.testing.assert_array_equal([one.values for one in chosen], files.truth(b_value)[0])


def test_slopes_of_frames_differ_in_one_variant(tmp_path: Path):
    header = write_enhanced(tmp_path, 1, files.tiny_series("dwi", files.B_VALUES))
    frames = header.PerFrameFunctionalGroupsSequence
    slopes = [float(frame.PixelValueTransformationSequence[0].RescaleSlope) for frame in frames]
    assert set(zip(b_values(header), slopes, strict=True)) == {(0, 1.0), (100, 1.0), (1000, 0.5)}


def test_the_order_of_frames_rises_falls_or_is_scrambled(tmp_path: Path):
    ways = set()
    for seed in range(8):
        header = write_enhanced(tmp_path, 0, files.tiny_series("t2w", (None,)), seed)
        heights = [float(one.origin @ files.GRID.axes[2]) for one in files.decode(header)]
        ways.add("rising" if heights == sorted(heights) else "other")
        ways.add("falling" if heights == sorted(heights, reverse=True) else "other")
    assert ways == {"rising", "falling", "other"}


@BOTH
def test_dimension_indices_name_the_place_and_the_b_value_of_their_frame(number: int, tmp_path: Path):
    header = write_enhanced(tmp_path, number, files.tiny_series("dwi", files.B_VALUES))
    pointers = [int(item.DimensionIndexPointer) for item in header.DimensionIndexSequence]
    assert pointers == [tag_for_keyword(word) for word in ("StackID", "InStackPositionNumber", "DiffusionBValue")]
    slices = files.decode(header)
    for one, b, frame in zip(slices, b_values(header), header.PerFrameFunctionalGroupsSequence, strict=True):
        content = frame.FrameContentSequence[0]
        stack, place, which = content.DimensionIndexValues
        assert (stack, content.StackID, content.InStackPositionNumber) == (1, "1", place)
        np.testing.assert_allclose(one.origin, files.GRID.position_mm(0, 0, place - 1), atol=0.01)
        assert files.B_VALUES[which - 1] == b


@BOTH
def test_b_0_has_no_directionality(number: int, tmp_path: Path):
    header = write_enhanced(tmp_path, number, files.tiny_series("dwi", files.B_VALUES))
    found = {
        (item.MRDiffusionSequence[0].DiffusionBValue, item.MRDiffusionSequence[0].DiffusionDirectionality)
        for item in header.PerFrameFunctionalGroupsSequence
    }
    assert found == {(0, "NONE"), (100, "ISOTROPIC"), (1000, "ISOTROPIC")}


@pytest.mark.parametrize(
    ("kind", "b_value", "contrast", "pulses"),
    [("t2w", None, "T2", ("SPIN", "NO")), ("dwi", 100, "DIFFUSION", ("SPIN", "YES"))],
)
def test_the_image_says_how_it_was_made(
    kind: str, b_value: int | None, contrast: str, pulses: tuple[str, str], tmp_path: Path
):
    header = write_enhanced(tmp_path, 0, files.tiny_series(kind, (b_value,)))
    style = DIALECTS["enhanced"][0].styles[kind]
    assert header.AcquisitionContrast == contrast
    assert (header.EchoPulseSequence, header.EchoPlanarPulseSequence) == pulses
    assert header.PulseSequenceName == style.sequence
    assert tuple(header.ImageType) == style.image_type
    shared = header.SharedFunctionalGroupsSequence[0]
    assert shared.MRTimingAndRelatedParametersSequence[0].RepetitionTime == style.times_ms[0]
    assert shared.MREchoSequence[0].EffectiveEchoTime == style.times_ms[1]
    assert tuple(shared.MRImageFrameTypeSequence[0].FrameType) == style.image_type
    classic = ("ScanningSequence", "SequenceName", "EchoTime", "RepetitionTime", "ImagePositionPatient", "PixelSpacing")
    assert not any(keyword in header for keyword in classic)


def test_a_group_is_shared_only_where_all_frames_agree(tmp_path: Path):
    first = files.tiny_series("localizer", (None,)).frames
    turned = replace(first[0], grid=replace(files.GRID, axes=np.eye(3)))
    header = write_enhanced(tmp_path, 0, Series("localizer", (*first, turned)))
    assert "PlaneOrientationSequence" not in header.SharedFunctionalGroupsSequence[0]
    assert "PixelMeasuresSequence" in header.SharedFunctionalGroupsSequence[0]
    orientations = {
        tuple(frame.PlaneOrientationSequence[0].ImageOrientationPatient)
        for frame in header.PerFrameFunctionalGroupsSequence
    }
    assert len(orientations) == 2
    stacks = {frame.FrameContentSequence[0].StackID for frame in header.PerFrameFunctionalGroupsSequence}
    assert stacks == {"1", "2"}


REAL = {
    0: "vendors/canon-dwi-enhanced-and-classic/3000.dcm",
    1: "odd/conversions-noise-pixels/philips_enhanced/dti/001/IM-0001-3835-0001.dcm",
}


@pytest.mark.shared_data
@BOTH
def test_elements_of_groups_are_those_of_a_real_file(number: int, shared: Path, tmp_path: Path):
    real = pydicom.dcmread(shared / "data" / "mri" / REAL[number])
    ours = write_enhanced(tmp_path, number, files.tiny_series("dwi", files.B_VALUES))
    here, there = representations(ours), representations(real)
    spacing = ("PixelMeasuresSequence", "SpacingBetweenSlices")  # both vendors leave it out of the group
    assert here.items() - there.items() <= {(spacing, "DS")}


def representations(header: Dataset) -> dict[tuple[str, str], str]:
    """Group and keyword -> VR, of everything in the shared groups and in those of all frames."""
    found = {}
    for item in (*header.SharedFunctionalGroupsSequence, *header.PerFrameFunctionalGroupsSequence):
        for group in item:
            for element in group.value[0] if group.VR == "SQ" and group.value else ():
                found[group.keyword, element.keyword] = element.VR
    return found


@pytest.mark.shared_data
def test_the_second_variant_states_per_frame_what_philips_states_per_frame(shared: Path, tmp_path: Path):
    real = pydicom.dcmread(shared / "data" / "mri" / REAL[1])
    ours = write_enhanced(tmp_path, 1, files.tiny_series("dwi", files.B_VALUES))
    per_frame = {element.keyword for element in ours.PerFrameFunctionalGroupsSequence[0]}
    assert per_frame <= {element.keyword for element in real.PerFrameFunctionalGroupsSequence[0]}
    assert {element.keyword for element in ours.SharedFunctionalGroupsSequence[0]} == {
        "MRTimingAndRelatedParametersSequence"
    }
