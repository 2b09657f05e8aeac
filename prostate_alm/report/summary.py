"""From predictions to typed figures, one summary per arm; writing them down happens elsewhere."""

from dataclasses import dataclass

from prostate_alm.errors import UsageError
from prostate_alm.figures import Figure
from prostate_alm.metrics import LockedFigures, at_threshold, auc, fpr_at_fn, threshold_at_fn
from prostate_alm.operating_point import Threshold
from prostate_alm.report.predictions import ArmScores, Rows, by_arm


@dataclass(frozen=True)
class ArmSummary:
    """What is printed of one arm.

    Args:
        scores: the cases.
        auc: area under the ROC curve.
        fpr_at_0fn: false-positive rate with no positive missed, oracle.
        fpr_at_1fn: the same with one missed, oracle.
        oracle_threshold: the threshold of `fpr_at_0fn`, in logits; undefined without positives.
        locked: figures at the locked threshold; only for the arm that it belongs to.
    """

    scores: ArmScores
    auc: Figure
    fpr_at_0fn: Figure
    fpr_at_1fn: Figure
    oracle_threshold: Figure
    locked: LockedFigures | None

    @property
    def arm(self) -> str:
        """Name of the arm."""
        return self.scores.arm


@dataclass(frozen=True)
class Errors:
    """Cases called wrongly at a threshold, as (case_id, logit).

    Args:
        missed: false negatives, the lowest logit (the worst miss) first.
        needless: false positives, the highest logit first.
    """

    missed: tuple[tuple[str, float], ...]
    needless: tuple[tuple[str, float], ...]


def summarise(predictions: Rows, *, threshold: Threshold | None = None, main_arm: str = "alm") -> list[ArmSummary]:
    """The figures of every arm, in the order base, continued, alm.

    Args:
        predictions: rows (case_id, label, arm, logit).
        threshold: the locked threshold of the main arm's model, if there is one.
        main_arm: the arm that the report answers for.

    Raises:
        UsageError: if the main arm is absent, or the rows are not as `by_arm` wants them.
        ValueError: if a logit is not finite or a label not 0 or 1.

    Example:
        >>> rows = [("a", 1, "alm", 2.0), ("b", 0, "alm", 1.0), ("c", 0, "alm", 3.0)]
        >>> print(summarise(rows)[0].fpr_at_0fn)
        FPR@0FN 0.50 [0.01, 0.99] (oracle, n1 = 1, n0 = 2)
    """
    arms = by_arm(predictions)
    if main_arm not in arms:
        raise UsageError(f"there are no predictions of the arm {main_arm}, only of {', '.join(arms)}")
    return [_summary(scores, threshold if scores.arm == main_arm else None) for scores in arms.values()]


def errors_at(scores: ArmScores, threshold: float) -> Errors:
    """The false negatives and false positives of calling logit >= threshold positive.

    Example:
        >>> errors_at(by_arm([("a", 1, "alm", 2.0), ("b", 0, "alm", 3.0)])["alm"], 2.5)
        Errors(missed=(('a', 2.0),), needless=(('b', 3.0),))
    """
    cases = list(zip(scores.case_ids, scores.logits.tolist(), scores.labels.tolist(), strict=True))
    missed = [(case_id, logit) for case_id, logit, label in cases if label == 1 and logit < threshold]
    needless = [(case_id, logit) for case_id, logit, label in cases if label == 0 and logit >= threshold]
    return Errors(
        missed=tuple(sorted(missed, key=lambda case: (case[1], case[0]))),
        needless=tuple(sorted(needless, key=lambda case: (-case[1], case[0]))),
    )


def _summary(scores: ArmScores, threshold: Threshold | None) -> ArmSummary:
    logits, labels = scores.logits, scores.labels
    return ArmSummary(
        scores=scores,
        auc=auc(logits, labels),
        fpr_at_0fn=fpr_at_fn(logits, labels, 0),
        fpr_at_1fn=fpr_at_fn(logits, labels, 1),
        oracle_threshold=threshold_at_fn(logits, labels, 0),
        locked=None if threshold is None else at_threshold(logits, labels, threshold.value),
    )
