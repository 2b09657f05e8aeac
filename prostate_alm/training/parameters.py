"""The hyper-parameters by the paper's names, and where each stands in a bundle's config."""

import re
from fractions import Fraction

from prostate_alm.losses import BASE_LOSSES

CONSTRAINT = {"mu": "penalty", "rho": "growth", "delta": "margin"}
"""The paper's name of a setting of ALM -> its config id."""

_CLASS_RATIO = "$@class_counts[0] / @class_counts[1]"  # of the training cases: the paper's N
_SHARE = re.compile(rf"{re.escape(_CLASS_RATIO)}(?: \* (\d+) / (\d+))?")


def own_parameter(loss: str) -> str | None:
    """The name of a base loss's own parameter, which is its config id below `base_loss`; None if it has none.

    Example:
        >>> own_parameter("s-ml"), own_parameter("w-bce"), own_parameter("bce")
        ('margin', 'weight', None)
    """
    return next((name for name in BASE_LOSSES[loss] if name not in ("_target_", "class_counts")), None)


def share_expression(share: Fraction) -> str:
    """W-BCE's weight as a share of the class ratio N of the training cases, as a bundle's config says it.

    Example:
        >>> share_expression(Fraction(2, 3))
        '$@class_counts[0] / @class_counts[1] * 2 / 3'
    """
    return _CLASS_RATIO if share == 1 else f"{_CLASS_RATIO} * {share.numerator} / {share.denominator}"


def share_name(share: Fraction) -> str:
    """A share of N as the paper writes it.

    Example:
        >>> share_name(Fraction(2, 3)), share_name(Fraction(1))
        ('2N/3', 'N')
    """
    times = "" if share.numerator == 1 else f"{share.numerator}"
    return f"{times}N" + ("" if share.denominator == 1 else f"/{share.denominator}")


def named(value: float | str) -> float | str:
    """A value of a config as the paper writes it: a share of N by its name, anything else as it is.

    Example:
        >>> named(share_expression(Fraction(1, 3))), named(0.5)
        ('N/3', 0.5)
    """
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    return value if found is None else share_name(Fraction(int(found[1] or 1), int(found[2] or 1)))
