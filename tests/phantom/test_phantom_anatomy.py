from dataclasses import replace

import numpy as np
import pytest

from prostate_alm.phantom.findings import LESION, LOOK_ALIKES, draw_finding
from prostate_alm.phantom.protocol import Noise, acquire, place_grids
from prostate_alm.phantom.signal import diffusion_signal
from prostate_alm.phantom.study import StudyPlan, ground_truth

PLAN = StudyPlan(index=4, label=1, dialect="siemens", seed=2)


@pytest.mark.parametrize("index", [1, 2, 3])
def test_the_cyst_is_brightest_where_its_landmark_says_on_both_grids(index: int):
    plan = replace(PLAN, index=index)
    anatomy = replace(plan.anatomy(), finding=None)
    landmark = np.array(ground_truth(plan)["landmarks_lps_mm"]["utricle_cyst"])
    t2w_grid, dwi_grid = place_grids(anatomy, np.random.default_rng(index))
    s0, adc = anatomy.diffusion(dwi_grid)
    for grid, image in ((t2w_grid, anatomy.t2w(t2w_grid)), (dwi_grid, diffusion_signal(s0, adc, 100))):
        column, row, slice_ = np.round(grid.index(landmark)).astype(int)
        assert image[slice_, row, column] == pytest.approx(image.max(), rel=0.15)
        brightest = np.unravel_index(image.argmax(), image.shape)
        assert np.linalg.norm(grid.position_mm(*brightest[::-1]) - landmark) < 4.5


def test_signal_follows_the_diffusion_of_the_tissue():
    anatomy = replace(PLAN.anatomy(), heterogeneity=0.0, finding=None)
    series = {one.kind: one for one in acquire(anatomy, (50, 400, 800), PLAN.generator(3), Noise(0.0, 0.0))}
    frames = series["dwi"].frames
    column, row, slice_ = np.round(frames[0].grid.index(anatomy.cyst.centre_mm)).astype(int)
    values = {frame.b_value: float(frame.pixels[row, column]) for frame in frames if frame.slice_index == slice_}
    assert set(values) == {50, 400, 800}
    for b in (400, 800):
        adc = np.log(values[50] / values[b]) / (b - 50)
        assert adc == pytest.approx(anatomy.cyst.tissue.adc, rel=0.02)
    adc_map = next(frame for frame in series["adc"].frames if frame.slice_index == slice_)
    assert float(adc_map.pixels[row, column]) * 1e-6 == pytest.approx(anatomy.cyst.tissue.adc, rel=0.02)


def test_lesion_is_dark_on_t2w_and_holds_diffusion_back_and_look_alikes_less():
    anatomy = PLAN.anatomy()
    assert anatomy.finding is not None
    assert anatomy.finding.kind == "lesion"
    t2w_grid, dwi_grid = place_grids(anatomy, np.random.default_rng(0))
    without = replace(anatomy, finding=None)
    at = tuple(np.round(t2w_grid.index(anatomy.finding.centre_mm)).astype(int)[::-1])
    assert anatomy.t2w(t2w_grid)[at] < without.t2w(t2w_grid)[at]
    at = tuple(np.round(dwi_grid.index(anatomy.finding.centre_mm)).astype(int)[::-1])
    assert anatomy.diffusion(dwi_grid)[1][at] < without.diffusion(dwi_grid)[1][at]
    assert all(tissue.adc > 1.4 * LESION.adc for tissue in LOOK_ALIKES.values())


def test_conspicuity_scales_and_stops_at_one():
    prostate = PLAN.anatomy().prostate

    def strength(conspicuity: float) -> float:
        finding = draw_finding(PLAN.generator(1), positive=True, conspicuity=conspicuity, prostate=prostate)
        assert finding is not None
        return finding.body.strength

    assert strength(0.0) == 0
    assert strength(0.5) == pytest.approx(2 * strength(0.25))
    assert strength(50.0) == 1


@pytest.mark.parametrize("seed", range(20))
def test_findings_lie_in_the_prostate(seed: int):
    anatomy = replace(PLAN, seed=seed).anatomy()
    assert anatomy.finding is not None
    offset = anatomy.prostate.axes @ (anatomy.finding.centre_mm - anatomy.prostate.centre_mm)
    assert np.linalg.norm(offset / anatomy.prostate.semi_axes_mm) < 0.95


def test_some_negatives_carry_a_look_alike_and_some_nothing():
    kinds = [ground_truth(replace(PLAN, label=0, index=index))["finding"] for index in range(1, 41)]
    assert {None if kind is None else kind["kind"] for kind in kinds} == {None, *LOOK_ALIKES}


def test_placement_differs_between_the_grids_and_between_studies():
    pairs = [place_grids(PLAN.anatomy(), np.random.default_rng(seed)) for seed in range(8)]
    for t2w_grid, dwi_grid in pairs:
        assert t2w_grid.spacing_mm == (0.5, 0.5, 3.0)
        assert dwi_grid.spacing_mm[:2] == (2.0, 2.0)
        assert np.linalg.norm(t2w_grid.centre_mm - dwi_grid.centre_mm) > 0.1
        for grid in (t2w_grid, dwi_grid):
            degrees = np.rad2deg(np.arccos(grid.axes[2, 2]))
            assert 0.1 < degrees < 15
    assert len({t2w_grid.axes.tobytes() for t2w_grid, _ in pairs}) == 8
