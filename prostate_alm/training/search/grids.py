"""The grids that a search goes through: the paper's, or a site's own from a file."""

import math
import re
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from prostate_alm.errors import NoInputError, UsageError
from prostate_alm.training.parameters import own_parameter, share_expression

PENALTY_AND_GROWTH = ((0.2, 3.0), (0.2, 4.0), (0.3, 2.0), (0.3, 3.0), (0.3, 4.0))


@dataclass(frozen=True)
class Grids:
    """What a search chooses from, in the order in which ties are settled; the default is the paper's.

    Args:
        margin: of S-ML and A-ML, in logits.
        gamma: of S-FL and A-FL.
        weight: of a positive in W-BCE: a number, or a fraction, which is a share of the class ratio N of the training
            cases.
        beta: of CB-BCE, in [0, 1).
        penalty_and_growth: pairs of mu(0) and rho, tried at the first delta.
        delta: ALM's margin in logits, tried once mu(0) and rho are chosen.

    Example:
        >>> Grids().values("s-fl"), Grids().values("bce")
        ((1.0, 2.0, 4.0, 5.0), (None,))
    """

    margin: tuple[float, ...] = (0.1, 0.5, 2.0, 4.0)
    gamma: tuple[float, ...] = (1.0, 2.0, 4.0, 5.0)
    weight: tuple[float | Fraction, ...] = (Fraction(1, 3), Fraction(2, 3), Fraction(1))
    beta: tuple[float, ...] = (0.99, 0.999, 0.9999)
    penalty_and_growth: tuple[tuple[float, float], ...] = PENALTY_AND_GROWTH
    delta: tuple[float, ...] = (1.0, 1.5, 2.0)

    def values(self, loss: str) -> tuple[float | Fraction | None, ...]:
        """Candidates of a base loss's own parameter; (None,) where it has none."""
        own = own_parameter(loss)
        return (None,) if own is None else getattr(self, own)

    def parameters(self, loss: str) -> list[dict[str, Any]]:
        """The same as overrides of a bundle's config, one mapping for each candidate.

        Example:
            >>> Grids().parameters("w-bce")[0]
            {'base_loss::weight': '$@class_counts[0] / @class_counts[1] * 1 / 3'}
        """
        return [
            {}
            if value is None
            else {
                f"base_loss::{own_parameter(loss)}": share_expression(value) if isinstance(value, Fraction) else value
            }
            for value in self.values(loss)
        ]

    def constraints(self) -> list[dict[str, float]]:
        """Candidates of (mu(0), rho) at the first delta, as overrides of a bundle's config."""
        return [
            {"penalty": penalty, "growth": growth, "margin": self.delta[0]}
            for penalty, growth in self.penalty_and_growth
        ]


NAMES = tuple(field.name for field in fields(Grids))


def load_grids(path: Path) -> Grids:
    """Read grids from a YAML or JSON file; what it leaves out stays the paper's.

    `weight` takes numbers and shares such as `2N/3`; `penalty_and_growth` takes pairs.

    Args:
        path: for example a file that says `margin: [0.5]` and `delta: [1.0, 2.0]`.

    Raises:
        NoInputError: if the file cannot be read.
        UsageError: if a name is unknown, or a grid is empty, holds a value twice or something else than its numbers;
            names it.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NoInputError(f"grid file {path} cannot be read ({error}); write it as YAML or JSON") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path.name} holds no grids; write lines such as 'margin: [0.5, 2.0]'")
    for name in content:
        if name not in NAMES:
            raise UsageError(f"{path.name}: {name} is no grid; it knows {', '.join(NAMES)}")
    return Grids(**{name: _grid(f"{path.name}: {name}", name, values) for name, values in content.items()})


def _grid(where: str, name: str, values: Any) -> tuple[Any, ...]:
    grid = _values(where, name, values)
    if len(set(grid)) < len(grid):  # two trainings of one folder would disturb each other
        raise UsageError(f"{where} holds a value twice: {values!r}")
    return grid


def _values(where: str, name: str, values: Any) -> tuple[Any, ...]:
    if not isinstance(values, list) or not values:
        raise UsageError(f"{where} is a list of at least one value, not {values!r}")
    if name == "penalty_and_growth":
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in values):
            raise UsageError(f"{where} is a list of pairs [mu(0), rho], not {values!r}")
        return tuple((_number(where, penalty), _number(where, growth)) for penalty, growth in values)
    return tuple(_weight(where, value) if name == "weight" else _number(where, value) for value in values)


def _number(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        raise UsageError(f"{where}: {value!r} is not a number of 0 or more")
    return float(value)


def _weight(where: str, value: Any) -> float | Fraction:
    share = re.fullmatch(r"(\d*)N(?:/([1-9]\d*))?", value) if isinstance(value, str) else None
    if share is None:
        return _number(where, value)
    return Fraction(int(share[1] or 1), int(share[2] or 1))
