"""The settings that every training shares, chosen once: on BCE at 1:2, by validation AUC, step after step.

Each step keeps the best of its candidates for the next. Where candidates differ in cost (network, numbers of epochs)
the cheapest is kept that is not told apart from the best: within two standard errors, paired over the members.
"""

import statistics
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostate_alm.cifar10.lab import Lab, validation_history
from prostate_alm.cifar10.search import Row, finished
from prostate_alm.cifar10.trainings import Constraint, Training
from prostate_alm.files import write_csv
from prostate_alm.training import Job
from prostate_alm.training.search.grids import PENALTY_AND_GROWTH

LONGEST = 200  # epochs of the base, without early stopping
LONGEST_CONSTRAINED = 100
TABLE = "settings.csv"

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
class Tried:
    """One candidate and how it did.

    Args:
        step: what is chosen.
        candidate: its label.
        validation_auc: mean over the members, in percent.
        below_best: how far it is below the best of the step, in percentage points.
        standard_error: of that difference, paired over the members.
        epochs: mean number of epochs that were trained.
        seconds: mean seconds of a training.
        chosen: whether it was kept.
    """

    step: str
    candidate: str
    validation_auc: float
    below_best: float
    standard_error: float
    epochs: float
    seconds: float
    chosen: bool


@dataclass(frozen=True)
class _Candidate:
    """The members' validation AUCs, and what they cost."""

    label: str
    aucs: Floats
    epochs: float
    seconds: float


def settings_plan(lab: Lab, members: int = 10, seed: int = 0) -> Generator[Sequence[Job], list[Any], list[Tried]]:
    """Choose the common settings.

    Returns:
        Every candidate of every step.
    """
    row = Row(Training("BCE", "1:2", seed=seed), members)
    common, told = dict(FIRST), list[Tried]()
    for step in STEPS:
        tried = [_longest(row, common | values) for values in step.candidates.values()]
        yield from finished(lab, [member for first in tried for member in row.ensemble(first)], weights=True)
        candidates = [_whole(lab, row, label, first) for label, first in zip(step.candidates, tried, strict=True)]
        best = _kept(candidates, by_cost=step.by_cost)
        told += _choices(step.name, candidates, best)
        common |= step.candidates[candidates[best].label]
    base = _longest(row, common)
    stopped = [_stopped(lab, row, base, *length) for length in LENGTHS]
    order = sorted(range(len(stopped)), key=lambda place: stopped[place].epochs)
    lengths = [stopped[place] for place in order]
    best = _kept(lengths, by_cost=True)
    told += _choices("epochs, patience", lengths, best)
    common |= dict(zip(("max_epochs", "patience"), LENGTHS[order[best]], strict=True))
    alm = replace(
        row.first,
        arm="alm",
        common=tuple(sorted(common.items())),
        constraint=Constraint(*PENALTY_AND_GROWTH[0]),
        constrained_epochs=LONGEST_CONSTRAINED,
    )
    yield from finished(lab, row.ensemble(alm), weights=True)
    constrained = [_stopped(lab, row, alm, epochs, None) for epochs in CONSTRAINED_LENGTHS]
    told += _choices("epochs of the second stage", constrained, _kept(constrained, by_cost=True))
    return told


def settings_trainings(members: int = 10) -> int:
    """How many trainings the choice takes: a candidate that is the best of the step before is trained already."""
    return members * (sum(len(step.candidates) for step in STEPS) - (len(STEPS) - 1) + 2)


def write_settings(path: Path, choices: Sequence[Tried]) -> Path:
    """The choices as a table, whole."""
    return write_csv(path, tuple(asdict(choices[0])), map(asdict, choices))


def markdown(choices: Sequence[Tried]) -> str:
    """The choices as a Markdown table."""
    head = ("step", "candidate", "validation AUC", "below best", "standard error", "epochs", "seconds", "")
    lines = [
        (
            choice.step, choice.candidate, f"{choice.validation_auc:.2f}", f"{choice.below_best:.2f}",
            f"{choice.standard_error:.2f}", f"{choice.epochs:.0f}", f"{choice.seconds:.1f}",
            "chosen" if choice.chosen else "",
        )
        for choice in choices
    ]  # fmt: skip
    rows = [head, ("---", "---", *["---:"] * 5, "---"), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _longest(row: Row, common: Common) -> Training:
    """The base with these settings, trained as long as any candidate, so that shorter ones can be read off."""
    return replace(row.first, common=tuple(sorted((common | {"max_epochs": LONGEST, "patience": None}).items())))


def _histories(lab: Lab, row: Row, first: Training) -> list[Floats]:
    return [validation_history(lab.order(member).result).astype(np.float64) for member in row.ensemble(first)]


def _seconds(lab: Lab, row: Row, first: Training) -> float:
    return statistics.fmean(float(lab.ledger[lab.order(member).key]["seconds"]) for member in row.ensemble(first))


def _whole(lab: Lab, row: Row, label: str, first: Training) -> _Candidate:
    histories = _histories(lab, row, first)
    aucs = np.array([history.max() for history in histories])
    return _Candidate(label, aucs, statistics.fmean(map(len, histories)), _seconds(lab, row, first))


def _stopped(lab: Lab, row: Row, first: Training, epochs: int, patience: int | None) -> _Candidate:
    """What a shorter training would have reached: the same epochs, fewer of them."""
    ends = [stopped_after(history, epochs, patience) for history in _histories(lab, row, first)]
    whole = statistics.fmean(map(len, _histories(lab, row, first)))
    trained = statistics.fmean(end for end, _ in ends)
    label = f"{epochs}, none" if patience is None else f"{epochs}, {patience}"
    aucs = np.array([auc for _, auc in ends])
    return _Candidate(label, aucs, trained, _seconds(lab, row, first) * trained / whole)


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


def _kept(candidates: Sequence[_Candidate], *, by_cost: bool) -> int:
    """Place of the best; by cost, of the first that is within two standard errors of it. Ties: the first."""
    best = max(candidates, key=lambda candidate: candidate.aucs.mean())
    for place, candidate in enumerate(candidates):
        below, error = _difference(best, candidate)
        if candidate is best or (by_cost and below <= 2 * error):
            return place
    raise AssertionError("the best is among the candidates")


def _choices(step: str, candidates: Sequence[_Candidate], kept: int) -> list[Tried]:
    best = max(candidates, key=lambda candidate: candidate.aucs.mean())
    told: list[Tried] = []
    for place, candidate in enumerate(candidates):
        below, error = _difference(best, candidate)
        told.append(
            Tried(
                step, candidate.label, round(100 * float(candidate.aucs.mean()), 2), round(below, 2), round(error, 2),
                round(candidate.epochs, 1), round(candidate.seconds, 1), place == kept,
            )
        )  # fmt: skip
    return told
