"""How a row of the paper comes about: choose by validation AUC, train every arm, test the chosen ones once.

Each row is a plan (`training.plans`): it yields the trainings it needs next and decides by what comes back.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prostate_alm.cifar10.candidates import PUBLISHED, Candidates
from prostate_alm.cifar10.evaluation import Evaluation, evaluate, evaluation_of
from prostate_alm.cifar10.lab import Lab, train
from prostate_alm.cifar10.results import ArmResult
from prostate_alm.cifar10.trainings import Constraint, Training
from prostate_alm.losses import NEVER_CONSTRAINED
from prostate_alm.training import BASE, Job
from prostate_alm.training.search.choice import best

LOSSES = ("BCE", "S-ML", "S-FL", "A-ML", "A-FL", "W-BCE", "CB-BCE", "MSFE", "MBAUC")

Jobs = Generator[Sequence[Job], list[Any], Any]


@dataclass(frozen=True)
class Row:
    """One loss at one class ratio: all its arms, each an ensemble.

    Args:
        first: member 0 of the base, without the loss's own parameter.
        members: size of the ensemble.
        settings: what the hyper-parameters are chosen from.
    """

    first: Training
    members: int = 10
    settings: Candidates = PUBLISHED

    @property
    def constrained(self) -> bool:
        """Whether the row has an ALM arm."""
        return self.first.loss.lower() not in NEVER_CONSTRAINED

    @property
    def has_aucm(self) -> bool:
        """AUCM starts from a base but has no base loss in it: one baseline for each class ratio, from BCE."""
        return self.first.loss == "BCE"

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that are tested, in the order of the results."""
        return (BASE, "continued", *(["aucm"] if self.has_aucm else []), *(["alm"] if self.constrained else []))

    def parameters(self) -> tuple[float | None, ...]:
        """Candidates of the base loss's own parameter; None where it has none."""
        return self.settings.parameters(self.first.loss, self.first.class_ratio)

    def constraints(self) -> tuple[Constraint, ...]:
        """Candidates of the constraint's settings, before delta is looked for; none where the row has no ALM arm."""
        return self.settings.constraints(self.first.loss, self.first.class_ratio) if self.constrained else ()

    @property
    def trainings(self) -> int:
        """How many trainings the row takes."""
        margins = max(0, len(self.settings.margins) - 1) if self.constrained else 0  # the first is among the others
        return self.members * (len(self.parameters()) + 1 + self.has_aucm + len(self.constraints()) + margins)

    def ensemble(self, training: Training) -> list[Training]:
        """A training for every member."""
        return [replace(training, member=member) for member in range(self.members)]


def row_plan(row: Row, lab: Lab) -> Generator[Sequence[Job], list[Any], list[ArmResult]]:
    """Choose, train and test one row.

    The base loss's own parameter first; then (mu(0), rho) at delta = 1; then delta. The mean validation AUC over the
    members decides, ties go to the first of the grid. The test set is read once an arm, after the last choice.

    Args:
        row: what to choose, train and test.
        lab: the run's folder, and what is finished in it.

    Returns:
        The plan: it yields batches of trainings and last the tests, and returns one result for each arm.

    Raises:
        UsageError: at once, if the folder holds a result of another run that would be written over.
        NoInputError: if a result or a training's file cannot be read; names it.
    """
    _refuse_another_run(row, lab)
    return _chosen_and_tested(row, lab)


def _chosen_and_tested(row: Row, lab: Lab) -> Generator[Sequence[Job], list[Any], list[ArmResult]]:
    base = yield from _best(lab, row, [replace(row.first, parameter=value) for value in row.parameters()])
    chosen = [base, replace(base, arm="continued")]
    if row.has_aucm:
        chosen.append(replace(base, arm="aucm"))
    alm = [replace(base, arm="alm", constraint=value) for value in row.constraints()]
    yield from finished(lab, [member for arm in (*chosen, *alm) for member in row.ensemble(arm)])
    if row.constrained:
        found = yield from _best(lab, row, alm)
        if row.settings.margins and found.constraint is not None:
            tried = [replace(found.constraint, margin=margin) for margin in row.settings.margins]
            found = yield from _best(lab, row, [replace(found, constraint=value) for value in tried])
        chosen.append(found)
    return (yield from _evaluated(lab, [row.ensemble(arm) for arm in chosen], row.settings.name))


def _refuse_another_run(row: Row, lab: Lab) -> None:
    """Where the results go, and of what size they are, does not depend on what will be chosen."""
    for arm in row.arms:
        members = row.ensemble(replace(row.first, arm=arm))
        evaluation_of(lab, members, row.settings.name).stored()


def _best(lab: Lab, row: Row, candidates: Sequence[Training]) -> Generator[Sequence[Job], list[Any], Training]:
    """The candidate with the highest mean validation AUC over the members; ties: the first."""
    yield from finished(lab, [member for candidate in candidates for member in row.ensemble(candidate)])
    return best(candidates, lambda candidate: validation_aucs(lab, row.ensemble(candidate)))


def validation_aucs(lab: Lab, members: Sequence[Training]) -> list[float]:
    """The members' best validation AUCs, in [0, 1].

    Args:
        lab: knows what is finished.
        members: of one ensemble, in their order.

    Raises:
        AssertionError: if one is not finished: a plan asked too early.
        NoInputError: if a result file cannot be read; names it.
    """
    aucs = [auc for member in members if (auc := lab.validation_auc(member)) is not None]
    if len(aucs) < len(members):
        raise AssertionError("a member that is not finished cannot be judged")
    return aucs


def finished(lab: Lab, trainings: Sequence[Training], *, weights: bool = False) -> Jobs:
    """Have trainings finished; where their weights are wanted and lost, train them again.

    What they start from is trained again too, where it is lost and needed.

    Args:
        lab: knows what is finished.
        trainings: which.
        weights: whether the weights and result files are wanted, or the validation AUCs, for which the ledger is
            enough.

    Yields:
        Two batches: what the missing ones start from, then the missing ones. Either may be empty.

    Raises:
        NoInputError: if a result file cannot be read; names it.
    """
    missing = [
        training
        for training in trainings
        if lab.validation_auc(training) is None or (weights and not lab.order(training).is_kept())
    ]
    untrained = [training for training in missing if lab.order(training).outcome() is None]
    starts = {lab.order(start).key: start for training in untrained if (start := training.start) is not None}
    lost = [start for start in starts.values() if lab.order(start).outcome() is None]
    for batch in (lost, missing):
        yield [Job(train, lab.order(training)) for training in batch]  # noted by the run, as they come


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
