"""Where a row's hyper-parameters come from: the paper's own choice (Table 8), or grids that are searched."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from prostate_alm.cifar10.published import paper_rows
from prostate_alm.cifar10.trainings import PARAMETERS, Constraint
from prostate_alm.cohort import parse_class_ratio
from prostate_alm.errors import UsageError
from prostate_alm.training.search.grids import Grids

GRIDS = Grids()


class Candidates(Protocol):
    """What a row chooses from.

    Attributes:
        name: of the set of results, and of its folder.
        margins: candidates of delta, tried once mu(0) and rho are chosen; none leaves what the constraint has.
    """

    @property
    def name(self) -> str: ...

    @property
    def margins(self) -> tuple[float, ...]: ...

    def parameters(self, loss: str, class_ratio: str) -> tuple[float | None, ...]:
        """Of the base loss's own parameter; None where it has none."""
        ...

    def constraints(self, loss: str, class_ratio: str) -> tuple[Constraint, ...]:
        """Of mu(0) and rho."""
        ...


@dataclass(frozen=True)
class Published:
    """The paper's choices: one candidate each.

    Example:
        >>> Published().parameters("W-BCE", "1:9"), Published().constraints("BCE", "1:2")
        ((9.0,), (Constraint(penalty=0.2, growth=4.0, margin=2.0),))
    """

    name: str = "paper"
    margins: tuple[float, ...] = ()

    def parameters(self, loss: str, class_ratio: str) -> tuple[float | None, ...]:
        """The paper's; `N` in it stands for the class ratio.

        Raises:
            UsageError: if the paper has none for this loss and ratio.
        """
        row = _table8(loss, class_ratio, alm=False)
        if loss not in PARAMETERS:
            return (None,)
        text = row[PARAMETERS[loss]]
        shares = {"N/3": Fraction(1, 3), "2N/3": Fraction(2, 3), "N": Fraction(1)}
        if text in shares:
            return (float(shares[text] * Fraction(parse_class_ratio(class_ratio))),)
        return (float(text),)

    def constraints(self, loss: str, class_ratio: str) -> tuple[Constraint, ...]:
        """The paper's mu(0), rho and delta.

        Raises:
            UsageError: if the paper has none for this loss and ratio.
        """
        row = _table8(loss, class_ratio, alm=True)
        return (Constraint(float(row["mu"]), float(row["rho"]), float(row["delta"])),)


PUBLISHED = Published()


@dataclass(frozen=True)
class Searched:
    """The paper's grids.

    Example:
        >>> Searched().parameters("W-BCE", "1:9")
        (3.0, 6.0, 9.0)
    """

    name: str = "search"
    margins: tuple[float, ...] = GRIDS.delta

    def parameters(self, loss: str, class_ratio: str) -> tuple[float | None, ...]:
        """The grid of the loss's own parameter."""
        if loss not in PARAMETERS:
            return (None,)
        times = Fraction(parse_class_ratio(class_ratio)) if PARAMETERS[loss] == "weight" else 1
        return tuple(float(value * times) for value in GRIDS.values(loss.lower()) if value is not None)

    def constraints(self, loss: str, class_ratio: str) -> tuple[Constraint, ...]:  # noqa: ARG002 (one grid for all)
        """The grid of mu(0) and rho, at the first margin."""
        return tuple(Constraint(penalty, growth, self.margins[0]) for penalty, growth in GRIDS.penalty_and_growth)


def _table8(loss: str, class_ratio: str, *, alm: bool) -> dict[str, str]:
    for row in paper_rows(8):
        if (row["class_ratio"], row["loss"], row["alm"]) == (class_ratio, loss, str(alm).lower()):
            return row
    raise UsageError(f"the paper has no hyper-parameters for {loss} at {class_ratio}; give --search")
