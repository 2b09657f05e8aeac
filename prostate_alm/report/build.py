"""From what an evaluation hands over to everything that is printed, each figure computed once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from prostate_alm.errors import NoInputError
from prostate_alm.figures import Kind
from prostate_alm.metrics import (
    Subgroup,
    by_subgroup,
    calibration,
    holm,
    net_benefit,
    paired_delong,
    paired_permutation,
    recalibrated,
)
from prostate_alm.render.pictures import key_pictures
from prostate_alm.report.content import ArmPair, CaseFacts, DecisionPoint, Evaluated, Grouping, Report, ShownCase
from prostate_alm.report.operating import OperatingPoint, of_kind, operating_point
from prostate_alm.report.predictions import ArmScores
from prostate_alm.report.summary import ArmSummary, summarise

CURVE = (0.01, *(step / 40 for step in range(1, 25)))
"""Threshold probabilities of the decision curve: a missed patient weighs from 99 scans down to less than one."""
SHOWN = 6
"""Needless scans, and positives nearest the threshold, that get a picture."""
MISSED = 12
"""Missed patients that get a picture; the table lists all of them."""


def report_of(evaluated: Evaluated) -> Report:
    """Compute everything that is printed.

    Args:
        evaluated: what was handed over.

    Raises:
        UsageError: if the predictions do not fit together.
        ValueError: if a logit is not finite, a label not 0 or 1, or the training's prevalence outside (0, 1).

    Example:
        >>> rows = [("a", 1, "alm", 2.0), ("b", 0, "alm", 1.0), ("c", 0, "alm", 3.0)]
        >>> report = report_of(Evaluated(rows))
        >>> report.operating.kind, report.operating.errors.needless
        ('oracle', (('c', 3.0),))
    """
    summaries = tuple(summarise(evaluated.predictions, threshold=evaluated.threshold, main_arm=evaluated.main_arm))
    main = next(summary for summary in summaries if summary.arm == evaluated.main_arm)
    scores = main.scores
    operating = operating_point(main, None if evaluated.threshold is None else evaluated.threshold.value)
    report = Report(
        evaluated=evaluated,
        summaries=summaries,
        main=main,
        operating=operating,
        pairs=arm_pairs([summary.scores for summary in summaries]),
        raw_calibration=calibration(scores.logits, scores.labels),
        calibration=None,
        decision_curve=(),
        groupings=() if operating is None else tuple(groupings(scores, evaluated.cases, operating)),
        shown=() if operating is None else tuple(_pictured(shown_cases(main, operating), evaluated)),
    )
    return _with_probabilities(report)


def arm_pairs(arms: Sequence[ArmScores]) -> tuple[ArmPair, ...]:
    """Every arm against those before it, p-values adjusted by Holm, one family per figure.

    Args:
        arms: on the same cases.
    """
    pairs = [(later, earlier) for earlier, later in combinations(arms, 2)]
    areas = holm([paired_delong(one.logits, other.logits, one.labels) for one, other in pairs])
    rates = holm([paired_permutation(one.logits, other.logits, one.labels) for one, other in pairs])
    return tuple(
        ArmPair(one.arm, other.arm, area, rate) for (one, other), area, rate in zip(pairs, areas, rates, strict=True)
    )


def groupings(scores: ArmScores, cases: Mapping[str, CaseFacts], operating: OperatingPoint) -> Iterator[Grouping]:
    """The arm in every value of every grouping that is known of any case.

    Args:
        scores: of the arm.
        cases: case_id -> facts.
        operating: its threshold.
    """
    facts = [cases.get(case_id, CaseFacts()) for case_id in scores.case_ids]
    for name in dict.fromkeys(name for one in facts for name in one.groups):
        values = [one.groups.get(name) for one in facts]
        if any(values):
            found = by_subgroup(scores.logits, scores.labels, values, operating.threshold)
            yield Grouping(name, tuple(_of_kind(group, operating.kind) for group in found))


def shown_cases(main: ArmSummary, operating: OperatingPoint) -> Iterator[ShownCase]:
    """The missed, worst first; where nobody is missed the lowest positives; the needless scans nearest the threshold.

    Args:
        main: the arm.
        operating: its threshold.
    """
    errors, scores = operating.errors, main.scores
    for case_id, logit in errors.missed[:MISSED]:
        yield ShownCase(case_id, 1, logit, "missed")
    if not errors.missed:
        order = scores.logits.argsort(kind="stable")
        for place in order[scores.labels[order] == 1][:SHOWN]:
            yield ShownCase(scores.case_ids[place], 1, float(scores.logits[place]), "lowest positive")
    for case_id, logit in errors.needless[::-1][:SHOWN]:
        yield ShownCase(case_id, 0, logit, "needless")


def _pictured(shown: Iterable[ShownCase], evaluated: Evaluated) -> Iterator[ShownCase]:
    """With pictures where the volumes are at hand; a volume that cannot be read leaves its case without."""
    for case in shown:
        images = evaluated.cases[case.case_id].images if case.case_id in evaluated.cases else {}
        if not (evaluated.pictured and images):
            yield case
            continue
        try:
            yield replace(case, pictures=tuple(key_pictures(images)))
        except NoInputError:
            yield case


def _of_kind(group: Subgroup, kind: Kind) -> Subgroup:
    return group if group.figures is None else replace(group, figures=of_kind(group.figures, kind))


def _with_probabilities(report: Report) -> Report:
    """Calibration and net benefit are of probabilities, and those need the prevalence that the model learnt."""
    learnt, own, scores = report.evaluated.training_prevalence, report.prevalence, report.main.scores
    if learnt is None or own is None:
        return report
    shifted = recalibrated(scores.logits, calibrated_prevalence=learnt, prevalence=own)
    curve = [
        DecisionPoint(
            pt,
            net_benefit(
                scores.logits,
                scores.labels,
                threshold_probability=pt,
                prevalence=own,
                calibrated_prevalence=learnt,
            ),
        )
        for pt in CURVE
    ]
    return replace(report, calibration=calibration(shifted, scores.labels), decision_curve=tuple(curve))
