"""Volume files become the volume that a scanner's slices give: same voxels, same place, whatever axes were stored."""

import gzip

import dicom_factory
import nibabel
import numpy as np
import pytest
import volume_factory
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from prostate_alm.studies import find_studies
from prostate_alm.studies.geometry import ReadingError, build_stack
from prostate_alm.studies.volumes import Volume, read_volume

AFFINE = np.array([[-0.5, 0, 0, 40], [0, -0.5, 0, 30], [0, 0, 3, -20], [0, 0, 0, 1.0]])
FORMATS = ["a.nii", "a.nii.gz", "a.mha", "a.mhd", "a.nrrd", "a.nhdr"]
PLANES = {"axial": dicom_factory.AXIAL, "sagittal": dicom_factory.SAGITTAL, "coronal": dicom_factory.CORONAL}


def voxels_of(shape=(6, 5, 4), seed=0):
    return np.random.default_rng(seed).integers(0, 4000, shape).astype(np.int16)


def volume_of(folder):
    (study,) = find_studies(folder)
    return read_volume(build_stack(study.files))


def same(ours, expected):
    return np.array_equal(ours.voxels, expected.voxels) and np.abs(ours.affine - expected.affine).max() < 1e-3


@pytest.fixture(scope="module", params=list(PLANES))
def scanned(request, tmp_path_factory):
    """An oblique series in one plane, as our reader of DICOM gives it."""
    turn = Rotation.from_euler("xyz", (8, -5, 12), degrees=True)
    axes = tuple(tuple(turn.apply(axis).round(9)) for axis in PLANES[request.param])
    series = dicom_factory.series(
        "1.2.3", 1, "t2", "ORIGINAL\\PRIMARY", voxels=voxels_of((6, 5, 7)), spacing=(0.75, 0.75, 3.5), axes=axes,
        centre=(12.5, -33.25, 7.125),
    )  # fmt: skip
    for image in series:
        image.PixelSpacing = ["0.75", "0.75"]
    return volume_of(dicom_factory.save(series, tmp_path_factory.mktemp(request.param)))


@pytest.mark.parametrize(("axes", "flips"), volume_factory.AXIAL_TURNS)
def test_any_order_of_axes_equals_the_scan(scanned, tmp_path, axes, flips):
    stored = volume_factory.turned(scanned.voxels.astype(np.int16), scanned.affine, axes, flips)
    volume_factory.write(tmp_path / "a.nii", *stored)
    assert same(volume_of(tmp_path), scanned)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("axes", "flips"), [((0, 1, 2), (0, 0, 0)), ((2, 0, 1), (1, 0, 1)), ((1, 0, 2), (0, 1, 0))])
def test_every_format_equals_the_scan(scanned, tmp_path, name, axes, flips):
    stored = volume_factory.turned(scanned.voxels.astype(np.int16), scanned.affine, axes, flips)
    volume_factory.write(tmp_path / name, *stored)
    assert same(volume_of(tmp_path), scanned)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("name", ["a.nii", "a.mha", "a.nrrd"])
def test_every_kind_of_number(tmp_path, name, dtype):
    voxels = (voxels_of() % 120).astype(dtype)
    volume_factory.write(tmp_path / name, voxels, AFFINE)
    assert np.array_equal(volume_of(tmp_path).voxels, voxels)


def test_voxels_in_the_other_byte_order(tmp_path):
    path = volume_factory.write_itk(tmp_path / "a.mha", voxels_of(), AFFINE, compress=False)
    content = path.read_bytes().replace(b"ByteOrderMSB = False", b"ByteOrderMSB = True")
    path.write_bytes(content[: -voxels_of().nbytes] + voxels_of().T.astype(">i2").tobytes())
    assert np.array_equal(volume_of(tmp_path).voxels, voxels_of())


def test_uncompressed_voxels_are_read_too(tmp_path):
    for name in ("a.mha", "b.nrrd"):
        volume_factory.write_itk(tmp_path / name, voxels_of(), AFFINE, compress=False)
    (study,) = find_studies(tmp_path)
    assert len(study.files) == 8
    for images in (study.files[:4], study.files[4:]):
        assert np.array_equal(read_volume(build_stack(images)).voxels, voxels_of())


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
def test_both_versions_and_byte_orders_of_nifti(tmp_path, kind, order):
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.int16)
    kind(voxels_of(), AFFINE, header).to_filename(tmp_path / "a.nii.gz")
    assert np.array_equal(volume_of(tmp_path).voxels, voxels_of())


def test_the_scale_of_a_nifti_applies(tmp_path):
    volume_factory.write(tmp_path / "a.nii", voxels_of(), AFFINE)
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[112:120] = np.array([2.5, -7], "<f4").tobytes()  # scl_slope, scl_inter
    (tmp_path / "a.nii").write_bytes(content)
    assert np.array_equal(volume_of(tmp_path).voxels, voxels_of().astype(np.float32) * 2.5 - 7)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1e-3), ("mm", 1), ("unknown", 1), ("micron", 1e3)])
@pytest.mark.parametrize("code", [(1, 0), (0, 1), (1, 1), (2, 1)])
def test_sform_or_qform_in_any_unit(tmp_path, unit, factor, code):
    affine = np.diag([factor, factor, factor, 1]) @ AFFINE
    image = nibabel.Nifti1Image(voxels_of(), affine)
    image.header.set_xyzt_units(unit)
    image.set_sform(affine, code=code[0])
    image.set_qform(affine, code=code[1])
    image.to_filename(tmp_path / "a.nii")
    assert np.abs(volume_of(tmp_path).affine - AFFINE).max() < 1e-3


def test_alike_steps_leave_the_slices_as_they_are_stored(tmp_path):
    volume_factory.write(tmp_path / "a.nii", voxels_of((4, 5, 6)), np.diag([-1, -1, 1, 1.0]))
    assert volume_of(tmp_path).grid.shape == (4, 5, 6)


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [(0, 1, "no usable ImageOrientationPatient"), (1, 2, "tilted"), (0, 2, "tilted")],
)
def test_a_shear_is_refused_by_geometry(tmp_path, row, column, reason):
    affine = AFFINE.copy()
    affine[row, column] = 0.2
    image = nibabel.Nifti1Image(voxels_of(), affine)
    image.set_qform(None, code=0)
    image.to_filename(tmp_path / "a.nii")
    with pytest.raises(ReadingError, match=reason):
        volume_of(tmp_path)


def test_volumes_of_a_4d_file_follow_each_other(tmp_path):
    voxels = voxels_of((6, 5, 4, 3))
    path = volume_factory.write(tmp_path / "a.nii.gz", *volume_factory.turned(voxels, AFFINE, (1, 2, 0), (1, 0, 1)))
    volume_factory.beside(path, b_values=[50, 400, 800])
    (study,) = find_studies(tmp_path)
    assert [image.frame for image in study.files] == list(range(12))
    assert {image.frames for image in study.files} == {12}
    for index, b in enumerate((50, 400, 800)):
        images = [image for image in study.files if image.b_value.nominal == b]
        assert {image.b_value.source for image in images} == {".bval"}
        assert same(read_volume(build_stack(images)), Volume(voxels[..., index].astype(np.float32), AFFINE))


def test_the_index_reads_headers_only(tmp_path, monkeypatch):
    for name in FORMATS:
        volume_factory.write(tmp_path / name[2:].replace(".", "") / name, voxels_of(), AFFINE)
    volume_factory.write(tmp_path / "large" / "a.nii.gz", np.zeros((300, 300, 100), np.int16), AFFINE)
    taken = []
    read = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda file, size=-1: taken.append(size) or read(file, size))
    assert len(find_studies(tmp_path)) == len(FORMATS) + 1
    assert max(taken) < 1000
    assert min(taken) > 0


@given(
    turn=st.tuples(*[st.floats(-180, 180)] * 3),
    centre=st.tuples(*[st.floats(-200, 200)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 5)] * 3),
    order=st.sampled_from(volume_factory.AXIAL_TURNS),
    name=st.sampled_from(["a.nii", "a.mha", "a.nrrd"]),
    data=st.data(),
)
def test_a_landmark_in_millimetres_survives(tmp_path_factory, turn, centre, spacing, order, name, data):
    shape = (5, 4, 6)
    landmark = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
    voxels = np.full(shape, 10, np.int16)
    voxels[landmark] = 1000
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * spacing
    affine[:3, 3] = centre
    folder = tmp_path_factory.mktemp("landmark")
    volume_factory.write(folder / name, *volume_factory.turned(voxels, affine, *order))
    volume = volume_of(folder)
    index = np.unravel_index(volume.voxels.argmax(), volume.voxels.shape)
    assert volume.affine @ [*index, 1] == pytest.approx(affine @ [*landmark, 1], abs=0.01)
