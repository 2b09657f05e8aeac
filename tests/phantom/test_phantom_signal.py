import numpy as np
import pytest

from prostate_alm.phantom.signal import diffusion_signal, fit_diffusion, rician


def test_fit_returns_what_the_decay_was_made_of():
    adc = np.array([0.0003, 0.001, 0.003])
    signals = [diffusion_signal(np.full(3, 4000.0), adc, b) for b in (50, 400, 800)]
    fitted_s0, fitted_adc = fit_diffusion(signals, (50, 400, 800))
    np.testing.assert_allclose(fitted_adc, adc, rtol=1e-9)
    np.testing.assert_allclose(fitted_s0, 4000, rtol=1e-9)


def test_fit_agrees_with_polyfit_under_noise():
    generator = np.random.default_rng(0)
    signals = generator.uniform(10, 1000, (3, 5))
    slopes, heights = np.polyfit((100, 600, 1000), np.log(signals), 1)
    fitted_s0, fitted_adc = fit_diffusion(list(signals), (100, 600, 1000))
    rising = slopes > 0  # such a fit is no diffusion: the ADC stops at 0
    np.testing.assert_allclose(fitted_adc, np.where(rising, 0, -slopes), atol=1e-12)
    np.testing.assert_allclose(fitted_s0[~rising], np.exp(heights)[~rising])


def test_noise_without_signal_is_rayleigh():
    noise = rician(np.zeros(200_000, dtype=np.float32), 18.0, np.random.default_rng(1))
    assert noise.mean() == pytest.approx(18 * np.sqrt(np.pi / 2), rel=0.01)
    assert noise.var() == pytest.approx(18**2 * (2 - np.pi / 2), rel=0.02)


@pytest.mark.parametrize("signal", [5.0, 30.0, 500.0])
def test_second_moment_of_rician_noise(signal: float):
    noisy = rician(np.full(200_000, signal, dtype=np.float32), 18.0, np.random.default_rng(2))
    assert np.mean(noisy.astype(float) ** 2) == pytest.approx(signal**2 + 2 * 18**2, rel=0.01)


def test_no_noise_is_the_signal_itself():
    signal = np.arange(5, dtype=np.float32)
    assert (rician(signal, 0.0, np.random.default_rng(3)) == signal).all()
