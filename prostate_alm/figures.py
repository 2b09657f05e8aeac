"""The typed result that every figure is: a number never travels without its interval, its cases and its kind."""

import math
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["oracle", "locked"]


@dataclass(frozen=True)
class Figure:
    """One figure of a report.

    Args:
        name: what was measured, for example `FPR@0FN`.
        value: the estimate; None if it is undefined, and then `method` says why.
        interval: lower and upper bound, or None if there is none.
        confidence: coverage of the interval, in (0, 1).
        n1: positives that it rests on.
        n0: negatives that it rests on.
        kind: `oracle` if it was read off the very cases it describes (any threshold was chosen on them),
            `locked` if the threshold was fixed beforehand on other cases.
        method: how value and interval were made, or why there are none.

    Raises:
        ValueError: if the value or a bound is not finite, the bounds are out of order, the confidence is outside
            (0, 1), a count is negative or the kind is unknown.

    Example:
        >>> print(Figure("FPR@0FN", 0.3125, (0.2024, 0.4406), 0.95, 36, 64, "oracle", "Clopper-Pearson"))
        FPR@0FN 0.31 [0.20, 0.44] (oracle, n1 = 36, n0 = 64)
        >>> print(Figure("FPR@0FN", None, None, 0.95, 0, 64, "oracle", "no positives"))
        FPR@0FN undefined: no positives (oracle, n1 = 0, n0 = 64)
    """

    name: str
    value: float | None
    interval: tuple[float, float] | None
    confidence: float
    n1: int
    n0: int
    kind: Kind
    method: str

    def __post_init__(self) -> None:
        numbers = [number for number in (self.value, *(self.interval or ())) if number is not None]
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"{self.name}: value and interval must be finite, got {self.value} and {self.interval}")
        if self.interval is not None and self.interval[0] > self.interval[1]:
            raise ValueError(f"{self.name}: the interval {self.interval} is out of order")
        if not 0 < self.confidence < 1:
            raise ValueError(f"{self.name}: confidence {self.confidence} is outside (0, 1)")
        if min(self.n1, self.n0) < 0:
            raise ValueError(f"{self.name}: counts cannot be negative, got n1 = {self.n1}, n0 = {self.n0}")
        if self.kind not in ("oracle", "locked"):
            raise ValueError(f"{self.name}: kind is oracle or locked, not {self.kind!r}")

    def as_dict(self) -> dict[str, Any]:
        """The figure as `metrics.json` holds it.

        Example:
            >>> Figure("AUC", 0.9, (0.8, 0.95), 0.95, 36, 64, "oracle", "DeLong").as_dict()["interval"]
            [0.8, 0.95]
        """
        return {
            "name": self.name,
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "confidence": self.confidence,
            "n1": self.n1,
            "n0": self.n0,
            "kind": self.kind,
            "method": self.method,
        }

    def __str__(self) -> str:
        cases = f"({self.kind}, n1 = {self.n1}, n0 = {self.n0})"
        if self.value is None:
            return f"{self.name} undefined: {self.method} {cases}"
        interval = "" if self.interval is None else f" [{self.interval[0]:.2f}, {self.interval[1]:.2f}]"
        return f"{self.name} {self.value:.2f}{interval} {cases}"
