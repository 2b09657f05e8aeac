"""What every test of two models on the same cases gives."""

from dataclasses import dataclass

from prostate_alm.figures import Figure


@dataclass(frozen=True)
class PairedTest:
    """A difference between two models on the same cases, with its p-value.

    Args:
        difference: figure of the first model minus figure of the second.
        p_value: two-sided, in [0, 1]; 1 for identical rankings; None if undefined (`difference.method` says why).
        adjustment: for how many tests the p-value is adjusted, and how; `none` if it is not.

    Raises:
        ValueError: if the p-value is outside [0, 1] or NaN.

    Example:
        >>> difference = Figure("AUC difference", 0.04, (0.01, 0.07), 0.95, 36, 64, "oracle", "paired DeLong")
        >>> PairedTest(difference, 0.02).adjustment
        'none'
    """

    difference: Figure
    p_value: float | None
    adjustment: str = "none"

    def __post_init__(self) -> None:
        if self.p_value is not None and not 0 <= self.p_value <= 1:
            raise ValueError(f"{self.difference.name}: the p-value must be within [0, 1], got {self.p_value}")
