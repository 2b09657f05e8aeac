"""A reading: fail-safe, complete, private."""

import json
from dataclasses import replace

import dicom_factory
import numpy as np
import pydicom
import pytest
from pydicom.uid import UID

from prostate_alm.studies import (
    CANONICAL_B_VALUES,
    Keys,
    Volume,
    checks,
    default_rules,
    find_studies,
    read_study,
    reading,
)

KEYS = Keys(b"a salt for the tests")
OTHER_B = (50, 400, 800)


def test_volumes_hold_the_pixels_where_they_belong(made, read):
    done = read(made)
    assert set(done.volumes) == {"t2w", "dwi_b100", "dwi_b600", "dwi_b1000"}
    t2 = done.volumes["t2w"]
    assert t2.voxels.dtype == np.float32
    lowest = np.frombuffer(made["t2"][0].PixelData, "<u2").reshape(24, 24)
    assert np.array_equal(t2.voxels[:, :, 0], lowest.T)
    assert t2.affine @ [0, 0, 0, 1] == pytest.approx([23, 23, -20, 1])
    assert done.sources["dwi_b600"] == {"description": "ep2d_diff_tra", "b": 600.0, "source_tag": "(0019,100C)"}
    assert done.scanner == {"vendor": "Siemens", "model": "Skyra", "field_strength_t": 3.0}


def test_rescale_applies_per_image(made, read):
    before = read(made).volumes["t2w"].voxels
    made["t2"][1].RescaleSlope, made["t2"][1].RescaleIntercept = "2", "-7"
    after = read(made).volumes["t2w"].voxels
    assert np.array_equal(after[:, :, 1], before[:, :, 1] * 2 - 7)
    assert np.array_equal(after[:, :, 2], before[:, :, 2])


def test_other_b_values_name_what_was_found_and_the_way_out(read):
    done = read(dicom_factory.study(b_values=OTHER_B))
    assert not done.ready
    assert not done.harmonised
    assert done.b_values_found == OTHER_B
    assert done.problems == (
        "DWI has b-values 50, 400, 800, b 100, 600, 1000 are needed; "
        "--harmonise computes them from at least two above 0",
    )


def test_harmonised_it_is_ready_and_says_so(read):
    acquired = read(dicom_factory.study(b_values=CANONICAL_B_VALUES, seed=3))
    for path in list(reading_folder(read).rglob("*.dcm")):
        path.unlink()
    done = read(dicom_factory.study(b_values=OTHER_B, seed=3), harmonise=True)
    assert done.ready
    assert done.harmonised
    assert done.b_values_found == OTHER_B
    assert done.harmonisation["b_values"] == {"100": "interpolated", "600": "interpolated", "1000": "extrapolated"}
    assert "computed by harmonisation, extrapolated" in done.sources["dwi_b1000"]["description"]
    body = acquired.volumes["dwi_b100"].voxels > 300
    for name in ("dwi_b100", "dwi_b600", "dwi_b1000"):
        ratio = done.volumes[name].voxels[body] / acquired.volumes[name].voxels[body]
        assert np.median(np.abs(ratio - 1)) < 0.01


def reading_folder(read):
    return read.__closure__[0].cell_contents / "study"


def test_harmonise_changes_nothing_for_the_wanted_b_values(made, read):
    assert not read(made, harmonise=True).harmonised


def test_harmonisation_that_fails_is_a_problem(read):
    done = read(dicom_factory.study(b_values=(0, 800)), harmonise=True)
    assert not done.ready
    assert "at least two acquired b-values above 0; found b 0, 800" in done.problems[0]


def test_signal_must_fall_with_b(made, read):
    for low, high in zip(made["dwi_b100"], made["dwi_b1000"], strict=True):
        low.PixelData, high.PixelData = high.PixelData, low.PixelData
    done = read(made)
    assert not done.ready
    assert any("does not fall from b100 to b600" in problem for problem in done.problems)


@pytest.mark.parametrize("name", ["t2", "dwi_b600"])
def test_constant_intensities_are_a_problem(made, read, name):
    for image in made[name]:
        image.PixelData = bytes(len(image.PixelData))
    done = read(made)
    assert not done.ready
    assert any("intensities are constant" in problem for problem in done.problems)


def test_another_region_is_a_problem(made, read):
    for image in made["t2"]:
        image.ImagePositionPatient[0] += 40
    done = read(made)
    assert not done.ready
    assert any("do not show the same region" in problem for problem in done.problems)


@pytest.mark.parametrize("name", ["t2", "dwi_b600"])
def test_another_frame_of_reference_is_a_problem(made, read, name):
    for image in made[name]:
        image.FrameOfReferenceUID = "1.2.3.4"
    assert any("different frames of reference" in problem for problem in read(made).problems)


def test_two_patients_in_one_study_are_a_problem(made, read):
    made["t2"][0].PatientID = "someone else"
    assert "the study's files state more than one PatientID" in read(made).problems


def test_a_multi_frame_file_without_functional_groups_says_so(made, read):
    for images in made.values():
        for image in images:
            image.NumberOfFrames = "2"
    problems = read(made).problems
    assert any("a multi-frame file that does not place its frames" in problem for problem in problems)


def test_pixels_that_cannot_be_decoded_name_the_transfer_syntax(made, read):
    made["t2"][3].PixelData = made["t2"][3].PixelData[:100]
    done = read(made)
    assert not done.ready
    assert "t2w" not in done.volumes
    assert any("transfer syntax Explicit VR Little Endian" in problem for problem in done.problems)
    (report,) = [report for report in done.series if report.role == "t2"]
    assert report.reason.startswith("not used because")


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.90", "JPEG 2000 Image Compression"),
        ("1.2.840.10008.1.2.4.80", "JPEG-LS"),
        ("1.2", "unknown"),
    ],
)
def test_a_stream_that_no_codec_reads_is_a_problem(made, tmp_path, syntax, name):
    folder = dicom_factory.save(made, tmp_path / "study")
    path = next((folder / "series4").iterdir())
    image = pydicom.dcmread(path)
    image.PixelData = pydicom.encaps.encapsulate([b"no such stream"])
    image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = UID(syntax)
    image.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=False)
    done = read_study(find_studies(folder)[0], keys=KEYS)
    assert not done.ready
    assert any("cannot be decoded" in problem and name in problem for problem in done.problems)


@pytest.mark.parametrize("slope", ["0", "1e400"])
def test_an_impossible_rescale_is_a_problem(made, read, slope):
    made["t2"][3].RescaleSlope = slope
    done = read(made)
    assert not done.ready
    assert any("RescaleSlope" in problem for problem in done.problems)


def test_an_unexpected_exception_is_a_problem(made, read, monkeypatch):
    def explode(parts, rules):
        raise ZeroDivisionError("/a/path/with/a/NAME")

    monkeypatch.setattr(reading, "select", explode)
    done = read(made)
    assert not done.ready
    assert done.problems == ("the study cannot be read, an unexpected ZeroDivisionError",)


def test_nothing_identifies_a_person(made, read, tmp_path):
    for images in made.values():
        for image in images:
            image.SeriesDescription += " Miller"
    made["t2"].pop(2)
    text = json.dumps(read(made).as_json())
    for secret in ("Miller", "SECRET", made["t2"][0].PatientID, made["t2"][0].AccessionNumber, str(tmp_path)):
        assert secret not in text
    assert made["t2"][0].StudyInstanceUID not in text


def test_json_has_the_agreed_shape(made, read):
    report = read(made).as_json()
    assert set(report) == {"study_key", "series", "volumes", "decision_possible", "problems"}
    assert list(report["volumes"]) == ["t2", "b100", "b600", "b1000"]
    assert report["decision_possible"] is True
    assert set(report["series"][0]) == {
        "description", "modality", "vendor", "files", "shape", "spacing_mm", "orientation", "b_values", "b_source",
        "role", "reason",
    }  # fmt: skip


def test_keys_follow_the_salt_and_unknown_patients_are_not_one(tmp_path):
    for name in ("one", "two"):
        made = dicom_factory.study(name)
        for images in made.values():
            for image in images:
                image.PatientID = ""
        dicom_factory.save(made, tmp_path / name)
    studies = find_studies(tmp_path)
    keys = [read_study(study, keys=salt).patient_key for study in studies for salt in (KEYS, Keys(b"x" * 16))]
    assert len(set(keys)) == 4


def test_overlap_counts_the_middle_of_the_t2():
    t2 = Volume(np.zeros((40, 40, 10), np.float32), np.eye(4))
    assert checks.overlap(t2.grid, t2.grid) == 1
    moved = np.eye(4)
    moved[0, 3] = 20
    share = checks.overlap(t2.grid, replace(t2.grid, affine=moved))
    assert share == pytest.approx(0.5, abs=0.1)
    moved[0, 3] = 100
    assert checks.overlap(t2.grid, replace(t2.grid, affine=moved)) == 0


def test_voxels_that_are_not_finite_are_a_problem():
    voxels = np.full((3, 3, 3), np.nan, np.float32)
    measures = checks.measure_volume(Volume(voxels, np.eye(4)), default_rules().checks)
    assert [measure.problem for measure in measures if measure.name == "not_finite"] == ["voxels are not finite"]
