"""What an image is: maps, calculated images and untagged diffusion are never taken for what they are not."""

import dicom_factory
import pytest


@pytest.mark.parametrize("kind", ["ADC", "TRACEW\\ADC", "CALC_BVAL", "FA"])
def test_maps_that_carry_a_wanted_b_value_are_never_acquired(read, kind):
    made = dicom_factory.study(b_values=(100, 600))
    for image in dicom_factory.study(b_values=(1000,))["dwi_b1000"]:
        image.ImageType = ["DERIVED", "PRIMARY", "DIFFUSION", *kind.split("\\")]
        made.setdefault("map", []).append(image)
    reading = read(made)
    assert not reading.ready
    assert reading.b_values_found == (100, 600)
    assert "dwi_b1000" not in reading.volumes


@pytest.mark.parametrize(
    "description",
    ["ep2d_diff_CALC_BVAL", "DWI_b1000_calc", "b1000 CALC", "cDWI b1000", "sDWI b1000", "synth b1000", "DWI syn b1000",
     "computed b1000", "Synthetic DWI", "dwiCALCULATED", "extrapolated b1000", "cb1000"],
)  # fmt: skip
def test_calculated_b_values_are_told_by_description(made, read, description):
    dicom_factory.copy_of(made["dwi_b1000"], 20, description)
    assert_calculated(read(made))


@pytest.mark.parametrize(
    "value", ["CALC_BVAL", "CALC_BVALUE", "CALCULATED", "SYNTHETIC", "SYN_BVAL", "COMPUTED", "COMP"]
)
def test_calculated_b_values_are_told_by_image_type(made, read, value):
    for image in dicom_factory.copy_of(made["dwi_b1000"], 20, "b1000"):
        image.ImageType = ["DERIVED", "PRIMARY", "DIFFUSION", value]
    assert_calculated(read(made))


def test_calculated_b_values_are_told_by_the_range_in_the_sequence_name(made, read):
    for image in dicom_factory.copy_of(made["dwi_b1000"], 20, "b1000"):
        image.SequenceName = "*ep_b100_600"
    assert_calculated(read(made))


def assert_calculated(reading):
    assert not reading.ready
    assert reading.b_values_found == (100, 600)
    assert "dwi_b1000" not in reading.volumes
    assert sum(report.role == "calculated" for report in reading.series) == 2


@pytest.mark.parametrize(
    "description",
    ["DWI b1000", "ep2d_diff", "diffusion tra", "epi tra", "TRACEW", "b1000", "ADC", "perfusion", "dce tra", "resolve"],
)
def test_untagged_diffusion_does_not_become_the_t2(made, read, description):
    del made["t2"]
    untagged = dicom_factory.copy_of(dicom_factory.study()["dwi_b1000"], 30, description)
    for image in untagged:
        image.remove_private_tags()
        image.ScanningSequence, image.SequenceName = "SE", "*se2d1"
        image.EchoTime, image.ImageType = "80", ["ORIGINAL", "PRIMARY", "M", "SE"]
    reading = read(made | {"untagged": untagged})
    assert "t2w" not in reading.volumes
    assert any("no usable axial T2" in problem for problem in reading.problems)


def test_every_image_of_a_t2_is_looked_at(made, read):
    made["t2"][-1].ScanningSequence = "GR"
    reading = read(made)
    assert not reading.ready
    (problem,) = [problem for problem in reading.problems if "no usable axial T2" in problem]
    assert "series 4 (t2_tse_tra): 5 images of an axial T2, but of 1 image at (-23.0, -23.0, 20.0) mm its" in problem
