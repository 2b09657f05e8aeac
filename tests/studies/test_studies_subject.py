"""One man and his prostate: mixed patients, other subjects, patients without an id."""

import dicom_factory
import pytest

from prostate_alm.studies import Keys, find_studies, quality, read_study

KEYS = Keys(b"a salt for the tests")


def change(made, **values):
    for images in made.values():
        for image in images:
            for keyword, value in values.items():
                setattr(image, keyword, value)
    return made


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "PatientBirthDate"])
@pytest.mark.parametrize("value", ["19500101", ""])
def test_two_patients_in_one_study_are_a_problem(made, read, keyword, value):
    change(made, **{"PatientID": "", "PatientName": "", "PatientBirthDate": "", keyword: "19400101"})
    for image in made["t2"]:
        setattr(image, keyword, value)
    assert f"the study's files state more than one {keyword}" in read(made).problems


@pytest.mark.parametrize("names", [["t2"], ["dwi_b100", "dwi_b600", "dwi_b1000"]])
def test_a_frame_of_reference_on_one_side_only_is_a_problem(made, read, names):
    for name in names:
        change({name: made[name]}, FrameOfReferenceUID="")
    (problem,) = read(made).problems
    assert "no FrameOfReferenceUID, while other images state one" in problem
    assert problem.startswith("series 4 (t2_tse_tra):" if names == ["t2"] else "series 6 (ep2d_diff_tra):")


@pytest.mark.parametrize("part", ["PROSTATE", "PELVIS", "MALE PELVIS", "ABDOMENPELVIS", "", "UNKNOWN", None])
def test_the_right_body_part_or_none_is_fine(made, read, part):
    assert read(change(made, BodyPartExamined=part)).ready


@pytest.mark.parametrize("part", ["BRAIN", "KNEE", "DOE JOHN"])
def test_another_body_part_is_a_problem_that_repeats_no_free_text(made, read, part):
    change({"t2": made["t2"]}, BodyPartExamined=part)
    reading = read(made)
    assert reading.problems == ("series 4 (t2_tse_tra): BodyPartExamined (0018,0015) is neither prostate nor pelvis",)


def test_a_body_part_of_a_series_that_is_not_used_is_no_matter(made, read):
    change({"sag": made["sag"]}, BodyPartExamined="SPINE")
    assert read(made).ready


@pytest.mark.parametrize(("sex", "ready"), [("M", True), ("", True), ("O", True), ("F", False)])
def test_a_woman_has_no_prostate(made, read, sex, ready):
    assert read(change(made, PatientSex=sex)).ready is ready


def readings(tmp_path, **values):
    for name in ("one", "two"):
        dicom_factory.save(change(dicom_factory.study(name), **values), tmp_path / name)
    return [read_study(study, keys=KEYS) for study in find_studies(tmp_path)]


def test_without_patient_id_name_and_birth_date_tell_patients_apart(tmp_path):
    one, two = readings(tmp_path, PatientID="", PatientName="A^B", PatientBirthDate="19500101")
    assert one.patient_key == two.patient_key
    assert quality.quality_row(one)["notes"] == "no PatientID: told from other patients by name and birth date"
    assert one.ready


@pytest.mark.parametrize("name", ["", "A^B"])
def test_without_either_a_study_is_a_patient_and_says_so(tmp_path, name):
    one, two = readings(tmp_path, PatientID="", PatientName=name)
    assert one.patient_key != two.patient_key
    assert "counted as a patient of its own" in quality.quality_row(one)["notes"]


def test_with_a_patient_id_there_is_nothing_to_note(made, read):
    assert read(made).notes == ()


def test_headers_do_not_show_who_was_scanned(tmp_path):
    dicom_factory.save(change(dicom_factory.study(), PatientBirthDate="19500203", PatientSex="M"), tmp_path)
    assert not any(secret in repr(find_studies(tmp_path)[0].files) for secret in ("SECRET", "19500203"))
