"""From evaluations to figures and paired tests, one for every row of the paper's Table 1 and Table 3."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from prostate_alm.figures import Figure
from prostate_alm.metrics import PairedTest, Spread, auc, fpr_at_fn, holm, paired_delong, paired_permutation, spread
from prostate_alm.metrics.inputs import Floats
from prostate_alm.report.comparison.reading import Evaluation

AGAINST = ("base", "continued")
TESTS: Mapping[str, Callable[[Floats, Floats, Floats], PairedTest]] = {
    "AUC": paired_delong,
    "FPR@0FN": partial(paired_permutation, misses=0),
    "FPR@1FN": partial(paired_permutation, misses=1),
}
"""Figure -> how two arms are compared in it."""


@dataclass(frozen=True)
class ArmFigures:
    """One arm of one evaluation.

    Args:
        evaluation: where it comes from.
        arm: base, continued, alm, ...
        figures: AUC, FPR@0FN and FPR@1FN, in this order.
        member_aucs: AUC of each member of the ensemble; None where members' logits are not known.
    """

    evaluation: Evaluation
    arm: str
    figures: tuple[Figure, ...]
    member_aucs: Spread | None


@dataclass(frozen=True)
class Gain:
    """ALM against another arm of the same evaluation.

    Args:
        evaluation: where both come from.
        against: base or continued.
        test: the difference, ALM minus the other, p not adjusted.
        adjusted: the same with p adjusted by Holm.
    """

    evaluation: Evaluation
    against: str
    test: PairedTest
    adjusted: PairedTest

    @property
    def better(self) -> bool | None:
        """Whether ALM is better; a tie is not; None where the difference is undefined."""
        value = self.test.difference.value
        if value is None:
            return None
        return value > 0 if self.test.difference.name.startswith("AUC") else value < 0


@dataclass(frozen=True)
class Comparison:
    """Everything that is printed.

    Args:
        evaluations: in the order of the tables.
        arms: figures of every arm of every evaluation.
        gains: figure -> ALM against base and continued, in the order of the evaluations.
    """

    evaluations: Sequence[Evaluation]
    arms: Sequence[ArmFigures]
    gains: Mapping[str, Sequence[Gain]]

    @property
    def notices(self) -> list[str]:
        """The warnings of the models, each once."""
        return list(dict.fromkeys(one.notice for one in self.evaluations if one.notice))


def compare(evaluations: Sequence[Evaluation]) -> Comparison:
    """Figures of every arm, and the paired tests of ALM.

    One family for Holm: all losses of one class ratio, against base and against continued, in one figure.

    Args:
        evaluations: from `read_evaluations`, in its order.
    """
    arms = [_figures(one, arm) for one in evaluations for arm in one.arms]
    gains: dict[str, list[Gain]] = {name: [] for name in TESTS}
    for _, group in groupby(evaluations, key=lambda one: one.group):
        family = list(group)
        for name in TESTS:
            gains[name] += _gains(family, name)
    return Comparison(evaluations, arms, gains)


def _figures(one: Evaluation, arm: str) -> ArmFigures:
    scores = one.arms[arm]
    logits, labels = scores.logits, scores.labels
    figures = (auc(logits, labels), fpr_at_fn(logits, labels, 0), fpr_at_fn(logits, labels, 1))
    members = [auc(member, labels) for member in scores.members]
    return ArmFigures(one, arm, figures, spread(members) if members else None)


def _gains(family: Sequence[Evaluation], name: str) -> list[Gain]:
    pairs = [(one, against) for one in family if "alm" in one.arms for against in AGAINST if against in one.arms]
    tests = [
        TESTS[name](one.arms["alm"].logits, one.arms[against].logits, one.arms["alm"].labels) for one, against in pairs
    ]
    return [
        Gain(one, against, test, adjusted)
        for (one, against), test, adjusted in zip(pairs, tests, holm(tests), strict=True)
    ]
