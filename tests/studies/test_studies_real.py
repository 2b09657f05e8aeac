"""The real study (PROSTATEx-0000) and other scanners' files."""

import nibabel
import numpy as np
import pytest

from prostate_alm.studies import Keys, find_studies, read_study

pytestmark = pytest.mark.shared_data
KEYS = Keys(b"a salt for the tests")


@pytest.fixture(scope="module")
def mri(shared):
    return shared / "data" / "mri"


@pytest.fixture(scope="module")
def prostatex(mri):
    (study,) = find_studies(mri / "prostatex-0000" / "dicom")
    return study


@pytest.fixture(scope="module")
def reading(prostatex):
    return read_study(prostatex, keys=KEYS)


def test_every_series_is_what_it_is(reading):
    rows = {report.description: report for report in reading.series}
    expected = {
        "t2_tse_tra": ("t2", (384, 384, 19), (0.5, 0.5, 3.0), (), "used as axial T2"),
        "ep2d_diff_tra_DYNDIST": ("dwi", (84, 128, 19), (2.0, 2.0, 3.0), (50, 400, 800), "used as DWI b50, b400, b800"),
        "ep2d_diff_tra_DYNDIST_ADC": ("adc", (84, 128, 19), (2.0, 2.0, 3.0), (800,), "ADC map"),
        "ep2d_diff_tra_DYNDISTCALC_BVAL": ("calculated", (84, 128, 19), (2.0, 2.0, 3.0), (1000,), "calculated"),
        "t2_tse_sag": ("other", (320, 320, 19), (0.5625, 0.5625, 3.6), (), "sagittal"),
        "t2_tse_cor": ("other", (320, 320, 15), (0.6, 0.6, 3.0), (), "coronal"),
        "tfl_3d PD ref_tra_*_*": ("other", (128, 128, 16), (1.5, 1.5, 3.0), (), "no plain spin echo"),
    }
    assert set(rows) == set(expected)
    for description, (role, shape, spacing, b_values, reason) in expected.items():
        row = rows[description]
        assert (row.role, row.shape, row.b_values) == (role, shape, b_values)
        assert row.spacing_mm == pytest.approx(spacing, abs=1e-3)
        assert reason in row.reason
    assert rows["ep2d_diff_tra_DYNDIST"].files == 57
    assert rows["ep2d_diff_tra_DYNDIST"].b_source == "(0019,100C)"


def test_it_is_not_ready_and_names_what_was_found(reading):
    assert not reading.ready
    assert len(reading.problems) == 1
    assert "b-values 50, 400, 800" in reading.problems[0]


def test_harmonised_it_is_ready(prostatex):
    reading = read_study(prostatex, keys=KEYS, harmonise=True)
    assert reading.ready
    assert reading.harmonisation["median_relative_residual"] < 0.05
    assert 0.8e-3 < reading.harmonisation["median_adc_mm2_per_s"] < 2e-3


def reorient(image, affine):
    """A dcm2niix image on the axes of another affine: only flips and permutations."""
    turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(image.affine), nibabel.io_orientation(affine))
    return image.as_reoriented(turn)


@pytest.mark.parametrize(
    ("name", "file", "volume"),
    [
        ("t2w", "4_t2_tse_tra", None),
        ("dwi_b50", "6_ep2d_diff_tra_DYNDIST", 0),
        ("dwi_b400", "6_ep2d_diff_tra_DYNDIST", 1),
        ("dwi_b800", "6_ep2d_diff_tra_DYNDIST", 2),
    ],
)
def test_volumes_agree_with_dcm2niix(reading, mri, name, file, volume):
    ours = reading.volumes[name]
    image = nibabel.load(mri / "prostatex-0000" / "nifti" / f"{file}.nii.gz")
    theirs = reorient(image if volume is None else image.slicer[..., volume], ours.affine)
    assert np.array_equal(ours.voxels, theirs.get_fdata())
    assert ours.affine == pytest.approx(theirs.affine, abs=1e-3)


def test_the_missing_slice_is_named(mri):
    (study,) = find_studies(mri / "odd" / "prostatex-0000-missing-slice")
    reading = read_study(study, keys=KEYS)
    assert not reading.ready
    assert (
        "a gap (missing slice) between (-45.6, -101.3, 17.2) mm and (-45.6, -99.4, 22.9) mm" in reading.series[0].reason
    )


UNPLACED, UNCLEAR, NOT = "does not place its frames", "more than once, in files of several kinds", "it is no diffusion"
# folder -> what its series are: role, b-values, files, and a word of the reason; no study here has an axial T2 to use
EXPECTED = {
    "vendors/canon-dwi-enhanced-and-classic": [("dwi", (0, 1500), 1, UNCLEAR), ("dwi", (0, 1500), 80, UNCLEAR)],
    "vendors/ge-dwi": [("dwi", (0, 1000), 14, "only 2 slices")],
    "vendors/ge-siemens-fmri-not-dwi": [("other", (), 2, NOT), ("other", (0,), 15, NOT)],
    "vendors/philips-dwi-near-zero-b": [("dwi", (0, 1000), 224, "used as DWI")],
    "vendors/siemens-dwi-mosaic": [
        ("other", (), 1, "secondary"), ("other", (), 1, NOT), ("dwi", (0, 1000), 2, "used as DWI b0, b1000"),
    ],
    "vendors/toshiba-dwi-b0-untagged": [("dwi", (0, 1500), 40, "used as DWI b0, b1500")],
    "vendors/uih-dwi-mosaic": [("dwi", (0, 1000), 17, "used as DWI b0, b1000")],
    "odd/conversions-noise-pixels/failing": [
        ("other", (), 2, "sagittal"), ("other", (), 2, "sagittal"), ("other", (), 4, "not MR"), ("t2", (), 2, "only 2"),
    ],
    "odd/conversions-noise-pixels/ge": [("dwi", (0, 1000), 8, "only 4 slices"), ("other", (0,), 16, NOT)],
    "odd/conversions-noise-pixels/philips": [
        ("dwi", (0, 40, 273, 800), 12, "only 3 slices"), ("dwi", (0, 1000), 8, "only 2 slices"),
    ],
    "odd/conversions-noise-pixels/philips_enhanced": [("dwi", (0, 1300), 1, "used as DWI b0, b1300")],
    "odd/conversions-noise-pixels/hyperfine": [("other", (), 1, "(IR)")],
    "odd/conversions-noise-pixels/hitachi": [("other", (), 4, "oblique")],
    "odd/encodings": [("other", (), 1, UNPLACED), *[("other", (), 1, "not MR")] * 4],
    "odd/fragmented-jpeg-j2k": [("other", (), 4, "sagittal")] * 2,
    "odd/prostatex-0000-missing-slice": [("calculated", (1000,), 18, "a gap (missing slice)")],
}  # fmt: skip


@pytest.mark.parametrize("folder", EXPECTED)
def test_every_vendors_files_are_what_they_are(mri, folder):
    readings = [read_study(study, keys=KEYS) for study in find_studies(mri / folder)]
    reports = sorted(
        (report for reading in readings for report in reading.series),
        key=lambda report: (report.role, report.b_values, report.files, report.reason),
    )
    expected = sorted(EXPECTED[folder], key=lambda row: row[:3])
    assert [(report.role, report.b_values, report.files) for report in reports] == [row[:3] for row in expected]
    for report, (*_, word) in zip(reports, expected, strict=True):
        assert word in report.reason
    for reading in readings:
        assert not reading.ready
        assert any(problem.startswith("no usable axial T2") for problem in reading.problems)
        assert not any("unexpected" in problem for problem in reading.problems)


def test_no_shared_folder_is_left_out(mri):
    covered = {name.split("/")[1] for name in EXPECTED}
    assert {path.name for folder in ("vendors", "odd") for path in (mri / folder).iterdir()} == covered


def test_fmri_is_not_diffusion(mri):
    for study in find_studies(mri / "vendors" / "ge-siemens-fmri-not-dwi"):
        assert all(report.role == "other" for report in read_study(study, keys=KEYS).series)


def test_a_presentation_state_is_skipped_by_name(mri):
    (study,) = find_studies(mri / "vendors" / "philips-dwi-near-zero-b")
    assert any("Presentation State" in reason for _, reason in study.unreadable)
    assert read_study(study, keys=KEYS).b_values_found == (0, 1000)
