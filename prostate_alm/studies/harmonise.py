"""Other b-values -> b 100, 600 and 1000 by a mono-exponential fit.

S(b) = S0 exp(-b ADC), by least squares on log S, voxel by voxel (Stejskal and Tanner 1965; DWI consensus of Padhani
et al., Neoplasia 2009). b = 0 takes no part: perfusion lifts it above the exponential.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from prostate_alm.studies.bvalues import CANONICAL_B_VALUES
from prostate_alm.studies.geometry import ReadingError
from prostate_alm.studies.rules import CheckRules


@dataclass(frozen=True)
class Fit:
    """Log-linear least squares: log S = log_s0 - b adc.

    Args:
        log_s0: (X, Y, Z).
        adc: (X, Y, Z), mm^2/s.
        residual: median over the foreground of |S fitted - S| / S; None if two b-values leave none.
    """

    log_s0: np.ndarray
    adc: np.ndarray
    residual: float | None
    foreground: np.ndarray

    def at(self, b: float) -> np.ndarray:
        """The fitted signal at a b-value (s/mm^2), float32."""
        return np.exp(self.log_s0 - b * self.adc).astype(np.float32)


def foreground_of(signal: np.ndarray) -> np.ndarray:
    """Voxels above a fifth of the 99th percentile: tissue, not air.

    Args:
        signal: the image with the lowest b-value.
    """
    return signal > 0.2 * np.percentile(signal, 99)


def fit(signals: Mapping[float, np.ndarray]) -> Fit:
    """Fit every voxel.

    Args:
        signals: b-value (s/mm^2, above zero, at least two) -> image (X, Y, Z).

    Raises:
        ReadingError: if there are fewer than two b-values above zero.
    """
    b_values = np.array(sorted(signals), dtype=np.float64)
    if len(b_values) < 2 or b_values[0] <= 0:
        raise ReadingError("harmonisation needs at least two acquired b-values above 0")
    images = np.stack([signals[b] for b in sorted(signals)]).astype(np.float64)
    floor = max(1e-3 * float(np.percentile(images[0], 99)), np.finfo(np.float32).tiny)
    logs = np.log(np.maximum(images, floor))
    centred = b_values - b_values.mean()
    adc = -np.tensordot(centred, logs, axes=1) / (centred @ centred)
    log_s0 = logs.mean(axis=0) + b_values.mean() * adc
    foreground = foreground_of(images[0])
    residual = None
    if len(b_values) > 2 and foreground.any():
        fitted = log_s0 - b_values.reshape(-1, 1, 1, 1) * adc
        residual = float(np.median(np.abs(np.expm1(fitted - logs))[:, foreground]))
    return Fit(log_s0, adc, residual, foreground)


def harmonise(
    acquired: Mapping[int, tuple[float, np.ndarray]], limits: CheckRules
) -> tuple[dict[int, np.ndarray], dict[str, object]]:
    """Compute the canonical b-values that were not acquired.

    Args:
        acquired: nominal b-value -> (stated b-value, image (X, Y, Z)).
        limits: how far the fit may be carried, and what counts as a fit.

    Returns:
        The computed images by b-value, and the provenance: `method`, `acquired_b`, `b_values` (canonical b-value ->
        `acquired`, `interpolated` or `extrapolated`), `median_adc_mm2_per_s`, `median_relative_residual` (None: two
        b-values leave no residual to check).

    Raises:
        ReadingError: fewer than two b-values above zero, a canonical one out of reach, or a fit that does not hold.
    """
    usable = {b: image for nominal, (b, image) in acquired.items() if nominal > 0}
    result = fit(usable)
    how = {
        str(b): "acquired" if b in acquired else _reach(b, min(usable), max(usable), limits) for b in CANONICAL_B_VALUES
    }
    median = float(np.median(result.adc[result.foreground])) if result.foreground.any() else 0.0
    low, high = limits.fit_adc_mm2_per_s
    if not low <= median <= high:
        raise ReadingError(
            f"harmonisation: the median ADC of {median * 1e3:.2f}e-3 mm^2/s is not that of tissue "
            f"({low * 1e3:g} to {high * 1e3:g}e-3)"
        )
    if result.residual is not None and result.residual > limits.max_fit_residual:
        raise ReadingError(
            f"harmonisation: the signal does not fall mono-exponentially (median residual {result.residual:.0%}, "
            f"at most {limits.max_fit_residual:.0%} allowed)"
        )
    provenance: dict[str, object] = {
        "method": "mono-exponential, log-linear least squares",
        "acquired_b": sorted(usable),
        "b_values": how,
        "median_adc_mm2_per_s": median,
        "median_relative_residual": result.residual,
    }
    return {b: result.at(b) for b in CANONICAL_B_VALUES if b not in acquired}, provenance


def _reach(b: float, lowest: float, highest: float, limits: CheckRules) -> str:
    if lowest <= b <= highest:
        return "interpolated"
    if b > limits.max_extrapolation_above * highest or b < lowest - limits.max_extrapolation_below:
        raise ReadingError(
            f"harmonisation: b{b:g} is too far from the acquired range, b{lowest:g} to b{highest:g}, to extrapolate"
        )
    return "extrapolated"
