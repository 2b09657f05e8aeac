import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prostate_alm.phantom.grid import AXIAL, CORONAL, SAGITTAL, Grid, rotation
from prostate_alm.phantom.structures import Ellipsoid, Texture, Tissue

TILTED = Grid(np.array([5.0, -7.0, 40.0]), rotation((7.0, -3.0, 2.0)), (2.0, 2.0, 3.5), (30, 24, 9))


@given(st.tuples(st.floats(-20, 20), st.floats(-20, 20), st.floats(-5, 5)))
def test_index_undoes_position(index: tuple[float, float, float]):
    np.testing.assert_allclose(TILTED.index(TILTED.position_mm(*index)), index, atol=1e-9)


@pytest.mark.parametrize("axes", [AXIAL, SAGITTAL, CORONAL, rotation((5.0, 3.0, -2.0))])
def test_axes_are_right_handed_and_orthonormal(axes: np.ndarray):
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.cross(axes[0], axes[1]), axes[2], atol=1e-12)


def test_projection_is_the_position_of_each_voxel():
    direction = np.array([0.3, -0.5, 0.8])
    values = TILTED.projection(direction)
    assert values.shape == (9, 24, 30)
    for column, row, slice_ in [(0, 0, 0), (29, 23, 8), (4, 17, 5)]:
        assert values[slice_, row, column] == pytest.approx(
            TILTED.position_mm(column, row, slice_) @ direction, abs=1e-4
        )


def test_box_of_a_body_holds_all_of_it_and_cuts_nothing():
    body = Ellipsoid(
        Tissue(1, 1, 0.001), np.array([9.0, -12.0, 42.0]), np.array([8.0, 5.0, 6.0]), rotation((20, 30, 10))
    )
    everywhere = body.weight(TILTED, (slice(None), slice(None), slice(None)))
    inside = np.zeros_like(everywhere)
    box = body.box(TILTED)
    inside[box] = body.weight(TILTED, box)
    np.testing.assert_allclose(inside, everywhere, atol=1e-6)
    assert everywhere.max() == 1
    assert inside[box].size < everywhere.size / 2


def test_weight_of_a_body_adds_up_to_its_volume():
    grid = Grid(np.zeros(3), AXIAL, (0.5, 0.5, 0.5), (60, 60, 60))
    body = Ellipsoid(Tissue(1, 1, 0.001), np.zeros(3), np.array([9.0, 6.0, 7.0]), rotation((10, 20, 30)), strength=0.5)
    volume = body.weight(grid, body.box(grid)).sum() * 0.5**3
    assert volume == pytest.approx(0.5 * 4 / 3 * np.pi * 9 * 6 * 7, rel=0.03)


def test_texture_has_mean_zero_and_variance_one_and_depends_on_the_patient_alone():
    texture = Texture.draw(np.random.default_rng(5), wavelengths_mm=(5.0, 10.0))
    grid = Grid(np.zeros(3), AXIAL, (1.0, 1.0, 1.0), (80, 80, 80))
    values = texture.sample(grid)
    assert values.mean() == pytest.approx(0, abs=0.05)
    assert values.std() == pytest.approx(1, rel=0.1)
    moved = Grid(np.array([1.0, 0.0, 0.0]), AXIAL, (1.0, 1.0, 1.0), (80, 80, 80))
    np.testing.assert_allclose(texture.sample(moved)[:, :, :-1], values[:, :, 1:], atol=1e-3)
