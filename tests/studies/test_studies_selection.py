"""Selection by content: every branch that refuses, refuses; every choice says why."""

import dicom_factory
import numpy as np
import pytest


def reports(reading):
    return {report.description: report for report in reading.series}


@pytest.mark.parametrize("dialect", ["siemens", "siemens-bytes", "standard"])
def test_a_whole_study_is_ready_and_every_series_accounted_for(read, dialect):
    reading = read(dicom_factory.study(dialect=dialect))
    assert reading.ready
    assert reading.b_values_found == (100, 600, 1000)
    roles = {report.description: (report.role, report.reason) for report in reading.series}
    assert roles["t2_tse_tra"] == ("t2", "used as axial T2")
    assert roles["ep2d_diff_tra"] == ("dwi", "used as DWI b100, b600, b1000")
    assert roles["t2_tse_sag"][0] == "other"
    assert "sagittal" in roles["t2_tse_sag"][1]
    assert roles["ep2d_diff_ADC"][0] == "adc"
    assert roles["ep2d_diff_CALC_BVAL"][0] == "calculated"
    assert all(reason.startswith(("used as", "not used because")) for _, reason in roles.values())


def test_selection_does_not_read_descriptions(made, read):
    for images in made.values():
        for image in images:
            image.SeriesDescription = ""
    assert read(made).ready


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"EchoTime": "10"}, "echo time of 10 ms"),
        ({"EchoTime": "300"}, "echo time of 300 ms"),
        ({"EchoTime": None}, "states no echo or repetition time"),
        ({"RepetitionTime": "500"}, "repetition time of 500 ms"),
        ({"ScanningSequence": "GR"}, "no plain spin echo"),
        ({"ScanningSequence": ["SE", "IR"]}, "no plain spin echo"),
        ({"ScanningSequence": "EP"}, "state no b-value"),
        ({"ScanningSequence": None}, "states no ScanningSequence"),
        ({"SequenceName": "*ep_d1000t"}, "its SequenceName is that of a diffusion"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "computed map"),
        ({"ImageType": ["DERIVED", "SECONDARY", "OTHER"]}, "secondary image"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P"]}, "no magnitude image"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, "a mosaic that does not say how its slices lie"),
        ({"ImageType": None}, "no ImageType"),
        ({"NumberOfFrames": "2"}, "a multi-frame file that does not place its frames"),
        ({"Modality": "CT"}, "not MR"),
        ({"Modality": "MILLER"}, "not MR"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "colour or inverted"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "coronal"),
        ({"ImageOrientationPatient": None}, "plane is unknown"),
        ({"PixelSpacing": None}, "no usable PixelSpacing"),
        ({"ImagePositionPatient": None}, "no usable"),
    ],
)
def test_what_is_no_axial_t2_is_not_taken(made, read, change, reason):
    for image in made["t2"]:
        for keyword, value in change.items():
            setattr(image, keyword, value)
    reading = read(made)
    report = reports(reading)["t2_tse_tra"]
    assert not reading.ready
    assert report.reason.startswith("not used because")
    assert reason in report.reason
    assert any("no usable axial T2" in problem for problem in reading.problems)


def test_a_gap_in_the_t2_is_a_problem_that_names_it(made, read):
    del made["t2"][2]
    reading = read(made)
    assert not reading.ready
    assert any("series 4 (t2_tse_tra): a gap (missing slice) between" in problem for problem in reading.problems)


def test_too_few_slices_are_refused(made, read):
    del made["t2"][3:]
    assert "only 3 slices" in read(made).problems[0]


def test_two_axial_t2_are_ambiguous_and_none_is_taken(made, read):
    made["again"] = dicom_factory.copy_of(dicom_factory.study()["t2"], 14)
    reading = read(made)
    assert not reading.ready
    assert "t2w" not in reading.volumes
    assert "several axial T2 fit equally well" in reading.problems[0]
    assert sum("several axial T2" in report.reason for report in reading.series) == 2


def test_a_description_breaks_the_tie(made, read):
    made["again"] = dicom_factory.copy_of(dicom_factory.study()["t2"], 14, "something else")
    reading = read(made)
    assert reading.ready
    assert reading.sources["t2w"]["description"] == "t2_tse_tra"


def test_no_diffusion_is_a_problem(made, read):
    for name in [name for name in made if name.startswith("dwi")]:
        del made[name]
    reading = read(made)
    assert not reading.ready
    assert "no usable acquired diffusion (DWI)" in reading.problems
    assert set(reading.volumes) == {"t2w"}


def test_diffusion_without_its_private_tags_says_so(made, read):
    for images in made.values():
        for image in images:
            image.remove_private_tags()
    reading = read(made)
    assert not reading.ready
    report = reports(reading)["ep2d_diff_tra"]
    assert "state no b-value" in report.reason
    assert "de-identification has removed the private tags" in report.reason
    assert any("de-identification has removed the private tags" in problem for problem in reading.problems)


def test_an_image_without_b_value_in_a_diffusion_series_becomes_a_gap(made, read):
    del made["dwi_b600"][2][0x0019100C]
    made["dwi_b600"][2].SequenceName = ""
    reading = read(made)
    assert not reading.ready
    assert any(problem.startswith("b600:") and "a gap" in problem for problem in reading.problems)


def test_a_contradictory_b_value_is_reported(made, read):
    made["dwi_b600"][2].DiffusionBValue = 0.0
    reading = read(made)
    assert not reading.ready
    assert any("its b-value is unclear" in report.reason for report in reading.series)


def test_directions_become_their_geometric_mean(made, read):
    second = dicom_factory.copy_of(dicom_factory.study()["dwi_b600"], 6)
    for image in second:
        image.SeriesInstanceUID = made["dwi_b600"][0].SeriesInstanceUID
    for image in [*made["dwi_b600"], *second]:
        image.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]
    for image in second:
        dicom_factory.set_pixels(image, np.full((20, 16), 400.0))
    made["second"] = second
    reading = read(made)
    single = [np.frombuffer(image.PixelData, "<u2").reshape(20, 16) for image in made["dwi_b600"]]
    expected = np.stack([np.sqrt(400.0 * plane) for plane in single], axis=-1).transpose(1, 0, 2)
    assert reading.ready
    assert reading.volumes["dwi_b600"].voxels == pytest.approx(expected, rel=1e-5)


def test_a_trace_wins_over_its_directions(made, read):
    raw = dicom_factory.copy_of(dicom_factory.study()["dwi_b600"], 16, "ep2d_diff raw")
    for image in raw:
        image.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION", "NONE"]
        dicom_factory.set_pixels(image, np.zeros((20, 16)))
    made["raw"] = raw
    reading = read(made)
    assert reading.ready
    assert reading.volumes["dwi_b600"].voxels.max() > 0
    assert "the trace images are used (series 6" in reports(reading)["ep2d_diff *"].reason


def test_one_b_value_in_two_series_is_ambiguous(made, read):
    made["again"] = dicom_factory.copy_of(dicom_factory.study()["dwi_b600"], 16)
    reading = read(made)
    assert not reading.ready
    assert "dwi_b600" not in reading.volumes
    assert any("b600 stands in several series (series 6" in problem for problem in reading.problems)


def test_b_values_of_several_series_with_one_protocol_are_one_set(made, read):
    dicom_factory.copy_of(made["dwi_b1000"], 16)
    assert read(made).ready


@pytest.mark.parametrize("change", [{"EchoTime": "90"}, {"RepetitionTime": "5000"}, {"EchoTime": None}])
def test_b_values_of_different_protocols_are_no_set(made, read, change):
    for image in dicom_factory.copy_of(made["dwi_b1000"], 16):
        for keyword, value in change.items():
            setattr(image, keyword, value)
    reading = read(made)
    assert not reading.ready
    assert reading.b_values_found == (100, 600)


def test_two_echo_times_in_one_series_are_no_set(made, read):
    for image in made["dwi_b1000"]:
        image.EchoTime = "90"
    reading = read(made)
    assert not reading.ready
    assert reading.b_values_found == (100, 600)


def test_a_shifted_b_value_is_no_part_of_the_set(made, read):
    for image in made["dwi_b1000"]:
        image.ImagePositionPatient[0] += 4
    reading = read(made)
    assert not reading.ready
    assert "dwi_b1000" not in reading.volumes


def test_two_whole_sets_are_ambiguous(made, read):
    other = dicom_factory.study()
    for name in ("dwi_b100", "dwi_b600", "dwi_b1000"):
        for image in dicom_factory.copy_of(other[name], 16):
            image.EchoTime = "80"
        made["other " + name] = other[name]
    reading = read(made)
    assert not reading.ready
    assert reading.b_values_found == ()
    assert any("several sets of diffusion images" in problem for problem in reading.problems)


def test_the_set_with_the_wanted_b_values_is_the_choice(made, read):
    other = dicom_factory.study(b_values=(50, 800))
    for name in ("dwi_b50", "dwi_b800"):
        for image in dicom_factory.copy_of(other[name], 16, "ep2d_diff other"):
            image.EchoTime = "80"
        made[name] = other[name]
    reading = read(made)
    assert reading.ready
    assert reading.b_values_found == (100, 600, 1000)
    assert "another set" in reports(reading)["ep2d_diff *"].reason


def test_sagittal_diffusion_is_not_used(read):
    made = dicom_factory.study(b_values=())
    for b in (100, 600, 1000):
        made[f"dwi_b{b}"] = dicom_factory.series(
            made["t2"][0].StudyInstanceUID, 6, "diff", "DERIVED\\PRIMARY\\DIFFUSION\\TRACEW", b_value=b,
            voxels=500 * dicom_factory.texture((16, 20, 6)), axes=dicom_factory.SAGITTAL, ScanningSequence="EP",
        )  # fmt: skip
    reading = read(made)
    assert not reading.ready
    assert any("its plane is sagittal" in problem for problem in reading.problems)
