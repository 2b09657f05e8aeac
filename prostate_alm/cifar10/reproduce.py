"""The reproduction: which rows of the paper's tables, carried out as plans over an engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from prostate_alm.cifar10.candidates import PUBLISHED, Candidates
from prostate_alm.cifar10.measures import TABLES
from prostate_alm.cifar10.protocol import CLASS_RATIOS, PAPER, Scale
from prostate_alm.cifar10.results import ArmResult
from prostate_alm.cifar10.run import Run
from prostate_alm.cifar10.search import LOSSES, Row, row_plan
from prostate_alm.cifar10.tables import HYPERPARAMETERS
from prostate_alm.cifar10.trainings import Training
from prostate_alm.errors import UsageError
from prostate_alm.training import Engine

CHOICES = f"choose {', '.join(map(str, TABLES))}, {HYPERPARAMETERS} or all"


@dataclass(frozen=True)
class Request:
    """Which rows, and how large.

    Args:
        tables: numbers of the paper's tables.
        settings: what the hyper-parameters are chosen from.
        classes: class numbers, negative and positive; None takes those of the tables.
        class_ratios: for example `("1:2", "1:9")`.
        losses: as the paper names them.
        members: size of the ensembles.
        seed: of splits and every draw.
        scale: numbers of negatives.
        common: config id -> value, for every training.
        constrained_epochs: epochs of all arms but base; None leaves the bundle's number.
    """

    tables: tuple[int, ...] = (2,)
    settings: Candidates = PUBLISHED
    classes: tuple[int, int] | None = None
    class_ratios: tuple[str, ...] = CLASS_RATIOS
    losses: tuple[str, ...] = LOSSES
    members: int = 10
    seed: int = 0
    scale: Scale = PAPER
    common: dict[str, Any] = field(default_factory=dict)
    constrained_epochs: int | None = None

    def rows(self) -> list[Row]:
        """Every row once, in the paper's order.

        Raises:
            UsageError: for an unknown table or loss, a class pair or ratio that the protocol refuses, no member.
        """
        for loss in self.losses:
            if loss not in LOSSES:
                raise UsageError(f"loss {loss!r} is unknown; choose one of {', '.join(LOSSES)}")
        if self.members < 1:
            raise UsageError(f"an ensemble needs at least one member, got {self.members}")
        rows: list[Row] = []
        for classes in dict.fromkeys(self.classes or _classes(table) for table in self.tables):
            for class_ratio in dict.fromkeys(self.class_ratios):
                for loss in dict.fromkeys(self.losses):
                    training = Training(
                        loss,
                        class_ratio,
                        classes=classes,
                        seed=self.seed,
                        scale=self.scale,
                        common=tuple(sorted(self.common.items())),
                        constrained_epochs=self.constrained_epochs,
                    )
                    row = Row(training, self.members, self.settings)
                    _ = training.protocol, row.parameters(), row.constraints()  # refuse what cannot be had
                    rows.append(row)
        return rows


SMOKE = Request(class_ratios=("1:2",), losses=("BCE",), members=2, common={"max_epochs": 12}, constrained_epochs=8)
"""Small enough to run while one watches; its figures show that everything runs, not how good the method is."""


def reproduce(run: Run, rows: Sequence[Row], engine: Engine) -> list[ArmResult]:
    """Compute what is missing of every row.

    Args:
        run: the folder where it is done.
        rows: in order of precedence, as `Request.rows` gives them.
        engine: where trainings run; entered by the caller.

    Returns:
        The results of all rows, in the order of the rows: one for each arm.

    Raises:
        NoInputError: if the images, or what an earlier run left of any row, cannot be read.
        UsageError: before any training, if another run works in the folder or a row's results are of another run.
        Exception: the first error of a row; the others were carried on.
        KeyboardInterrupt: after Ctrl-C, when the running trainings are done.
    """
    products = run.carry_out(
        engine,
        lambda lab: [row_plan(row, lab) for row in rows],
        named=[(_name(row), row.trainings) for row in rows],
    )
    return [result for results in products for result in results]


def _name(row: Row) -> str:
    return f"{row.first.loss} {row.first.class_ratio}, classes {row.first.classes[0]} and {row.first.classes[1]}"


def _classes(table: int) -> tuple[int, int]:
    if table == HYPERPARAMETERS:
        return TABLES[2].classes
    if table not in TABLES:
        raise UsageError(f"table {table} is not reproduced from CIFAR10; {CHOICES}")
    return TABLES[table].classes
