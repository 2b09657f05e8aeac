"""What each table measures on an ensemble's test logits, and on which test set. All figures are in percent."""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prostate_alm.cifar10.protocol import CLASS_RATIOS, DRAWS
from prostate_alm.cifar10.published import paper_losses
from prostate_alm.cifar10.results import ARMS, ArmResult
from prostate_alm.errors import UsageError
from prostate_alm.metrics import auc, fpr_at_tpr, spread

AVERAGED = f"fpr_at_tpr100_mean{DRAWS}"
TITLES = {
    "auc": "AUC",
    "fpr_at_tpr100": "FPR@100%TPR",
    AVERAGED: f"FPR@100%TPR, {DRAWS} draws",
    "fpr_at_tpr95": "FPR@95%TPR",
    "fpr_at_tpr90": "FPR@90%TPR",
    "ensemble_auc": "AUC, ensemble",
    "mean_auc": "AUC, members' mean",
    "std_auc": "AUC, members' sd",
}
_TPRS = {"fpr_at_tpr100": 1.0, "fpr_at_tpr95": 0.95, "fpr_at_tpr90": 0.9}

Cases = tuple[NDArray[np.float32], NDArray[np.int64]]  # logits, labels
Name = tuple[str, str, str]  # class ratio, loss, arm


@dataclass(frozen=True)
class Measured:
    """One figure of one arm.

    Args:
        value: in percent; None where it is undefined.
        sd: over the draws of test positives, where the value is their mean.
        draws: the value of each draw, in the order of the draws; empty where there is one test set.
    """

    value: float | None
    sd: float | None = None
    draws: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Table:
    """What a table of the paper measures, on which classes and which test set.

    Args:
        title: what it shows.
        classes: class numbers (negative, positive).
        test_set: in words.
        figures: keys of `TITLES`, in the order shown.
        cases: logits and labels of an ensemble on the test set.
        measure: the figures of an ensemble.
    """

    title: str
    classes: tuple[int, int]
    test_set: str
    figures: tuple[str, ...]
    cases: Callable[[ArmResult], Cases]
    measure: Callable[[ArmResult], dict[str, Measured]]


@dataclass(frozen=True)
class Arm:
    """An ensemble and its figures in one table."""

    result: ArmResult
    figures: Mapping[str, Measured]

    @property
    def name(self) -> Name:
        """Class ratio, loss and arm."""
        return self.result.class_ratio, self.result.loss, self.result.arm


def table_spec(number: int) -> Table:
    """What table 2, 4, 5 or 6 measures.

    Raises:
        UsageError: if the number is another.

    Example:
        >>> table_spec(5).classes
        (6, 7)
    """
    if number not in TABLES:
        raise UsageError(
            f"table {number} is not among the tables of figures; choose one of {', '.join(map(str, TABLES))}"
        )
    return TABLES[number]


def measured(results: Sequence[ArmResult], table: int, classes: tuple[int, int] | None = None) -> list[Arm]:
    """Every ensemble of a table's classes with its figures, in the paper's order of ratios and losses, then by arm.

    Args:
        results: members among them, and ensembles of other classes, are passed over.
        table: 2, 4, 5 or 6.
        classes: another class pair than the table's.

    Raises:
        UsageError: if the table is another, or two results are of the same ratio, loss and arm.
    """
    spec, losses = table_spec(table), paper_losses(table)
    chosen = ensembles(results, classes or spec.classes)

    def rank(result: ArmResult) -> tuple[tuple[bool, int | str], tuple[bool, int | str], int]:
        return _place(CLASS_RATIOS, result.class_ratio), _place(losses, result.loss), ARMS.index(result.arm)

    return [Arm(result, spec.measure(result)) for result in sorted(chosen, key=rank)]


def ensembles(results: Sequence[ArmResult], classes: tuple[int, int]) -> list[ArmResult]:
    """The ensembles of a class pair, in the order given; members are passed over.

    Raises:
        UsageError: if two are of the same ratio, loss and arm.
    """
    chosen = [result for result in results if result.member is None and result.classes == classes]
    counts = Counter((result.class_ratio, result.loss, result.arm) for result in chosen)
    for name, count in counts.items():
        if count > 1:
            raise UsageError(f"{count} results are of {' '.join(name)}; keep the results of one run in one folder")
    return chosen


def written(value: float | None, figure: str, sign: str = "") -> str:
    """A value as the tables print it: AUC with two decimals, rates with one; None is empty.

    Example:
        >>> written(94.674, "auc"), written(1.25, "fpr_at_tpr95", "+"), written(None, "auc")
        ('94.67', '+1.2', '')
    """
    return "" if value is None else f"{value:{sign}.{2 if 'auc' in figure else 1}f}"


def _operating(cases: Cases) -> dict[str, Measured]:
    found = {"auc": auc(*cases).value}
    found |= {name: fpr_at_tpr(*cases, tpr).value for name, tpr in _TPRS.items()}
    return {name: Measured(_percent(value)) for name, value in found.items()}


def _single_and_drawn(result: ArmResult) -> dict[str, Measured]:
    """The protocol's single draw, and FPR@100%TPR again over 20 draws: it hangs on one positive."""
    drawn = [fpr_at_tpr(*result.thinned(draw), 1.0) for draw in range(DRAWS)]
    # in percent before the mean: the other order rounds some halves the other way
    over = spread([replace(figure, value=_percent(figure.value), interval=None) for figure in drawn])
    single = _operating(_thinned(result))
    averaged = Measured(over.mean, over.standard_deviation, over.values)
    return {"auc": single.pop("auc"), "fpr_at_tpr100": single.pop("fpr_at_tpr100"), AVERAGED: averaged} | single


def _on_balanced(result: ArmResult) -> dict[str, Measured]:
    return _operating(_balanced(result))


def _ensembling(result: ArmResult) -> dict[str, Measured]:
    aucs = result.member_aucs
    return {
        "ensemble_auc": Measured(_percent(auc(*_thinned(result)).value)),
        "mean_auc": Measured(_percent(statistics.fmean(aucs)) if aucs else None),
        "std_auc": Measured(_percent(statistics.stdev(aucs)) if len(aucs) > 1 else None),
    }


def _thinned(result: ArmResult) -> Cases:
    return result.thinned()


def _balanced(result: ArmResult) -> Cases:
    return result.test_logits, result.test_labels


_THINNED = "test positives thinned to the class ratio, one draw"
_DRAWN = ("auc", "fpr_at_tpr100", AVERAGED, "fpr_at_tpr95", "fpr_at_tpr90")
_ENSEMBLED = ("ensemble_auc", "mean_auc", "std_auc")
_BALANCED = ("auc", "fpr_at_tpr100", "fpr_at_tpr95", "fpr_at_tpr90")
TABLES = {
    2: Table("airplane and automobile", (0, 1), _THINNED, _DRAWN, _thinned, _single_and_drawn),
    4: Table("ensembling, airplane and automobile", (0, 1), _THINNED, _ENSEMBLED, _thinned, _ensembling),
    5: Table("frog and horse", (6, 7), _THINNED, _DRAWN, _thinned, _single_and_drawn),
    6: Table("airplane and automobile, balanced test set", (0, 1), "balanced", _BALANCED, _balanced, _on_balanced),
}


def _place(known: Sequence[str], name: str) -> tuple[bool, int | str]:
    return (False, known.index(name)) if name in known else (True, name)


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
