"""The settings that every training shares, chosen once: on BCE at 1:2, by validation AUC, step after step.

Each step keeps the best of its candidates for the next. Where candidates differ in cost (network, numbers of epochs)
the cheapest is kept that is not told apart from the best: within two standard errors, paired over the members.
"""

import statistics
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostate_alm.cifar10.lab import Lab, validation_history
from prostate_alm.cifar10.search import Row, finished
from prostate_alm.cifar10.settings_table import Tried
from prostate_alm.cifar10.trainings import Constraint, Training
from prostate_alm.training import Job
from prostate_alm.training.search.grids import PENALTY_AND_GROWTH

LONGEST = 200  # epochs of the base, without early stopping
LONGEST_CONSTRAINED = 100

Common = dict[str, Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Step:
    """One choice.

    Args:
        name: what is chosen.
        candidates: label -> config id -> value; the cheapest first where they differ in cost.
        by_cost: whether they do.
    """

    name: str
    candidates: dict[str, Common]
    by_cost: bool = False


def _network(*channels: int) -> Common:
    return {"member_def::channels": list(channels), "member_def::pooling": [[2, 2]] * len(channels)}


STEPS = (
    Step("learning rate", {text: {"learning_rate": float(text)} for text in ("0.001", "0.002", "0.004", "0.008")}),
    Step(
        "network",
        {
            " ".join(map(str, channels)): _network(*channels)
            for channels in ((16, 32, 64), (16, 32, 64, 64), (32, 64, 128))
        },
        by_cost=True,
    ),
    Step("largest shift", {str(shift): {"max_shift": shift} for shift in (1, 3, 5)}),
    Step("dropout", {str(share): {"member_def::dropout": share} for share in (0.0, 0.5)}),
)
FIRST: Common = {**_network(16, 32, 64), "learning_rate": 0.001, "max_shift": 3, "member_def::dropout": 0.0}
"""What the first step starts from."""

LENGTHS = tuple((epochs, patience) for epochs in (60, 80, 100, 150, LONGEST) for patience in (30, 50, 80, None))
CONSTRAINED_LENGTHS = (30, 60, LONGEST_CONSTRAINED)


@dataclass(frozen=True)
class _Candidate:
    """The members' validation AUCs, and what they cost."""

    label: str
    aucs: Floats
    epochs: float
    seconds: float


@dataclass(frozen=True)
class _Ensemble:
    """The members' validation AUCs after every epoch, and the mean seconds of a training."""

    histories: list[Floats]
    seconds: float

    def whole(self, label: str) -> _Candidate:
        aucs = np.array([history.max() for history in self.histories])
        return _Candidate(label, aucs, statistics.fmean(map(len, self.histories)), self.seconds)

    def stopped(self, epochs: int, patience: int | None) -> _Candidate:
        """What a shorter training would have reached: the same epochs, fewer of them."""
        ends = [stopped_after(history, epochs, patience) for history in self.histories]
        trained = statistics.fmean(end for end, _ in ends)
        share = trained / statistics.fmean(map(len, self.histories))
        label = f"{epochs}, {'none' if patience is None else patience}"
        return _Candidate(label, np.array([auc for _, auc in ends]), trained, self.seconds * share)


def settings_plan(lab: Lab, members: int = 10, seed: int = 0) -> Generator[Sequence[Job], list[Any], list[Tried]]:
    """Choose the common settings: a plan (`training.plans`) that yields trainings and decides by what comes back.

    Args:
        lab: what is finished, and where.
        members: size of the ensembles, 1 or more; with one, nothing is told apart by its standard error.
        seed: of splits and every draw.

    Returns:
        Every candidate of every step.

    Raises:
        NoInputError: if the result of a training cannot be read.
    """
    row = Row(Training("BCE", "1:2", seed=seed), members)
    common, told = dict(FIRST), list[Tried]()
    for step in STEPS:
        ensembles = yield from _trained(lab, row, [_longest(row, common | value) for value in step.candidates.values()])
        candidates = [one.whole(label) for label, one in zip(step.candidates, ensembles, strict=True)]
        kept, choices = _chosen(step.name, candidates, by_cost=step.by_cost)
        common |= step.candidates[candidates[kept].label]
        told += choices
    (base,) = yield from _trained(lab, row, [_longest(row, common)])
    ends = sorted(((base.stopped(*length), length) for length in LENGTHS), key=lambda end: end[0].epochs)
    kept, choices = _chosen("epochs, patience", [candidate for candidate, _ in ends], by_cost=True)
    common |= dict(zip(("max_epochs", "patience"), ends[kept][1], strict=True))
    told += choices
    (alm,) = yield from _trained(lab, row, [_constrained(row, common)])
    constrained = [alm.stopped(epochs, None) for epochs in CONSTRAINED_LENGTHS]
    return told + _chosen("epochs of the second stage", constrained, by_cost=True)[1]


def settings_trainings(members: int = 10) -> int:
    """How many trainings the choice takes: a candidate that is the best of the step before is trained already."""
    return members * (sum(len(step.candidates) for step in STEPS) - (len(STEPS) - 1) + 2)


def _longest(row: Row, common: Common) -> Training:
    """The base with these settings, trained as long as any candidate, so that shorter ones can be read off."""
    return replace(row.first, common=tuple(sorted((common | {"max_epochs": LONGEST, "patience": None}).items())))


def _constrained(row: Row, common: Common) -> Training:
    """ALM with these settings, its second stage as long as any candidate."""
    return replace(
        row.first,
        arm="alm",
        common=tuple(sorted(common.items())),
        constraint=Constraint(*PENALTY_AND_GROWTH[0]),
        constrained_epochs=LONGEST_CONSTRAINED,
    )


def _trained(lab: Lab, row: Row, firsts: Sequence[Training]) -> Generator[Sequence[Job], list[Any], list[_Ensemble]]:
    """Have ensembles finished, each named by its member 0, and read what became of them."""
    ensembles = [row.ensemble(first) for first in firsts]
    yield from finished(lab, [member for members in ensembles for member in members], weights=True)
    return [_read(lab, members) for members in ensembles]


def _read(lab: Lab, members: Sequence[Training]) -> _Ensemble:
    orders = [lab.order(member) for member in members]
    histories = [validation_history(order.result).astype(np.float64) for order in orders]
    return _Ensemble(histories, statistics.fmean(float(lab.ledger[order.key]["seconds"]) for order in orders))


def stopped_after(history: Floats, epochs: int, patience: int | None) -> tuple[int, float]:
    """How many epochs a training with early stopping takes, and the best validation AUC within them.

    Example:
        >>> stopped_after(np.array([0.5, 0.7, 0.6, 0.6, 0.9]), epochs=5, patience=2)
        (4, 0.7)
    """
    best, best_epoch = -np.inf, 0
    for epoch, value in enumerate(history[:epochs], start=1):
        if value > best:
            best, best_epoch = value, epoch
        if patience is not None and epoch - best_epoch >= patience:
            return epoch, float(best)
    return min(epochs, len(history)), float(best)


def _difference(best: _Candidate, other: _Candidate) -> tuple[float, float]:
    """Mean and standard error of best minus other, in percentage points, paired over the members."""
    differences = 100 * (best.aucs - other.aucs)
    error = differences.std(ddof=1) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
    return float(differences.mean()), float(error)


def _chosen(step: str, candidates: Sequence[_Candidate], *, by_cost: bool) -> tuple[int, list[Tried]]:
    """Place of the best; by cost, of the first that is within two standard errors of it. Ties: the first."""
    best = max(candidates, key=lambda candidate: candidate.aucs.mean())
    behind = [_difference(best, candidate) for candidate in candidates]
    near = [by_cost and below <= 2 * error for below, error in behind]
    kept = next(place for place, one in enumerate(candidates) if one is best or near[place])
    return kept, [
        Tried(
            step, one.label, round(100 * float(one.aucs.mean()), 2), round(below, 2), round(error, 2),
            round(one.epochs, 1), round(one.seconds, 1), place == kept,
        )
        for place, (one, (below, error)) in enumerate(zip(candidates, behind, strict=True))
    ]  # fmt: skip
