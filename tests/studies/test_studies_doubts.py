"""A doubt stays a doubt: damage and contradictions never settle what content leaves open."""

import dicom_factory
import pytest


def problems_with(reading, text):
    return [problem for problem in reading.problems if text in problem]


@pytest.fixture
def two_t2(made):
    return made | {"again": dicom_factory.copy_of(dicom_factory.study()["t2"], 14)}


@pytest.mark.parametrize("lost", [[2], [5], [0, 1], [1, 2, 3, 4]])
def test_damage_does_not_settle_which_t2_is_meant(two_t2, read, lost):
    for index in reversed(lost):
        del two_t2["again"][index]
    reading = read(two_t2)
    assert not reading.ready
    assert problems_with(reading, "series 14 (t2_tse_tra)") or problems_with(reading, "several axial T2")


@pytest.mark.parametrize("lost", [("dwi_b100", 2), ("dwi_b1000", 5), ("dwi_b1000", 0)])
@pytest.mark.parametrize("one_series_per_b", [False, True])
def test_damage_does_not_settle_which_diffusion_is_meant(made, read, lost, one_series_per_b):
    other = dicom_factory.study()
    for number, b in enumerate((100, 600, 1000)):
        images = dicom_factory.copy_of(other[f"dwi_b{b}"], 16 + number * one_series_per_b)
        for image in images:
            image.EchoTime = "80"
        made[f"other b{b}"] = images
    assert not read(made).ready
    name, index = lost
    del made[name.replace("dwi_", "other ")][index]
    assert not read(made, fresh=True).ready


@pytest.mark.parametrize("harmonise", [False, True])
def test_a_contradicted_b_value_is_not_forgotten(read, harmonise):
    made = dicom_factory.study(b_values=(50, 400, 800))
    for image in made["dwi_b400"]:
        image.DiffusionBValue = 1400.0
    reading = read(made, harmonise=harmonise)
    assert not reading.ready
    (problem,) = problems_with(reading, "its b-value is unclear")
    assert "series 6 (ep2d_diff_tra), 6 images at (" in problem
    assert "(0018,9087) states b 1400 and (0019,100C) states b 400" in problem


def test_a_contradiction_beside_a_whole_set_is_a_problem(made, read):
    made |= {"extra": dicom_factory.copy_of(dicom_factory.study(b_values=(400,))["dwi_b400"], 16)}
    for image in made["extra"]:
        image.DiffusionBValue = 1400.0
    assert problems_with(read(made), "its b-value is unclear")


def test_an_image_without_b_value_is_not_left_out_of_a_fit(read):
    made = dicom_factory.study(b_values=(50, 400, 600, 800))
    assert read(made, harmonise=True).ready
    for image in made["dwi_b400"]:
        del image[0x0019100C]
        image.SequenceName = ""
    reading = read(made, harmonise=True, fresh=True)
    assert not reading.ready
    assert problems_with(reading, "6 images at (") == problems_with(reading, "state no b-value")


def test_a_sequence_name_may_not_contradict_the_tag(made, read):
    for image in made["dwi_b1000"]:
        image.SequenceName = "*ep_b1500t"
    reading = read(made)
    assert not reading.ready
    assert problems_with(reading, "(0019,100C) states b 1000 and SequenceName (0018,0024) states b 1500")


@pytest.mark.parametrize("index", [0, 5])
@pytest.mark.parametrize("name", ["t2", "dwi_b600"])
def test_an_end_slice_of_another_echo_time_is_not_dropped(made, read, name, index):
    made[name][index].EchoTime = "105"
    reading = read(made)
    assert not reading.ready
    (problem,) = problems_with(reading, "mixed echo times")
    assert "105 ms" in problem
    assert "1 image at (" in problem


def test_a_b_value_of_another_repetition_time_in_one_series_is_a_problem(made, read):
    for image in made["dwi_b1000"]:
        image.RepetitionTime = "9000"
    reading = read(made)
    assert not reading.ready
    assert problems_with(reading, "b100 and b1000 have mixed repetition times")


def test_repetition_times_are_compared_image_by_image(made, read):
    for image in dicom_factory.copy_of(made["dwi_b1000"], 16)[1:]:
        image.RepetitionTime = "9000"
    assert not read(made).ready


def test_one_defect_of_several_b_values_is_said_once(made, read):
    for name in ("dwi_b100", "dwi_b600", "dwi_b1000"):
        del made[name][2]
    (problem,) = problems_with(read(made), "a gap")
    assert "b100, b600, b1000: series 6 (ep2d_diff_tra): a gap" in problem
