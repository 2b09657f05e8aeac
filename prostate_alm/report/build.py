"""From what an evaluation hands over to everything that is printed, each figure computed once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from prostate_alm.errors import NoInputError
from prostate_alm.figures import Kind
from prostate_alm.metrics import (
    NetBenefit,
    Subgroup,
    by_subgroup,
    calibration,
    holm,
    net_benefit,
    net_benefit_at,
    paired_delong,
    paired_permutation,
    recalibrated,
)
from prostate_alm.render.pictures import KeyPicture, key_pictures
from prostate_alm.report.content import ArmPair, CaseFacts, DecisionPoint, Evaluated, Grouping, Report, ShownCase
from prostate_alm.report.operating import OperatingPoint, marked, of_kind, operating_point
from prostate_alm.report.predictions import ArmScores
from prostate_alm.report.summary import ArmSummary, summarise

LISTED = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Threshold probabilities that tables show: a missed patient weighs from 99 scans down to one."""
CURVE = tuple(sorted({*LISTED, *(step / 40 for step in range(1, 25))}))
"""Threshold probabilities of the decision curve."""
OWN_PREVALENCE = "recalibrated to the prevalence of the test cases"
EVERYONE = "p - (1 - p) w at the prevalence of the test cases; no threshold, no sampling error"
CHOSEN_ANEW = "cut-off set by pt; prevalence of the test cases"
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
        oracle=operating_point(main, None),
        pairs=arm_pairs([summary.scores for summary in summaries]),
        raw_calibration=marked(calibration(scores.logits, scores.labels), "of the test cases, no threshold"),
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
        pictures, lacking = _pictures(images) if evaluated.pictured else ((), "not asked")
        yield replace(case, pictures=pictures, lacking=lacking)


def _pictures(images: Mapping[str, Path]) -> tuple[tuple[KeyPicture, ...], str]:
    """Pictures, or why there are none."""
    try:
        pictures = tuple(key_pictures(images))
    except NoInputError:
        return (), "unreadable"
    return pictures, "" if pictures else "not given"


def _of_kind(group: Subgroup, kind: Kind) -> Subgroup:
    return group if group.figures is None else replace(group, figures=of_kind(group.figures, kind))


def _with_probabilities(report: Report) -> Report:
    """Calibrated probabilities need the prevalence that the model learnt; net benefit at the threshold does not."""
    learnt, own, scores = report.evaluated.training_prevalence, report.prevalence, report.main.scores
    if own is None:
        return report
    report = replace(report, decision_curve=tuple(_decision_curve(report, own)))
    if learnt is None:
        return report
    shifted = recalibrated(scores.logits, calibrated_prevalence=learnt, prevalence=own)
    return replace(report, calibration=marked(calibration(shifted, scores.labels), OWN_PREVALENCE))


def _decision_curve(report: Report, own: float) -> Iterator[DecisionPoint]:
    point, learnt, scores = report.operating, report.evaluated.training_prevalence, report.main.scores
    if point is None:
        return
    for pt in CURVE:
        found = of_kind(net_benefit_at(point.table, threshold_probability=pt, prevalence=own), point.kind)
        everyone = replace(found.dce_for_all, method=EVERYONE)
        anew: NetBenefit | None = None
        if learnt is not None:
            rates = {"threshold_probability": pt, "prevalence": own, "calibrated_prevalence": learnt}
            anew = marked(net_benefit(scores.logits, scores.labels, **rates), CHOSEN_ANEW)
        yield DecisionPoint(pt, replace(found, dce_for_all=everyone), anew, pt in LISTED)
