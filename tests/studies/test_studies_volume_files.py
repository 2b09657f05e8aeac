"""Volume files: whose they are, by folder, name and sidecar, and what is known of them."""

import shutil
from collections import Counter

import dicom_factory
import numpy as np
import pytest
import volume_factory

from prostate_alm.errors import NoInputError
from prostate_alm.labels import LabelRow
from prostate_alm.prepare import match_labels
from prostate_alm.studies import Keys, find_studies, read_study
from prostate_alm.studies.geometry import build_stack
from prostate_alm.studies.rules import FileRule, load_rules
from prostate_alm.studies.volume_files import BESIDE_DICOM
from prostate_alm.studies.volumes import read_volume

KEYS = Keys(b"a salt for the tests")
AFFINE = np.array([[-0.5, 0, 0, 40], [0, -0.5, 0, 30], [0, 0, 3, -20], [0, 0, 0, 1.0]])
T2_SIDECAR = {
    "Modality": "MR", "MagneticFieldStrength": 3, "Manufacturer": "Siemens", "ManufacturersModelName": "Skyra",
    "BodyPart": "PROSTATE", "SeriesDescription": "t2_tse_tra", "ScanningSequence": "SE", "SequenceName": "*tse2d1_25",
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D", "MAGNITUDE"], "SeriesNumber": 4, "EchoTime": 0.104,
    "RepetitionTime": 5.66, "ConversionSoftware": "dcm2niix",
}  # fmt: skip


def voxels_of(*shape, seed=0):
    return np.random.default_rng(seed).integers(1, 4000, shape or (6, 5, 4)).astype(np.int16)


def make(path, shape=(6, 5, 4), *, seed=0, **what):
    return volume_factory.beside(volume_factory.write(path, voxels_of(*shape, seed=seed), AFFINE), **what)


def uids(root, rules=None):
    return {study.uid: {image.path.name for image in study.files} for study in find_studies(root, rules)}


def one(folder):
    (study,) = find_studies(folder)
    return study.files[0]


def with_rules(*rules):
    default = load_rules(None)
    return default.model_copy(update={"files": (*rules, *default.files)})


def test_files_of_one_folder_are_one_study(tmp_path):
    for name in ("t2.nii.gz", "dwi.nii.gz", "sub/adc.mha"):
        make(tmp_path / name)
    assert uids(tmp_path) == {
        f"files:{tmp_path}/": {"t2.nii.gz", "dwi.nii.gz"}, f"files:{tmp_path}/sub/": {"adc.mha"},
    }  # fmt: skip


def test_a_single_file_is_a_study(tmp_path):
    assert uids(make(tmp_path / "t2.nii")) == {f"files:{tmp_path}/": {"t2.nii"}}


def test_every_prefix_of_a_folder_is_a_study(tmp_path):
    for case in ("10000_1000000", "10000_1000001", "10001_1000002"):
        for name in ("t2w", "adc", "hbv", "cor", "sag", "mask"):
            make(tmp_path / "all" / f"{case}_{name}.mha")
    make(tmp_path / "all" / "average.mha")
    found = uids(tmp_path)
    assert set(found) == {
        f"files:{tmp_path}/all/{prefix}" for prefix in ("", "10000_1000000", "10000_1000001", "10001_1000002")
    }  # fmt: skip
    assert found[f"files:{tmp_path}/all/"] == {"average.mha"}
    assert all(len(names) == 6 for uid, names in found.items() if not uid.endswith("/"))
    study = find_studies(tmp_path)[1]
    assert (study.patient_id, study.folder) == ("", tmp_path / "all" / "10000_1000000")


def test_names_say_what_the_files_are(tmp_path):
    for name in ("t2w", "adc", "hbv", "cor", "b100", "dwi_b600", "mask"):
        make(tmp_path / f"p_1_{name}.mha")
    (study,) = find_studies(tmp_path)
    named = {image.path.name.split("_", 2)[2]: (image.named, image.modality) for image in study.files}
    assert named == {
        "t2w.mha": ("t2", "MR"), "adc.mha": ("adc", "MR"), "hbv.mha": ("calculated", "MR"),
        "cor.mha": ("ignore", "MR"), "b100.mha": ("dwi", "MR"), "dwi_b600.mha": ("dwi", "MR"),
        "mask.mha": ("", "other"),
    }  # fmt: skip
    stated = {image.b_value for image in study.files if image.b_value is not None}
    assert {(value.value, value.source) for value in stated} == {(100, "file name"), (600, "file name")}


def test_one_file_per_b_value_is_one_series(tmp_path):
    for case in ("one", "two"):
        for seed, b in enumerate((100, 600, 1000)):
            make(tmp_path / f"{case}_b{b}.mha", seed=seed)
    series = {study.uid: {image.series_uid for image in study.files} for study in find_studies(tmp_path)}
    assert series == {f"files:{tmp_path}/{case}": {f"files:./{case}/*_b{{b}}"} for case in ("one", "two")}
    images = [image for image in find_studies(tmp_path)[0].files if image.b_value.nominal == 600]
    assert np.array_equal(read_volume(build_stack(images)).voxels, voxels_of(seed=1))


def test_other_files_are_each_a_series(tmp_path):
    for name in ("a_t2w.nii", "a_adc.nii", "other.nii"):
        make(tmp_path / name)
    (study, *_) = find_studies(tmp_path)
    names = {image.path.name for image in study.files}
    assert len({image.series_uid for image in study.files}) == len(names)


def test_a_complete_study_of_named_files_is_ready(tmp_path):
    body, small = dicom_factory.texture((24, 24, 6)), dicom_factory.texture((16, 20, 6), 1)
    wide, narrow = np.diag([-2.0, -2, 8, 1]), np.diag([-4.0, -4, 8, 1])
    wide[:3, 3], narrow[:3, 3] = (23, 23, -20), (30, 38, -20)
    volume_factory.write(tmp_path / "c_t2w.mha", (1000 * body).astype(np.int16), wide)
    for b in (100, 600, 1000):
        signal = dicom_factory.S0 * np.exp(-b * dicom_factory.ADC) * small
        volume_factory.write(tmp_path / f"c_b{b}.mha", signal.astype(np.int16), narrow)
    volume_factory.write(tmp_path / "c_hbv.mha", (1000 * small).astype(np.int16), narrow)
    (study,) = find_studies(tmp_path)
    reading = read_study(study, keys=KEYS)
    assert reading.problems == ()
    assert reading.ready


def test_a_sites_rule_comes_first(tmp_path):
    make(tmp_path / "p1_t2w.mha")
    make(tmp_path / "p1_T2_axial.mha")
    rules = with_rules(FileRule(name="*_t2w", use_as="ignore"), FileRule(name="*_t2_axial", use_as="t2"))
    (study,) = find_studies(tmp_path, rules)
    assert {image.path.name: image.named for image in study.files} == {"p1_t2w.mha": "ignore", "p1_T2_axial.mha": "t2"}


def test_a_sidecar_fills_the_header(tmp_path):
    image = one(make(tmp_path / "4_t2_tse_tra.nii.gz", sidecar=T2_SIDECAR).parent)
    assert (image.echo_time_ms, image.repetition_time_ms, image.field_strength_t) == (104, 5660, 3)
    assert (image.modality, image.vendor, image.model, image.body_part) == ("MR", "Siemens", "Skyra", "PROSTATE")
    assert (image.scanning_sequence, image.sequence_name, image.series_number) == (("SE",), "*tse2d1_25", 4)
    assert image.image_type == ("ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D")
    assert image.name == "series 4 (t2_tse_tra)"


def test_beside_a_sidecar_a_name_only_leaves_out(tmp_path):
    make(tmp_path / "7_ep2d_ADC.nii.gz", sidecar=T2_SIDECAR, b_values=[800])
    make(tmp_path / "4_t2_tra_t2w.nii.gz", sidecar=T2_SIDECAR)
    make(tmp_path / "3_t2_tse_sag.nii.gz", sidecar=T2_SIDECAR)
    ((uid, study),) = [(study.uid, study) for study in find_studies(tmp_path)]
    assert uid == f"files:{tmp_path}/"
    assert Counter(image.named for image in study.files) == {"": 8, "ignore": 4}


def test_a_sidecar_can_keep_identities(tmp_path):
    kept = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "PatientID": "P1", "AccessionNumber": "A1",
            "PatientName": "X", "PatientBirthDate": "1950-01-01", "PatientSex": "m"}  # fmt: skip
    make(tmp_path / "a" / "t2.nii", sidecar=T2_SIDECAR | kept)
    make(tmp_path / "b" / "t2.nii", sidecar=T2_SIDECAR | kept)
    (study,) = find_studies(tmp_path)
    assert (study.uid, study.patient_id, study.accession, study.folder) == ("1.2.3", "P1", "A1", tmp_path)
    assert {image.series_uid for image in study.files} == {"1.2.3.4"}
    assert (study.files[0].sex, len(study.files), study.skipped) == ("M", 8, ())


@pytest.mark.parametrize("uid", ["../..", "1.2.3/../..", 7, None, "1" * 65])
def test_a_uid_that_is_none_counts_as_not_stated(tmp_path, uid):
    make(tmp_path / "t2.nii", sidecar=T2_SIDECAR | {"StudyInstanceUID": uid, "SeriesInstanceUID": uid})
    image = one(tmp_path)
    assert (image.study_uid, image.series_uid) == ("files:./", "files:.//t2.nii")


def test_values_of_the_wrong_type_count_as_not_stated(tmp_path):
    wrong = {
        "EchoTime": "x",
        "RepetitionTime": [1],
        "ImageType": 5,
        "SeriesNumber": True,
        "MagneticFieldStrength": None,
    }
    make(tmp_path / "t2.nii", sidecar=T2_SIDECAR | wrong)
    image = one(tmp_path)
    assert (image.echo_time_ms, image.repetition_time_ms, image.image_type) == (None, None, ())
    assert (image.series_number, image.field_strength_t) == (None, None)


def test_json_about_something_else_is_no_sidecar(tmp_path):
    make(tmp_path / "p_t2w.nii", sidecar={"lesions": 2})
    assert (one(tmp_path).named, one(tmp_path).study_uid) == ("t2", "files:./p")


def test_echo_planar_volumes_have_the_repetition_time_of_the_excitation(tmp_path):
    make(tmp_path / "dwi.nii", sidecar=T2_SIDECAR | {"RepetitionTime": 1.0125, "RepetitionTimeExcitation": 2.7})
    assert one(tmp_path).repetition_time_ms == 2700


def test_tiles_of_a_mosaic_are_slices_by_now(tmp_path):
    make(tmp_path / "dwi.nii", sidecar=T2_SIDECAR | {"ImageType": ["ORIGINAL", "PRIMARY", "M", "VFRAME", "MOSAIC"]})
    assert one(tmp_path).image_type == ("ORIGINAL", "PRIMARY", "M")


def test_a_file_that_nothing_describes_is_not_guessed_at(tmp_path):
    make(tmp_path / "image.nii.gz")
    (study,) = find_studies(tmp_path)
    reading = read_study(study, keys=KEYS)
    assert (study.files[0].modality, study.files[0].image_type, study.files[0].named) == ("other", (), "")
    assert [row.reason for row in reading.series] == ["not used because it is not MR"]
    assert not reading.ready


@pytest.mark.parametrize(
    ("name", "b_values", "problem"),
    [
        ("dwi", [0, 50, 800], "its .bval states 3 b-values for 4 volumes"),
        ("dwi", [0], "its .bval states 1 b-value for 4 volumes"),
        ("dwi", "", "its .bval states 0 b-values for 4 volumes"),
        ("dwi", "0 50 400 b800", "its .bval holds something that is no number"),
        ("dwi", "0 50 400 nan", "its .bval holds something that is no number"),
        ("dwi", "0 50 400 1_000", "its .bval holds something that is no number"),
        ("dwi", "0 50 400 99999", ".bval states 99999, which is no b-value"),
        ("p_b800", [800, 800, 800, 1000], ".bval states b 1000 and file name states b 800"),
    ],
)
def test_b_values_that_do_not_fit_are_a_problem(tmp_path, name, b_values, problem):
    make(tmp_path / f"{name}.nii.gz", (6, 5, 4, 4), b_values=b_values)
    (study,) = find_studies(tmp_path)
    assert {image.b_problem for image in study.files} == {problem}
    assert {image.b_value for image in study.files} == {None}
    assert not read_study(study, keys=KEYS).ready


def test_a_3d_file_takes_one_b_value(tmp_path):
    make(tmp_path / "adc.nii.gz", sidecar=T2_SIDECAR, b_values="800 \n")
    assert one(tmp_path).b_value.value == 800


def test_a_t2_by_name_that_states_diffusion_is_refused(tmp_path):
    make(tmp_path / "p_t2w.nii.gz", b_values=[800])
    make(tmp_path / "p_adc.nii.gz", b_values=[800])
    (study,) = find_studies(tmp_path)
    assert [item.reason for item in study.skipped] == [
        "damaged volume file (its name says T2, its .bval says diffusion)"
    ]
    assert study.skipped[0].damaged


def test_volume_files_beside_dicom_are_listed_and_harm_nothing(tmp_path):
    folder = dicom_factory.save(dicom_factory.study(), tmp_path) / "series4"
    make(folder / "t2.nii.gz", sidecar=T2_SIDECAR)
    (folder / "broken.mha").write_bytes(b"nothing")
    (study,) = find_studies(tmp_path)
    assert {item.path.name: (item.reason, item.damaged) for item in study.skipped} == {
        "t2.nii.gz": (BESIDE_DICOM, False), "broken.mha": (BESIDE_DICOM, False),
    }  # fmt: skip
    assert read_study(study, keys=KEYS).ready


def test_a_volume_file_of_a_study_that_is_there_as_dicom_is_not_read(tmp_path):
    made = dicom_factory.study()
    dicom_factory.save(made, tmp_path / "dicom")
    make(tmp_path / "nifti" / "t2.nii", sidecar=T2_SIDECAR | {"StudyInstanceUID": made["t2"][0].StudyInstanceUID})
    (study,) = find_studies(tmp_path)
    assert [item.reason for item in study.skipped] == [BESIDE_DICOM]
    assert read_study(study, keys=KEYS).ready


def test_companions_belong_to_their_file_and_other_files_are_listed(tmp_path):
    make(tmp_path / "p_b100.nii.gz", b_values=[100])
    volume_factory.write(tmp_path / "p_b600.mhd", voxels_of(), AFFINE)
    (tmp_path / "p_b100.bvec").write_text("0 0 0")
    (tmp_path / "notes.txt").write_text("nothing medical")
    (tmp_path / "IMAGE").write_text("nothing medical" * 20)
    (tmp_path / "masks.tar.gz").write_text("nothing medical" * 20)
    (tmp_path / "._p_b800.nii.gz").write_text("what another system keeps beside a file")
    (study,) = find_studies(tmp_path)
    assert {item.path.name for item in study.skipped} == {"notes.txt", "IMAGE", "masks.tar.gz", "._p_b800.nii.gz"}
    assert not any(item.damaged for item in study.skipped)


def test_links_are_read(tmp_path):
    source = make(tmp_path / "elsewhere" / "x.nii.gz")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p_t2w.nii.gz").symlink_to(source)
    (study,) = find_studies(tmp_path / "in")
    assert np.array_equal(read_volume(build_stack(study.files)).voxels, voxels_of())


def test_names_hold_no_absolute_path_and_never_change(tmp_path):
    make(tmp_path / "a" / "cohort" / "p_b100.mha")
    make(tmp_path / "a" / "cohort" / "p_t2w.mha")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    a, b = ([(i.study_uid, i.series_uid, i.sop_uid) for i in find_studies(tmp_path / n)[0].files] for n in "ab")
    assert a == b
    assert not any(str(tmp_path) in text for names in a for text in names)


@pytest.mark.parametrize("label", ["p_1", "all/p_1"])
def test_labels_name_a_study_by_folder_and_prefix(tmp_path, label):
    for case in ("p_1", "p_2"):
        make(tmp_path / "all" / f"{case}_t2w.mha")
    row = LabelRow(2, label, 1)
    assert match_labels([row], find_studies(tmp_path), tmp_path) == {f"files:{tmp_path}/all/p_1": row}


def test_no_volume_that_can_be_read_is_no_input(tmp_path):
    (tmp_path / "p_t2w.mha").write_bytes(b"nothing")
    with pytest.raises(NoInputError, match="damaged volume file"):
        find_studies(tmp_path)


@pytest.mark.shared_data
def test_a_real_study_is_the_same_as_nifti(shared):
    folder = shared / "data" / "mri" / "prostatex-0000"
    dicom, nifti = (read_study(find_studies(folder / kind)[0], keys=KEYS) for kind in ("dicom", "nifti"))
    assert set(nifti.volumes) == set(dicom.volumes) == {"t2w", "dwi_b50", "dwi_b400", "dwi_b800"}
    for name, volume in dicom.volumes.items():
        assert np.array_equal(nifti.volumes[name].voxels, volume.voxels)
        assert np.abs(nifti.volumes[name].affine - volume.affine).max() < 1e-3
    assert (nifti.problems, nifti.scanner, nifti.b_values_found) == (
        dicom.problems, dicom.scanner, dicom.b_values_found,
    )  # fmt: skip
    rows = {row.description: row for row in dicom.series}
    for row in nifti.series:
        other = rows[row.description]
        assert (row.role, row.reason, row.b_values) == (other.role, other.reason, other.b_values)
        assert (row.shape, row.orientation) == (other.shape, other.orientation)


@pytest.mark.shared_data
def test_a_real_scan_with_many_directions_is_the_same_as_nifti(shared):
    folder = shared / "data" / "mri" / "vendors" / "canon-dwi-enhanced-and-classic"
    images = {}
    for path in (folder / "3000.dcm", folder / "3000_DTI_PA-ortho_cl.nii.gz"):
        (study,) = find_studies(path)
        weighted = [image for image in study.files if image.b_value is None or image.b_value.nominal == 0]
        assert len(weighted) == 40
        images[path.suffix] = read_volume(build_stack(weighted))
    assert np.array_equal(images[".gz"].voxels, images[".dcm"].voxels)
    assert np.abs(images[".gz"].affine - images[".dcm"].affine).max() < 1e-3


def test_two_people_in_one_folder_are_two_studies_beside_sidecars_too(tmp_path):
    make(tmp_path / "caseA_t2w.nii.gz", sidecar=T2_SIDECAR)
    for b in (100, 600, 1000):
        make(tmp_path / f"caseB_b{b}.nii.gz", sidecar=T2_SIDECAR, b_values=[b])
    assert len(find_studies(tmp_path)) == 2


def test_a_place_is_one_study_whatever_folder_above_it_is_named(tmp_path):
    make(tmp_path / "all" / "p_1_t2w.mha")
    (one_,), (other,) = find_studies(tmp_path), find_studies(tmp_path / "all")
    assert one_.uid == other.uid
