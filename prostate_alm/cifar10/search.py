"""How a row of the paper comes about: choose by validation AUC, train every arm, test the chosen ones once.

Each row is a plan (`training.plans`): it yields the trainings it needs next and decides by what comes back.
"""

import statistics
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from prostate_alm.cifar10.evaluation import Evaluation, evaluate, evaluation_of
from prostate_alm.cifar10.lab import Lab, train
from prostate_alm.cifar10.published import paper_rows
from prostate_alm.cifar10.results import ArmResult
from prostate_alm.cifar10.trainings import PARAMETERS, Constraint, Training
from prostate_alm.cohort import parse_class_ratio
from prostate_alm.errors import UsageError
from prostate_alm.losses import NEVER_CONSTRAINED
from prostate_alm.training import Job

LOSSES = ("BCE", "S-ML", "S-FL", "A-ML", "A-FL", "W-BCE", "CB-BCE", "MSFE", "MBAUC")
GRIDS: dict[str, tuple[float | Fraction, ...]] = {
    "margin": (0.1, 0.5, 2.0, 4.0),
    "gamma": (1.0, 2.0, 4.0, 5.0),
    "weight": (Fraction(1, 3), Fraction(2, 3), Fraction(1)),  # times the class ratio
    "beta": (0.99, 0.999, 0.9999),
}
PENALTY_AND_GROWTH = ((0.2, 3.0), (0.2, 4.0), (0.3, 2.0), (0.3, 3.0), (0.3, 4.0))
MARGINS = (1.0, 1.5, 2.0)
PAPER, SEARCH = "paper", "search"

Jobs = Generator[Sequence[Job], list[Any], Any]


@dataclass(frozen=True)
class Row:
    """One loss at one class ratio: all its arms, each an ensemble.

    Args:
        first: member 0 of the base, without the loss's own parameter.
        members: size of the ensemble.
        settings: `paper` takes the paper's hyper-parameters (Table 8), `search` looks for them.
    """

    first: Training
    members: int = 10
    settings: str = PAPER

    @property
    def constrained(self) -> bool:
        """Whether the row has an ALM arm."""
        return self.first.loss.lower() not in NEVER_CONSTRAINED

    @property
    def has_aucm(self) -> bool:
        """AUCM starts from a base but has no base loss in it: one baseline for each class ratio, from BCE."""
        return self.first.loss == "BCE"

    def parameters(self) -> tuple[float | None, ...]:
        """Candidates of the base loss's own parameter."""
        name = PARAMETERS.get(self.first.loss)
        if name is None:
            return (None,)
        if self.settings == PAPER:
            return (paper_parameter(self.first.loss, self.first.class_ratio),)
        times = Fraction(parse_class_ratio(self.first.class_ratio)) if name == "weight" else 1
        return tuple(float(value * times) for value in GRIDS[name])

    def constraints(self) -> list[Constraint]:
        """Candidates of the constraint's settings, before delta is looked for; none where the row has no ALM arm."""
        if not self.constrained:
            return []
        if self.settings == PAPER:
            return [paper_constraint(self.first.loss, self.first.class_ratio)]
        return [Constraint(penalty, growth) for penalty, growth in PENALTY_AND_GROWTH]

    @property
    def trainings(self) -> int:
        """How many trainings the row takes."""
        alm = 0 if not self.constrained else 1 if self.settings == PAPER else len(PENALTY_AND_GROWTH) + len(MARGINS) - 1
        return self.members * (len(self.parameters()) + 1 + self.has_aucm + alm)

    def ensemble(self, training: Training) -> list[Training]:
        """A training for every member."""
        return [replace(training, member=member) for member in range(self.members)]


def row_plan(row: Row, lab: Lab) -> Generator[Sequence[Job], list[Any], list[ArmResult]]:
    """Choose, train and test one row.

    The base loss's own parameter first; then (mu(0), rho) at delta = 1; then delta. The mean validation AUC over the
    members decides, ties go to the first of the grid. The test set is read once an arm, after the last choice.

    Returns:
        One result for each arm.
    """
    base = yield from _best(lab, row, [replace(row.first, parameter=value) for value in row.parameters()])
    chosen = [base, replace(base, arm="continued")]
    if row.has_aucm:
        chosen.append(replace(base, arm="aucm"))
    alm = [replace(base, arm="alm", constraint=value) for value in row.constraints()]
    yield from finished(lab, [member for arm in (*chosen, *alm) for member in row.ensemble(arm)])
    if row.constrained:
        best = yield from _best(lab, row, alm)
        if row.settings == SEARCH and best.constraint is not None:
            margins = [replace(best, constraint=replace(best.constraint, margin=margin)) for margin in MARGINS]
            best = yield from _best(lab, row, margins)
        chosen.append(best)
    return (yield from _evaluated(lab, [row.ensemble(arm) for arm in chosen], row.settings))


def _best(lab: Lab, row: Row, candidates: Sequence[Training]) -> Generator[Sequence[Job], list[Any], Training]:
    """The candidate with the highest mean validation AUC over the members; ties: the first.

    AUCs are told apart to a millionth: they are stored in float32, and their least step is 2e-5.
    """
    yield from finished(lab, [member for candidate in candidates for member in row.ensemble(candidate)])
    return max(candidates, key=lambda candidate: round(mean_validation_auc(lab, row.ensemble(candidate)), 6))


def mean_validation_auc(lab: Lab, members: Sequence[Training]) -> float:
    """Mean of the members' best validation AUCs; all must be finished."""
    aucs = [auc for member in members if (auc := lab.validation_auc(member)) is not None]
    if len(aucs) < len(members):
        raise AssertionError("a member that is not finished cannot be judged")
    return statistics.fmean(aucs)


def finished(lab: Lab, trainings: Sequence[Training], *, weights: bool = False) -> Jobs:
    """Have trainings finished; where their weights or those they start from are wanted and lost, train them again."""
    missing = [
        training
        for training in trainings
        if lab.validation_auc(training) is None or (weights and not lab.order(training).weights.is_file())
    ]
    starts = {lab.order(start).key: start for training in missing if (start := training.start) is not None}
    lost = [start for start in starts.values() if not lab.order(start).weights.is_file()]
    for batch in (lost, missing):
        for facts in (yield [Job(train, lab.order(training)) for training in batch]):
            lab.note(facts)


def _evaluated(
    lab: Lab, arms: Sequence[Sequence[Training]], settings: str
) -> Generator[Sequence[Job], list[Any], list[ArmResult]]:
    """Test the chosen arms, once; their trainings are all finished, so nothing can be chosen by it any more."""
    evaluations = [evaluation_of(lab, members, settings) for members in arms]
    found = {evaluation.path: result for evaluation in evaluations if (result := evaluation.stored()) is not None}
    wanted: list[Evaluation] = []
    for members, evaluation in zip(arms, evaluations, strict=True):
        if evaluation.path not in found:
            yield from finished(lab, members, weights=True)
            wanted.append(evaluation)
    made = yield [Job(evaluate, evaluation) for evaluation in wanted]
    fresh = {evaluation.path: result for evaluation, result in zip(wanted, made, strict=True)}
    return [fresh.get(evaluation.path) or found[evaluation.path] for evaluation in evaluations]


def paper_parameter(loss: str, class_ratio: str) -> float:
    """The paper's choice of a base loss's own parameter (Table 8); `N` stands for the class ratio.

    Example:
        >>> paper_parameter("W-BCE", "1:9")
        9.0
    """
    text = _table8(loss, class_ratio, alm=False)[PARAMETERS[loss]]
    if not text.startswith("N"):
        return float(text)
    return float(Fraction(text.replace("N", "1")) * Fraction(parse_class_ratio(class_ratio)))


def paper_constraint(loss: str, class_ratio: str) -> Constraint:
    """The paper's mu(0), rho and delta (Table 8)."""
    row = _table8(loss, class_ratio, alm=True)
    return Constraint(float(row["mu"]), float(row["rho"]), float(row["delta"]))


def _table8(loss: str, class_ratio: str, *, alm: bool) -> dict[str, str]:
    for row in paper_rows(8):
        if (row["class_ratio"], row["loss"], row["alm"]) == (class_ratio, loss, str(alm).lower()):
            return row
    raise UsageError(f"the paper has no hyper-parameters for {loss} at {class_ratio}; give --search")
