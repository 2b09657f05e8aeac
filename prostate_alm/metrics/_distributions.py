# pyright: basic
"""The few things of scipy that the figures need, with types (scipy ships none)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betaincinv, expit, log_expit, logit, ndtr, ndtri
from scipy.stats import rankdata

CONFIDENCE = 0.95


def midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, ties sharing the mean of their ranks."""
    return np.asarray(rankdata(values, method="average"), dtype=np.float64)


def clopper_pearson(count: int, total: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact two-sided interval of a proportion (Clopper & Pearson 1934), by beta quantiles; `total` at least 1."""
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(betaincinv(count, total - count + 1, tail))
    high = 1.0 if count == total else float(betaincinv(count + 1, total - count, 1 - tail))
    return low, high


def upper_bound(count: int, total: int, confidence: float = CONFIDENCE) -> float:
    """Exact one-sided upper bound of a proportion; 1 - (1 - confidence)^(1/total) if `count` is 0."""
    return 1.0 if count == total else float(betaincinv(count + 1, total - count, confidence))


def normal_interval(value: float, deviation: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """`value` plus and minus the normal quantile times `deviation`."""
    half = float(ndtri(0.5 + confidence / 2)) * deviation
    return value - half, value + half


def logit_interval(value: float, deviation: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The normal interval made on the logit scale by the delta method, so that it stays inside (0, 1)."""
    low, high = normal_interval(float(logit(value)), deviation / (value * (1 - value)), confidence)
    return float(expit(low)), float(expit(high))


def two_sided_p(z: float) -> float:
    """Probability that a standard normal lies as far from 0 as `z`."""
    return 2 * float(ndtr(-abs(z)))


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """s(z) = 1/(1 + exp(-z)), without overflow."""
    return np.asarray(expit(values), dtype=np.float64)


def log_sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """log s(z), without overflow or cancellation."""
    return np.asarray(log_expit(values), dtype=np.float64)


def log_odds(probability: float) -> float:
    """log(p/(1 - p)), p in (0, 1)."""
    return float(logit(probability))


def root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function is 0, between two places of opposite sign (Brent 1973)."""
    place, _ = brentq(rising, low, high, maxiter=2000, full_output=True)  # 2,000 halve even 1e300
    return float(place)
