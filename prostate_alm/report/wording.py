"""How a figure is written for people: percentages for rates, three decimals for AUC, never without its interval."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prostate_alm.figures import Figure
from prostate_alm.metrics import PairedTest

ARM_NAMES = {"base": "Base", "continued": "Continued", "alm": "ALM", "aucm": "AUCM"}
ROLES = {
    "missed": "missed",
    "needless": "given contrast without need",
    "lowest positive": "needs contrast, nearest the threshold",
}
"""Why a case is shown."""
ARM_NOTES = {
    "base": "the base loss alone",
    "continued": "the base loss, trained on as long as ALM",
    "aucm": "MONAI's AUC margin loss, from the base's checkpoint, as long as ALM",
    "alm": "the base loss with the augmented Lagrangian constraint",
}


@dataclass(frozen=True)
class Written:
    """A figure as text: `value`, `interval` (empty if there is none) and the `method` behind both."""

    value: str
    interval: str
    method: str


def rate(figure: Figure) -> Written:
    """A rate in per cent.

    Example:
        >>> rate(Figure("FPR", 0.3125, (0.2024, 0.4406), 0.95, 36, 64, "locked", "Clopper-Pearson")).interval
        '20.2 to 44.1%'
    """
    return _written(figure, scale=100, digits=1, unit="%")


def area(figure: Figure) -> Written:
    """An AUC, with three decimals."""
    return _written(figure, scale=1, digits=3, unit="")


def count(figure: Figure) -> Written:
    """Patients per 100, with one decimal."""
    return _written(figure, scale=1, digits=1, unit="")


def fixed(value: float, digits: int = 3) -> str:
    """A number with so many decimals, without the minus of a zero; scores have three.

    Example:
        >>> fixed(-0.0004), fixed(-0.31249, 2)
        ('0.000', '-0.31')
    """
    return f"{value:z.{digits}f}"


def upper_bound(figure: Figure) -> str:
    """The upper end of a rate's interval in per cent; `undefined` if there is none."""
    return "undefined" if figure.interval is None else f"{100 * figure.interval[1]:.1f}%"


def p_value(p: float | None) -> str:
    """A p value as journals print it.

    Example:
        >>> [p_value(p) for p in (0.04321, 0.00001, None)]
        ['p = 0.043', 'p < 0.001', 'p undefined']
    """
    if p is None:
        return "p undefined"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def difference(test: PairedTest) -> str:
    """A difference of rates in percentage points, of areas as it is.

    Example:
        >>> figure = Figure("FPR@0FN difference", -0.125, None, 0.95, 36, 64, "oracle", "permutation")
        >>> difference(PairedTest(figure, 0.02))
        '-12.5 points'
    """
    figure = test.difference
    if figure.value is None:
        return "undefined"
    return f"{figure.value:+.3f}" if figure.name.startswith("AUC") else f"{100 * figure.value:+.1f} points"


def arm_name(arm: str) -> str:
    """How an arm is called in text."""
    return ARM_NAMES.get(arm, arm)


def flat(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested provenance as (name, text) rows: `{"model": {"name": "x"}}` gives `model: name`.

    Example:
        >>> flat({"model": {"sha256": "ab", "members": [1, 2]}, "seed": 3, "note": None})
        [('model: sha256', 'ab'), ('model: members', '1, 2'), ('seed', '3'), ('note', 'none')]
    """
    rows: list[tuple[str, str]] = []
    for key, value in content.items():
        name = f"{prefix}{str(key).replace('_', ' ')}"
        if isinstance(value, Mapping):
            rows += flat(value, f"{name}: ")
        elif isinstance(value, list | tuple):
            rows.append((name, ", ".join(map(str, value)) or "none"))
        else:
            rows.append((name, "none" if value is None or value == "" else str(value)))
    return rows


def _written(figure: Figure, *, scale: int, digits: int, unit: str) -> Written:
    if figure.value is None:
        return Written("undefined", "", figure.method)
    value = f"{fixed(scale * figure.value, digits)}{unit}"
    if figure.interval is None:
        return Written(value, "no interval", figure.method)
    low, high = figure.interval
    if low == high:
        return Written(value, "interval degenerate", figure.method)
    return Written(value, f"{fixed(scale * low, digits)} to {fixed(scale * high, digits)}{unit}", figure.method)
