"""How a figure is written for people: percentages for rates, three decimals for AUC, never without its interval."""

import math
import re
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
NO_PICTURES = {
    "not asked": "none was asked for",
    "not given": "no T2 or b1000 volume came with the case",
    "unreadable": "the volumes cannot be read",
}
"""Why a case has none."""
NO_PICTURES_AT_ALL = NO_PICTURES | {
    "not asked": "none were asked for, as for one of many runs",
    "not given": "no T2 or b1000 volumes came with the cases",
}
ANEW = "if the cut-off were chosen anew for each weight"
DEGENERATE = "no usable interval: its width is 0, the true uncertainty is larger"
_NOTHING = 1e-9  # what rounding alone leaves of 0
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
    """A rate in per cent; one that is neither 0 nor 100 is never written as such.

    Example:
        >>> rate(Figure("FPR", 0.3125, (0.2024, 0.4406), 0.95, 36, 64, "locked", "Clopper-Pearson")).interval
        '20.2 to 44.1%'
        >>> rate(Figure("sensitivity", 0.9999, (0.9994, 1.0), 0.95, 10000, 64, "locked", "Clopper-Pearson")).value
        '> 99.9%'
    """
    return _written(figure, Scale(100, 1, "%", 100))


def area(figure: Figure) -> Written:
    """An AUC, or another number of its size, with three decimals."""
    return _written(figure, Scale(1, 3, "", 1 if figure.name == "AUC" else None))


def count(figure: Figure) -> Written:
    """Patients per 100, with one decimal."""
    return _written(figure, Scale(1, 1, "", 100))


def one_in(figure: Figure) -> str:
    """Patients per 100 as one in so many; empty for nobody.

    Example:
        >>> one_in(Figure("scans wrongly avoided", 0.04, (0.01, 0.1), 0.95, 30, 60, "locked", "Clopper-Pearson"))
        '1 in 2500 patients'
    """
    return f"1 in {math.floor(100 / figure.value + 0.5)} patients" if figure.value and figure.value > _NOTHING else ""


def fixed(value: float, digits: int = 3) -> str:
    """A number with so many decimals, without the minus of a zero; scores have three.

    Example:
        >>> fixed(-0.0004), fixed(-0.31249, 2)
        ('0.000', '-0.31')
    """
    return f"{value:z.{digits}f}"


def bounded(value: float, digits: int, top: float | None = None) -> str:
    """A number with so many decimals, which never says 0 of what is more, nor `top` of what is less.

    Args:
        value: as it is written, per cent for instance.
        digits: after the point.
        top: the largest value there can be; None if there is none.

    Example:
        >>> bounded(0.02, 1, 100), bounded(0.0, 1, 100), bounded(99.97, 1, 100), bounded(100.0, 1, 100)
        ('< 0.1', '0.0', '> 99.9', '100.0')
    """
    text, least = fixed(value, digits), 10.0**-digits
    if value > _NOTHING and float(text) == 0:
        return f"< {fixed(least, digits)}"
    if top is not None and value < top - _NOTHING and float(text) == top:
        return f"> {fixed(top - least, digits)}"
    return text


def upper_bound(figure: Figure) -> str:
    """The upper end of a rate's interval in per cent; `undefined` if there is none."""
    return "undefined" if figure.interval is None else f"{bounded(100 * figure.interval[1], 1, 100)}%"


def plain(method: str) -> str:
    """Why there is no figure, in words for readers who know no program.

    Example:
        >>> plain("needs 0 <= misses < positives, got 1 misses and 1 positives")
        'needs at least 2 positives'
        >>> plain("DeLong; no interval: it needs two cases of each class")
        'it needs two cases of each class'
    """
    told = re.fullmatch(r"needs 0 <= misses < positives, got (\d+) misses and \d+ positives", method)
    return f"needs at least {int(told[1]) + 1} positives" if told else method.rpartition("no interval: ")[2]


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


@dataclass(frozen=True)
class Scale:
    """How numbers of a kind are written.

    Args:
        factor: by which they are multiplied.
        digits: after the point.
        unit: that follows.
        top: the largest there can be, as it is written; None if there is none.
    """

    factor: int
    digits: int
    unit: str
    top: float | None


def _written(figure: Figure, scale: Scale) -> Written:
    def text(value: float) -> str:
        return bounded(scale.factor * value, scale.digits, scale.top)

    if figure.value is None:
        return Written("undefined", "", plain(figure.method))
    value = f"{text(figure.value)}{scale.unit}"
    if figure.interval is None:
        return Written(value, f"no interval: {plain(figure.method)}", figure.method)
    low, high = figure.interval
    if low == high:
        return Written(value, DEGENERATE, figure.method)
    return Written(value, f"{text(low)} to {text(high)}{scale.unit}", figure.method)
