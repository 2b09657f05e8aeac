"""From tissue to signal: diffusion decay, its inverse, and the noise of magnitude images."""

from collections.abc import Sequence

import numpy as np


def diffusion_signal(s0: np.ndarray, adc: np.ndarray, b: float) -> np.ndarray:
    """S(b) = S0 exp(-b ADC), the mono-exponential model (Stejskal and Tanner 1965).

    Args:
        s0: signal without diffusion weighting.
        adc: apparent diffusion coefficient in mm2/s.
        b: diffusion weighting in s/mm2.

    Example:
        >>> float(diffusion_signal(np.array(1000.0), np.array(0.001), 1000).round(1))
        367.9
    """
    return s0 * np.exp(-b * adc)


def fit_diffusion(signals: Sequence[np.ndarray], b_values: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """S0 and ADC by log-linear least squares over the b-values; signals below 1 count as 1.

    Returns:
        S0 and ADC (mm2/s, never below 0).
    """
    logs = np.log(np.maximum(np.stack([np.asarray(signal, dtype=np.float64) for signal in signals]), 1.0))
    b = np.asarray(b_values, dtype=np.float64)
    centred = b - b.mean()
    adc = np.maximum(-np.tensordot(centred, logs, axes=1) / (centred @ centred), 0.0)
    return np.exp(logs.mean(axis=0) + b.mean() * adc), adc


def rician(signal: np.ndarray, sigma: float, generator: np.random.Generator) -> np.ndarray:
    """|signal + complex Gaussian noise|: the noise of magnitude MRI (Gudbjartsson and Patz 1995, eq. 1).

    Args:
        signal: the image without noise, not negative.
        sigma: standard deviation of each of the two channels; 0 returns the signal.
        generator: the source of the noise.
    """
    if sigma == 0:
        return signal
    real = signal + np.float32(sigma) * generator.standard_normal(signal.shape, dtype=np.float32)
    imaginary = np.float32(sigma) * generator.standard_normal(signal.shape, dtype=np.float32)
    return np.hypot(real, imaginary)
