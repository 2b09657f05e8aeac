"""Our volumes against dcm2niix's, voxel by voxel, and against what the shared files say of themselves."""

import json
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest
from dcm2niix_runs import DEBIAN, PINNED, Converted, binaries, convert, reorient, version_of

from prostate_alm.studies.dicom.instances import read_headers
from prostate_alm.studies.geometry import LPS_TO_RAS, ReadingError, build_stack
from prostate_alm.studies.headers import Header, Skipped
from prostate_alm.studies.rules import default_rules
from prostate_alm.studies.selection.kinds import split_parts
from prostate_alm.studies.volumes import Volume, read_volume

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # nibabel calls its DICOM readers experimental, at import
    from nibabel.nicom import dicomwrappers

pytestmark = pytest.mark.shared_data
STUDY, NOISE, VENDORS, CODES = "prostatex-0000/dicom", "odd/conversions-noise-pixels", "vendors", "odd/encodings"
CALCULATED = "8.000000-ep2ddifftraDYNDISTCALCBVAL-83202"
CANON = f"{VENDORS}/canon-dwi-enhanced-and-classic"
UIH = f"{VENDORS}/uih-dwi-mosaic"
SIEMENS, SIEMENS_FMRI = f"{VENDORS}/siemens-dwi-mosaic", f"{VENDORS}/ge-siemens-fmri-not-dwi/Siemens_mosaic_mr_0003"

# folder (or file, where files of one folder are the same series again) -> SeriesNumber -> volumes, each compared
BOTH = {
    f"{STUDY}/3.000000-t2tsesag-87368": {3: 1},
    f"{STUDY}/4.000000-t2tsetra-00702": {4: 1},
    f"{STUDY}/5.000000-t2tsecor-03471": {5: 1},
    f"{STUDY}/6.000000-ep2ddifftraDYNDIST-69284": {6: 3},
    f"{STUDY}/7.000000-ep2ddifftraDYNDISTADC-48780": {7: 1},
    f"{STUDY}/{CALCULATED}": {8: 1},
    f"{STUDY}/9.000000-tfl3d PD reftra1.5x1.5t3-67276": {9: 1},
    f"{NOISE}/failing/slicecount/001": {4: 1},  # two slices: a stack, though too few for a study
    f"{NOISE}/failing/sliceorientation/001": {202: 1, 501: 1},  # two planes, but in two series
    f"{NOISE}/ge/dti/001": {10: 2},
    f"{NOISE}/ge/dti/002": {25: 4},
    f"{NOISE}/generic/anatomical/002_non_isotropic": {201: 1},  # every slice has its own RescaleSlope
    f"{NOISE}/generic/compressed_j2k/001": {4: 1},
    f"{NOISE}/generic/compressed_jpeg/001": {4: 1},
    f"{NOISE}/generic/compressed_jpegls/001": {4: 1},
    f"{NOISE}/generic/compressed_rle/001": {4: 1},
    f"{NOISE}/hitachi/anatomical/001": {10: 1},
    f"{NOISE}/hyperfine/anatomical/001": {10: 1},
    f"{NOISE}/philips/dti/001": {801: 4},
    f"{NOISE}/philips/dti/002_implicit": {601: 4},
    f"{NOISE}/philips_enhanced/dti/001": {501: 4},
    f"{CODES}/liver.dcm": {1: 1},  # a segmentation: no MR, yet frames with a place
    "odd/fragmented-jpeg-j2k/5001_anat-T1w_acq-tfl": {5001: 1},
    "odd/fragmented-jpeg-j2k/6001_anat-T1w_acq-tfl": {6001: 1},
    CANON: {3000: 13},
    f"{CANON}/cl3000_subset_gz": {3000: 2},
    f"{VENDORS}/ge-dwi/01_Ax_DWI_TENSOR_R2": {1: 7},
    f"{VENDORS}/ge-siemens-fmri-not-dwi/GE_mr_0004": {4: 1},
    SIEMENS_FMRI: {3: 2},
    f"{VENDORS}/philips-dwi-near-zero-b/cl_subset_gz": {701: 7},
    SIEMENS: {12: 2},
    f"{VENDORS}/toshiba-dwi-b0-untagged/7006_DTI_ortho_subset": {7006: 2},
    f"{UIH}/dti_tra_dir16_AP_SaveBySlc__140028": {9: 17},
}

UNPLACED, SINGLE = "no usable ImageOrientationPatient", "all images lie at one position"
# what only dcm2niix reads, by its series number, and our word of refusal
ONLY_DCM2NIIX = {
    # by ImagePositionPatient the step is 5.00 mm along z; its stack says 4.85, Debian's 4.71, and a second is resampled
    f"{NOISE}/failing/gantrytilting/001": {4: "tilted"},
    # it stacks the 18 slices 3 mm apart as if there were no gap; a second volume is resampled
    f"odd/prostatex-0000-missing-slice/ProstateX-0000/07-07-2011/{CALCULATED}": {8: "a gap (missing slice)"},
    # in colour: three values per voxel are no signal
    f"{NOISE}/generic/rgb/001": {747197466: "an image is in colour"},
    # one picture is no volume
    f"{CODES}/bad_sequence.dcm": {2: SINGLE},
    f"{CODES}/explicit_VR-UN.dcm": {1305501634: SINGLE},
    f"{CODES}/parametric_map_float.dcm": {1: UNPLACED},
    # frames without functional groups: it says "bogus spatial matrix" and stacks them all the same;
    # of JPEG 2000, Debian's decodes only the first frame right
    f"{CODES}/emri_small.dcm": {301: UNPLACED},
    f"{CODES}/emri_small_RLE.dcm": {301: UNPLACED},
    f"{CODES}/emri_small_big_endian.dcm": {301: UNPLACED},
    f"{CODES}/emri_small_jpeg_2k_lossless.dcm": {301: UNPLACED},
    f"{CODES}/emri_small_jpeg_2k_lossless_too_short.dcm": {301: UNPLACED},
    f"{CODES}/emri_small_jpeg_ls_lossless.dcm": {301: UNPLACED},
    # decimal_rescale.dcm names no study
    SIEMENS: {7: "image without StudyInstanceUID or SeriesInstanceUID"},
}
# what neither reads: csa_slice_norm.dcm has no pixel data, slicethickness_empty_string.dcm one picture, cut off
NEITHER = {SIEMENS: ["series 8 (*_*_*): an image cannot be decoded", f"series 100 (* *): {SINGLE}"]}
SERIES, VOLUMES = 34, 93
BLANKED = {SIEMENS}  # its owners set every pixel to one value: only the place says anything
# (2005,100E) makes floats of the stored integers; NIfTI holds their factor in single precision, as we hold the product
PHILIPS_SCALED = {f"{NOISE}/philips_enhanced/dti/001", f"{VENDORS}/philips-dwi-near-zero-b/cl_subset_gz"}
PHILIPS_RELATIVE = 1e-6
# Debian's is built without JPEG-LS, and reads no image of several fragments
DEBIAN_LACKS = {
    f"{NOISE}/generic/compressed_jpegls/001",
    "odd/fragmented-jpeg-j2k/5001_anat-T1w_acq-tfl",
    "odd/fragmented-jpeg-j2k/6001_anat-T1w_acq-tfl",
    f"{CODES}/emri_small_RLE.dcm",
    f"{CODES}/emri_small_jpeg_ls_lossless.dcm",
}


@dataclass(frozen=True)
class Read:
    """One volume of ours with the b-value that its images state."""

    b: float | None
    volume: Volume


def volumes_of(images: list[Header]) -> list[list[Header]]:
    """Single volumes, by b-value and then in order of acquisition; grouped without the code under test."""
    groups: dict[float, dict[tuple[float, ...], list[Header]]] = defaultdict(lambda: defaultdict(list))
    for image in sorted(images, key=lambda image: (image.instance_number or 0, image.frame)):
        b = image.b_value.value if image.b_value else 0.0
        groups[round(b, 3)][tuple(round(value, 1) for value in image.position_mm)].append(image)
    found: list[list[Header]] = []
    for b in sorted(groups):
        found += [list(volume) for volume in zip(*groups[b].values(), strict=True)]
    return found


def files_of(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(path for path in place.iterdir() if path.is_file())


def read_ours(place: Path) -> tuple[dict[int | None, list[Read]], list[str]]:
    """SeriesNumber -> volumes, and the reasons of what is refused."""
    images: list[Header] = []
    refused: list[str] = []
    for path in files_of(place):
        outcome = read_headers(path)
        if isinstance(outcome, Skipped):
            refused.append(outcome.reason)
        else:
            images += outcome
    series: dict[int | None, list[Read]] = {}
    for part in split_parts(images, default_rules()):
        number = part.images[0].series_number
        assert number not in series, "a series in two parts: the table must tell them apart"
        try:
            build_stack(part.images, repeats=True)
            volumes = [(images[0].b_value, read_volume(build_stack(images))) for images in volumes_of([*part.images])]
        except ReadingError as error:
            refused.append(str(error))
        else:
            series[number] = [Read(b.value if b else None, volume) for b, volume in volumes]
    return series, refused


NONE = pytest.param("", marks=pytest.mark.skip("no dcm2niix: pip install dcm2niix, or apt install dcm2niix"), id="none")


@pytest.fixture(params=[pytest.param(path, id=name) for name, path in binaries().items()] or [NONE])
def binary(request):
    if (version := version_of(request.param)) < PINNED and version != DEBIAN:
        pytest.skip(f"dcm2niix {version}: what it reads is known of {DEBIAN} and of {PINNED} or later")
    return request.param


@pytest.fixture(scope="module")
def mri(shared):
    return shared / "data" / "mri"


def assert_same(volume: Volume, image: nibabel.Nifti1Image, relative: float = 0.0) -> None:
    theirs = reorient(image, volume.affine)
    voxels = theirs.get_fdata()
    assert volume.voxels.shape == voxels.shape
    if relative:
        np.testing.assert_allclose(volume.voxels, voxels, rtol=relative, atol=0)
    else:
        assert np.array_equal(volume.voxels, voxels)
    assert_same_place(volume.affine, theirs.affine, voxels.shape)


def assert_same_place(ours: np.ndarray, theirs: np.ndarray, shape: tuple[int, ...]) -> None:
    off = ours - theirs
    assert np.abs(off).max() < 1e-3
    # an error of the axes grows with the index; positions are often written to 0.001 mm, which bounds what can agree
    corners = np.array([[x, y, z, 1] for x in (0, shape[0]) for y in (0, shape[1]) for z in (0, shape[2])])
    assert np.abs(off @ corners.T).max() < 2e-3


@pytest.mark.slow
@pytest.mark.parametrize("unit", sorted({*BOTH, *ONLY_DCM2NIIX}))
def test_every_series_that_both_read_is_equal(binary, mri, tmp_path, unit):
    ours, refused = read_ours(mri / unit)
    theirs = convert(binary, mri / unit, tmp_path)
    expected = set(BOTH.get(unit, {})) | set(ONLY_DCM2NIIX.get(unit, {}))
    lacks = version_of(binary) == DEBIAN and unit in DEBIAN_LACKS
    assert set(theirs) == (set() if lacks else expected)
    assert {number: len(volumes) for number, volumes in ours.items()} == BOTH.get(unit, {})
    for word in (*ONLY_DCM2NIIX.get(unit, {}).values(), *NEITHER.get(unit, [])):
        assert any(word in reason for reason in refused)
    for number in set(ours) & set(theirs):
        assert len(theirs[number].volumes) == len(ours[number])
        for read, image in zip(ours[number], theirs[number].volumes, strict=True):
            assert_same(read.volume, image, PHILIPS_RELATIVE if unit in PHILIPS_SCALED else 0.0)
            assert (np.ptp(read.volume.voxels) == 0) == (unit in BLANKED)
        if b_values := theirs[number].b_values:
            assert [read.b for read in ours[number]] == pytest.approx(b_values, abs=5e-4)


def test_no_series_drops_out(mri):
    assert sum(len(series) for series in BOTH.values()) == SERIES
    assert sum(sum(series.values()) for series in BOTH.values()) == VOLUMES
    roots = [mri / STUDY, mri / "odd", mri / "vendors"]
    dicom = {path for root in roots for path in root.rglob("*") if path.is_file() and _is_dicom(path)}
    places = {path if path.parent.name == "encodings" else path.parent for path in dicom}
    assert {place.relative_to(mri).as_posix() for place in places} == {*BOTH, *ONLY_DCM2NIIX}


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def test_canon_enhanced_equals_classic_and_the_nifti_beside_it(mri):
    enhanced, classic = (read_ours(mri / unit)[0][3000] for unit in (CANON, f"{CANON}/cl3000_subset_gz"))
    assert [read.b for read in classic] == [0, 1500]
    assert [read.b for read in enhanced] == [0, *[1500] * 12]
    for one, other in zip(classic, enhanced[:2], strict=True):
        assert np.array_equal(one.volume.voxels, other.volume.voxels)
        assert_same_place(one.volume.affine, other.volume.affine, one.volume.voxels.shape)
    beside = Converted.load(mri / CANON / "3000_DTI_PA-ortho_cl.nii.gz")
    assert beside.b_values == [read.b for read in enhanced]
    for read, image in zip(enhanced, beside.volumes, strict=True):
        assert_same(read.volume, image)


def test_directions_become_the_mean_of_dcm2niixs_volumes(mri):
    (part,) = split_parts(read_headers(mri / CANON / "3000.dcm"), default_rules())
    directions = [image for image in part.images if image.b_value.nominal == 1500]
    ours = read_volume(build_stack(directions, repeats=True))
    beside = Converted.load(mri / CANON / "3000_DTI_PA-ortho_cl.nii.gz")
    theirs = [reorient(image, ours.affine).get_fdata() for image in beside.volumes[1:]]
    with np.errstate(divide="ignore"):  # a product over directions is 0 where one of them is
        expected = np.exp(np.log(theirs).mean(axis=0))
    assert np.allclose(ours.voxels, expected, rtol=1e-5, atol=0)


def test_uih_mosaics_lie_as_dcm2niix_says_beside_them(mri):
    beside = mri / UIH / "dti_tra_dir16_AP_9_134431.json"
    said = json.loads(beside.read_text())
    b_values = [float(value) for value in beside.with_suffix(".bval").read_text().split()]
    reads = read_ours(mri / UIH / "dti_tra_dir16_AP_SaveBySlc__140028")[0][said["SeriesNumber"]]
    assert [read.b for read in reads] == pytest.approx(sorted(b_values), abs=5e-4)
    row, column = np.reshape(said["ImageOrientationPatientDICOM"], (2, 3))
    for read in reads:
        assert read.volume.voxels.shape == (64, 64, len(said["SliceTiming"]))
        axes = (LPS_TO_RAS @ read.volume.affine)[:3, :3] / read.volume.spacing_mm
        assert np.allclose(axes.T, [row, column, np.cross(row, column)], rtol=0, atol=1e-5)
        assert read.volume.spacing_mm[2] == pytest.approx(said["SpacingBetweenSlices"], abs=1e-3)


def nibabels(path: Path) -> tuple[np.ndarray, tuple[int, ...], dicomwrappers.MosaicWrapper]:
    """A Siemens mosaic by nibabel: affine (column, row, slice) -> RAS mm, shape, and the wrapper."""
    wrapper = dicomwrappers.wrapper_from_file(path)
    assert isinstance(wrapper, dicomwrappers.MosaicWrapper)
    rows, columns, slices = wrapper.image_shape
    return (LPS_TO_RAS @ wrapper.affine)[:, [1, 0, 2, 3]], (columns, rows, slices), wrapper


@pytest.mark.parametrize(
    "file", [f"{SIEMENS}/siemens_dwi_0.dcm", f"{SIEMENS}/siemens_dwi_1000.dcm", SIEMENS_FMRI, f"{SIEMENS_FMRI}:1"]
)
def test_siemens_mosaics_equal_nibabels(mri, file):
    place, _, index = file.partition(":")
    path = files_of(mri / place)[int(index or 0)]
    ((read,),) = read_ours(path)[0].values()
    affine, _, wrapper = nibabels(path)
    voxels = wrapper.get_data().swapaxes(0, 1).astype(np.float32)
    assert_same(read.volume, nibabel.Nifti1Image(voxels, affine))


def test_a_siemens_mosaic_without_pixels_lies_as_nibabel_says(mri):
    path = mri / SIEMENS / "csa_slice_norm.dcm"
    grid = build_stack(read_headers(path)).grid
    affine, shape, _ = nibabels(path)
    theirs = reorient(nibabel.Nifti1Image(np.zeros(shape, np.uint8), affine), grid.affine)
    assert theirs.shape == grid.shape
    assert_same_place(grid.affine, theirs.affine, grid.shape)
