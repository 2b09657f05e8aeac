"""Geometry: one grid out of positions, or an error that names series and positions."""

from dataclasses import replace

import dicom_factory
import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from prostate_alm.studies import find_studies
from prostate_alm.studies.geometry import ReadingError, build_stack, plane_of
from prostate_alm.studies.volumes import Volume, read_volume


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Headers of a small axial series, by height."""
    folder = dicom_factory.save(dicom_factory.study()["t2"], tmp_path_factory.mktemp("t2"))
    return sorted(find_studies(folder)[0].files, key=lambda image: image.position_mm[2])


def moved(image, *, by):
    return replace(image, position_mm=tuple(np.add(image.position_mm, by)))


def test_file_order_and_instance_numbers_do_not_matter(images):
    stack, mixed = build_stack(images), build_stack([images[index] for index in (3, 0, 5, 1, 4, 2)])
    assert [group[0].sop_uid for group in stack.slices] == [group[0].sop_uid for group in mixed.slices]
    assert stack.grid.shape == (24, 24, 6)
    assert stack.grid.spacing_mm == pytest.approx((2, 2, 8))


def test_a_gap_names_series_and_positions(images):
    with pytest.raises(
        ReadingError, match=r"series 4 \(t2_tse_tra\): a gap \(missing slice\) between .*-4\.0\) mm and"
    ):
        build_stack([*images[:3], *images[4:]])


def test_a_doubled_position_is_refused(images):
    with pytest.raises(ReadingError, match="2 images at one position"):
        build_stack([*images, images[2]])


def test_uneven_repeats_are_refused(images):
    assert len(build_stack([*images, *images], repeats=True).slices[0]) == 2
    with pytest.raises(ReadingError, match=r"1 images at .*, 2 at the other positions"):
        build_stack([*images, *images[1:]], repeats=True)


def test_uneven_spacing_is_refused(images):
    with pytest.raises(ReadingError, match="uneven spacing between"):
        build_stack([*images[:-1], moved(images[-1], by=(0, 0, -0.5))])


def test_a_tilt_is_refused(images):
    with pytest.raises(ReadingError, match="tilted"):
        build_stack([moved(image, by=(0, 0.5 * index, 0)) for index, image in enumerate(images)])


def test_mixed_orientations_are_refused(images):
    with pytest.raises(ReadingError, match="mixed orientations"):
        build_stack([*images[:-1], replace(images[-1], orientation=(1, 0, 0, 0, 0.99, -0.141067))])


def test_mixed_matrices_are_refused(images):
    with pytest.raises(ReadingError, match="mixed matrices, 24x24 and 32x24"):
        build_stack([*images[:-1], replace(images[-1], columns=32)])


def test_mixed_spacings_are_refused(images):
    with pytest.raises(ReadingError, match="mixed pixel spacings"):
        build_stack([*images[:-1], replace(images[-1], pixel_spacing_mm=(2.0, 2.1))])


@pytest.mark.parametrize(
    "change",
    [{"orientation": ()}, {"position_mm": ()}, {"pixel_spacing_mm": ()}, {"pixel_spacing_mm": (0.0, 2.0)},
     {"orientation": (1, 0, 0, 0.5, 0.5, 0)}, {"orientation": (2, 0, 0, 0, 2, 0)}],
)  # fmt: skip
def test_missing_or_impossible_geometry_is_refused(images, change):
    with pytest.raises(ReadingError, match="no usable"):
        build_stack([*images[:-1], replace(images[-1], **change)])


def test_one_slice_is_no_volume(images):
    with pytest.raises(ReadingError, match="all images lie at one position"):
        build_stack(images[:1])


def test_images_side_by_side_are_refused(images):
    beside = [moved(image, by=(60, 0, 0)) for image in images]
    with pytest.raises(ReadingError, match="beside each other"):
        build_stack([*images, *beside], repeats=True)


@pytest.mark.parametrize(
    ("axes", "plane"),
    [(dicom_factory.AXIAL, "axial"), (dicom_factory.SAGITTAL, "sagittal"), (dicom_factory.CORONAL, "coronal")],
)
@pytest.mark.parametrize(("angle", "near"), [(0, True), (30, True), (44, False)])
def test_the_plane_is_named_within_tolerance(images, axes, plane, angle, near):
    turn = Rotation.from_rotvec(np.radians(angle) * np.array(axes[0]))
    orientation = (*turn.apply(axes[0]), *turn.apply(axes[1]))
    assert plane_of(replace(images[0], orientation=orientation), 35.0) == (plane if near else "oblique")


def test_a_plane_without_orientation_is_unknown(images):
    assert plane_of(replace(images[0], orientation=()), 35.0) == "unknown"


@given(
    turn=st.tuples(*[st.floats(-180, 180)] * 3),
    centre=st.tuples(*[st.floats(-200, 200)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 5)] * 3),
    data=st.data(),
)
def test_a_landmark_in_millimetres_survives(tmp_path_factory, turn, centre, spacing, data):
    """A bright voxel, placed in LPS mm by the definition of PS3.3 C.7.6.2.1.1, is found at the same point in RAS mm."""
    axes = tuple(map(tuple, Rotation.from_euler("xyz", turn, degrees=True).as_matrix().T[:2].round(9)))
    shape = (5, 4, 6)
    landmark = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
    voxels = np.full(shape, 10.0)
    voxels[landmark] = 1000
    first, steps, _ = dicom_factory.grid(shape, spacing, axes, centre)
    lps = first + steps @ np.array(landmark)
    place = {"spacing": spacing, "axes": axes, "centre": centre}
    files = dicom_factory.series("1.2.3", 1, "t2", "ORIGINAL\\PRIMARY", voxels=voxels, **place)
    for image in files:
        image.PixelSpacing = [f"{spacing[1]:.8f}", f"{spacing[0]:.8f}"]
    folder = dicom_factory.save(files, tmp_path_factory.mktemp("landmark"))
    volume = read_volume(build_stack(find_studies(folder)[0].files))
    written = nibabel.load(volume.save(folder / "volume.nii.gz"))
    for array, affine in ((volume.voxels, volume.affine), (written.get_fdata(), written.affine)):
        index = np.unravel_index(array.argmax(), shape)
        assert affine @ [*index, 1] == pytest.approx([-lps[0], -lps[1], lps[2], 1], abs=2e-3)


def test_an_image_that_was_exported_twice_does_not_weigh_double(tmp_path):
    """Of two directions, one stands there a second time under another UID: the mean is that of the two."""
    one, other = np.full((5, 4, 3), 10.0), np.full((5, 4, 3), 40.0)
    files = [
        image
        for number, voxels in enumerate((one, other, other), start=1)
        for image in dicom_factory.series("1.2.3", number, "dwi", "ORIGINAL\\PRIMARY", voxels=voxels)
    ]
    images = find_studies(dicom_factory.save(files, tmp_path / "dwi"))[0].files
    assert len(images) == 9
    volume = read_volume(build_stack(images, repeats=True))
    assert volume.voxels == pytest.approx(np.full((5, 4, 3), 20.0), rel=1e-6)  # the root of 10 times 40


def test_a_volume_survives_its_file(tmp_path):
    affine = np.array([[-0.5, 0, 0.1, 3], [0, -0.5, 0, 2], [0.02, 0, 3, 1], [0, 0, 0, 1.0]])
    volume = Volume(np.arange(60, dtype=np.float32).reshape(5, 4, 3), affine)
    loaded = Volume.load(volume.save(tmp_path / "a.nii.gz"))
    assert np.array_equal(loaded.voxels, volume.voxels)
    assert loaded.affine == pytest.approx(affine, abs=1e-5)
    assert (tmp_path / "a.nii.gz").read_bytes() == volume.save(tmp_path / "b.nii.gz").read_bytes()
