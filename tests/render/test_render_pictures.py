"""Key pictures: a landmark of the patient is where a radiologist expects it, however the voxels are stored."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from prostate_alm.errors import NoInputError
from prostate_alm.render.pictures import View, key_pictures
from prostate_alm.studies.volumes import Volume

CENTRE = np.array([12.0, -30.0, 45.0])
T2, DWI = ((60, 50, 12), (2.0, 2.4, 3.0)), ((44, 40, 10), (3.1, 2.7, 3.6))
TURNS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))
EDGE = 24
PLAIN = View(width_mm=100.0, pixels=100)  # one pixel is one millimetre


def off(right, front, head):
    """A place in RAS mm, that far to the patient's right, front and head from CENTRE."""
    return CENTRE + np.array([right, front, head])


def ball(grid, place, *, tilt=0.0, radius=5.0, floor=10.0):
    """A bright ball at a place in RAS mm, on a grid around CENTRE that is tilted about the left-right axis."""
    shape, spacing = grid
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = CENTRE - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    places = np.einsum("ij,jxyz->xyzi", affine[:3, :3], np.indices(shape)) + affine[:3, 3]
    bright = np.linalg.norm(places - place, axis=-1) < radius
    return Volume(np.where(bright, 100.0, floor).astype(np.float32), affine)


def stored(volume, axes, signs):
    """The same volume with its axes in another order and direction."""
    voxels, affine = np.transpose(volume.voxels, axes), volume.affine[:, [*axes, 3]].copy()
    for axis, sign in enumerate(signs):
        if sign < 0:
            voxels = np.flip(voxels, axis)
            affine[:3, 3] += affine[:3, axis] * (voxels.shape[axis] - 1)
            affine[:3, axis] *= -1
    return Volume(voxels, affine)


def grey(picture):
    return np.asarray(Image.open(io.BytesIO(picture.png)))


def brightest(picture):
    """Middle of the bright ball as (column, row); the burnt-in words at the edge do not count."""
    rows, columns = np.nonzero(inside(picture) > 200)
    return columns.mean() + EDGE, rows.mean() + EDGE


def inside(picture):
    """What is left without the edge, where words are burnt in."""
    return grey(picture)[EDGE:-EDGE, EDGE:-EDGE]


@pytest.mark.parametrize(("axes", "signs"), TURNS)
def test_right_is_left_and_anterior_is_up_however_the_voxels_are_stored(axes, signs):
    place = off(20.0, 15.0, 3.0)
    volume = stored(ball(T2, place), axes, signs)
    (picture,) = key_pictures({"t2w": volume}, View(width_mm=100.0, pixels=100, at_mm=tuple(place)))
    assert brightest(picture) == pytest.approx((49.5 - 20, 49.5 - 15), abs=1.5)


def test_the_order_of_the_axes_does_not_change_a_pixel():
    volumes = [stored(ball(T2, off(9.0, -7.0, 4.5)), axes, signs) for axes, signs in TURNS]
    assert len({key_pictures({"t2w": volume}, PLAIN)[0].png for volume in volumes}) == 1


@pytest.mark.parametrize("tilt", [0.0, np.radians(20)])
@pytest.mark.parametrize(("axes", "signs"), [((0, 1, 2), (-1, -1, 1)), ((2, 0, 1), (1, -1, -1))])
def test_t2_and_diffusion_show_one_place_of_the_patient(tilt, axes, signs):
    place = off(-18.0, -12.0, 6.0)
    volumes = {"t2w": ball(T2, place, tilt=tilt), "dwi_b1000": stored(ball(DWI, place, radius=6), axes, signs)}
    t2w, b1000 = key_pictures(volumes, View(width_mm=100.0, pixels=100, at_mm=tuple(place)))
    assert (t2w.sequence, b1000.sequence) == ("t2w", "dwi_b1000")
    assert t2w.height_mm == b1000.height_mm
    assert brightest(t2w) == pytest.approx(brightest(b1000), abs=1.5)
    assert brightest(t2w)[0] == pytest.approx(49.5 + 18, abs=1.5)


def test_pixels_are_square_in_millimetres_whatever_the_spacing():
    volume = ball(((100, 30, 9), (1.0, 3.5, 4.0)), CENTRE, radius=20)
    rows, columns = np.nonzero(inside(key_pictures({"t2w": volume}, PLAIN)[0]) > 128)
    assert np.ptp(columns) == pytest.approx(40, abs=4)
    assert np.ptp(rows) == pytest.approx(40, abs=4)


@pytest.mark.parametrize("height", [-9.0, -3.0, 6.0])
def test_the_slice_is_where_b1000_shines(height):
    place = off(10.0, 10.0, height)
    volumes = {"t2w": ball(T2, CENTRE), "dwi_b100": ball(DWI, CENTRE, radius=1), "dwi_b1000": ball(DWI, place)}
    assert key_pictures(volumes, PLAIN)[0].height_mm == pytest.approx(place[2], abs=3.0)


def test_without_diffusion_or_signal_it_is_the_middle_slice():
    flat = Volume(np.zeros(DWI[0], np.float32), ball(DWI, CENTRE).affine)
    for volumes in ({"t2w": ball(T2, CENTRE)}, {"t2w": ball(T2, CENTRE), "dwi_b1000": flat}):
        assert key_pictures(volumes, PLAIN)[0].height_mm == pytest.approx(CENTRE[2], abs=1.6)


def test_a_slice_that_diffusion_does_not_cover_is_not_chosen():
    b1000 = ball(DWI, off(0, 0, 9))
    short = Volume(b1000.voxels[:, :, 5:], b1000.affine @ [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 5], [0, 0, 0, 1]])
    flat = Volume(np.full_like(short.voxels, 7.0), short.affine)
    picture = key_pictures({"t2w": ball(T2, CENTRE), "dwi_b1000": flat}, PLAIN)[0]
    assert CENTRE[2] < picture.height_mm < CENTRE[2] + 18


def test_several_slices_run_from_foot_to_head_and_end_with_the_volume():
    volumes = {"t2w": ball(T2, CENTRE), "dwi_b1000": ball(DWI, CENTRE)}
    view = View(slices=3, step_mm=6.0, at_mm=tuple(CENTRE))
    heights = [picture.height_mm for picture in key_pictures(volumes, view)]
    assert heights[0::2] == heights[1::2]
    assert np.diff(heights[0::2]) == pytest.approx([6.0, 6.0])
    top = View(slices=3, at_mm=(12.0, -30.0, 500.0))
    assert len(key_pictures(volumes, top)) == 4


def test_greys_span_the_slice_and_outliers_do_not_count():
    volume = ball(T2, CENTRE)
    volume.voxels[::2, ::2] += np.linspace(0, 80, volume.voxels[::2, ::2].size).reshape(volume.voxels[::2, ::2].shape)
    plain = grey(key_pictures({"t2w": volume}, PLAIN)[0])
    assert plain.dtype == np.uint8
    assert (plain.min(), plain.max()) == (0, 255)
    volume.voxels[30, 25, 6] = 1e9
    volume.voxels[3, 3, 6] = np.inf
    volume.voxels[4, 3, 6] = np.nan
    assert np.abs(grey(key_pictures({"t2w": volume}, PLAIN)[0]).astype(int) - plain).mean() < 5


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_a_constant_volume_is_a_picture_too(value):
    constant = Volume(np.full((40, 40, 4), value, np.float32), np.diag([4.0, 4.0, 4.0, 1.0]))
    assert len(np.unique(inside(key_pictures({"t2w": constant}, PLAIN)[0]))) == 1


def test_captions_say_what_is_shown_and_files_are_small_and_repeatable(tmp_path):
    generator = np.random.default_rng(0)
    noise = Volume(generator.rayleigh(100, (256, 256, 6)).astype(np.float32), np.diag([-0.5, -0.5, 3.0, 1.0]))
    volumes = {"t2w": noise.save(tmp_path / "t2w.nii.gz"), "dwi_b1000": noise}
    one, other = key_pictures(volumes), key_pictures(volumes)
    assert [picture.caption for picture in one] == [f"{name}, axial, z 9.0 mm" for name in ("T2", "DWI b1000")]
    assert [picture.png for picture in one] == [picture.png for picture in other]
    assert max(len(picture.png) for picture in one) < 37_000  # noise is the worst case
    assert Image.open(io.BytesIO(one[0].png)).size == (192, 192)


def test_what_cannot_be_shown_is_left_out_and_what_cannot_be_read_is_named(tmp_path):
    assert key_pictures({}) == []
    assert key_pictures({"adc": ball(T2, CENTRE)}) == []
    assert [one.sequence for one in key_pictures({"dwi_b1000": ball(DWI, CENTRE)})] == ["dwi_b1000"]
    (tmp_path / "t2w.nii.gz").write_bytes(b"nothing")
    with pytest.raises(NoInputError, match="cannot be read"):
        key_pictures({"t2w": tmp_path / "t2w.nii.gz"})


@pytest.mark.parametrize(
    ("shape", "affine"),
    [((4, 4, 0), np.eye(4)), ((4, 4, 4), np.zeros((4, 4))), ((4, 4, 4), np.diag([1.0, np.nan, 1.0, 1.0]))],
)
def test_a_volume_without_extent_is_refused(shape, affine):
    with pytest.raises(NoInputError, match="no extent"):
        key_pictures({"t2w": Volume(np.ones(shape, np.float32), affine)})


@pytest.mark.parametrize("wrong", [{"slices": 0}, {"step_mm": -1.0}, {"width_mm": 0.0}, {"pixels": 0}])
def test_a_view_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="positive"):
        View(**wrong)
