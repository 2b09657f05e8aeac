"""Harmonisation: the fit against an independent solution, and every refusal."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prostate_alm.studies.geometry import ReadingError
from prostate_alm.studies.harmonise import fit, foreground_of, harmonise
from prostate_alm.studies.rules import default_rules

LIMITS = default_rules().checks

SHAPE = (6, 5, 4)


def signals(b_values, *, adc=1.2e-3, s0=1000.0, noise=0.0, seed=0):
    generator = np.random.default_rng(seed)
    amplitude = s0 * generator.uniform(0.8, 1.2, SHAPE)
    return {b: (float(b), amplitude * np.exp(-b * adc) * (1 + noise * generator.normal(size=SHAPE))) for b in b_values}


def test_the_fit_equals_lstsq_voxel_by_voxel():
    images = {b: image for b, (_, image) in signals((50, 400, 800), noise=0.05).items()}
    result = fit(images)
    design = np.array([[1, -b] for b in images])
    for index in np.ndindex(SHAPE):
        expected = np.linalg.lstsq(design, np.log([image[index] for image in images.values()]), rcond=None)[0]
        assert [result.log_s0[index], result.adc[index]] == pytest.approx(expected, rel=1e-6)


@given(st.floats(0.3e-3, 3.0e-3), st.permutations([50, 400, 800]))
def test_a_mono_exponential_signal_is_recovered(adc, order):
    truth = signals((50, 100, 400, 600, 800, 1000), adc=adc)
    computed, provenance = harmonise({b: truth[b] for b in order}, LIMITS)
    assert sorted(computed) == [100, 600, 1000]
    for b, image in computed.items():
        assert image == pytest.approx(truth[b][1], rel=1e-4)
    assert provenance["b_values"] == {"100": "interpolated", "600": "interpolated", "1000": "extrapolated"}
    assert provenance["median_adc_mm2_per_s"] == pytest.approx(adc)
    assert provenance["median_relative_residual"] == pytest.approx(0, abs=1e-6)


def test_b0_takes_no_part():
    truth = signals((0, 50, 400, 800, 1000))
    lifted = {b: truth[b] for b in (50, 400, 800)} | {0: (0.0, 5 * truth[0][1])}
    computed, provenance = harmonise(lifted, LIMITS)
    assert computed[1000] == pytest.approx(truth[1000][1], rel=1e-4)
    assert provenance["acquired_b"] == [50, 400, 800]


def test_acquired_images_are_not_replaced():
    computed, provenance = harmonise(signals((100, 400, 800)), LIMITS)
    assert sorted(computed) == [600, 1000]
    assert provenance["b_values"]["100"] == "acquired"


def test_two_b_values_leave_no_residual():
    assert harmonise(signals((50, 800)), LIMITS)[1]["median_relative_residual"] is None


def test_the_stated_b_value_counts_not_the_nominal():
    truth = signals((47.0, 400.0, 800.0, 1000.0))
    computed, _ = harmonise({50: truth[47.0], 400: truth[400.0], 800: truth[800.0]}, LIMITS)
    assert computed[1000] == pytest.approx(truth[1000.0][1], rel=1e-4)


def test_air_and_zeros_stay_finite():
    acquired = {b: (value, image.copy()) for b, (value, image) in signals((50, 400, 800)).items()}
    for _, image in acquired.values():
        image[:2] = 0
    computed, _ = harmonise(acquired, LIMITS)
    assert all(np.isfinite(image).all() for image in computed.values())


@pytest.mark.parametrize(
    ("b_values", "reason"),
    [
        ((800,), "at least two acquired b-values above 0"),
        ((0, 800), "at least two acquired b-values above 0"),
        ((50, 700), "b1000 is too far"),
        ((50, 400), "b600 is too far"),
        ((400, 800), "b100 is too far"),
    ],
)
def test_what_cannot_be_fitted_is_refused(b_values, reason):
    with pytest.raises(ReadingError, match=reason):
        harmonise(signals(b_values), LIMITS)


@pytest.mark.parametrize("adc", [0.0, 0.1e-3, 5e-3])
def test_an_adc_that_no_tissue_has_is_refused(adc):
    with pytest.raises(ReadingError, match="not that of tissue"):
        harmonise(signals((50, 400, 800), adc=adc), LIMITS)


def test_a_signal_that_is_not_mono_exponential_is_refused():
    acquired = signals((50, 400, 800))
    acquired[400] = (400.0, acquired[400][1] * 2.0)
    with pytest.raises(ReadingError, match="does not fall mono-exponentially"):
        harmonise(acquired, LIMITS)


def test_foreground_is_tissue():
    body = np.zeros((10, 10, 2))
    body[2:8, 2:8] = 500
    assert np.array_equal(foreground_of(body), body > 0)
