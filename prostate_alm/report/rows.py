"""The rows of metrics.json: one object per figure, with its arm, and the part of the report that it stands in."""

from collections.abc import Iterator, Sequence
from typing import Any

from prostate_alm.figures import Figure
from prostate_alm.metrics import PairedTest
from prostate_alm.report.content import Report
from prostate_alm.report.prevalences import at_prevalences
from prostate_alm.report.summary import ArmSummary


def figure_rows(report: Report) -> list[dict[str, Any]]:
    """Every figure of a report.

    The arms' own figures come first, without a `part`; all others name the part that they stand in: `pairs`,
    `operating point`, `oracle point` (beside a locked threshold), `at prevalence`, `calibration`, `decision curve`,
    `decision curve, cut-off anew`, `subgroups`.

    Kind is `locked` where the figure rests on a threshold that was fixed beforehand on other cases, and `oracle` for
    all else: the AUC, calibration, and a cut-off by probabilities that were recalibrated to the test cases.

    Args:
        report: computed.
    """
    return [*summary_rows(report.summaries), *_pairs(report), *_operating(report), *_probabilities(report),
            *_subgroups(report)]  # fmt: skip


def summary_rows(summaries: Sequence[ArmSummary]) -> list[dict[str, Any]]:
    """The figures of every arm by itself: AUC, FPR at 0 and 1 FN, and those at the locked threshold.

    Args:
        summaries: one per arm.
    """
    rows: list[dict[str, Any]] = []
    for summary in summaries:
        figures = [summary.auc, summary.fpr_at_0fn, summary.fpr_at_1fn]
        figures += summary.locked.figures if summary.locked else ()
        rows += [{"arm": summary.arm} | figure.as_dict() for figure in figures]
    return rows


def _pairs(report: Report) -> Iterator[dict[str, Any]]:
    for pair in report.pairs:
        for test in (pair.auc, pair.fpr_at_0fn):
            yield {"arm": pair.arm, "part": "pairs", "against": pair.against} | _tested(test)


def _tested(test: PairedTest) -> dict[str, Any]:
    return test.difference.as_dict() | {"p_value": test.p_value, "adjustment": test.adjustment}


def _operating(report: Report) -> Iterator[dict[str, Any]]:
    point = report.operating
    if point is None:
        return
    if point.kind == "oracle":  # those of a locked threshold stand with the arm
        yield from _rows(report, "operating point", point.table.figures, threshold=point.threshold)
    elif report.oracle is not None:
        told = {"threshold": report.oracle.threshold}
        yield from _rows(report, "oracle point", report.oracle.table.figures, **told)
    for prevalence, figures in at_prevalences(report):
        told = {"threshold": point.threshold, "prevalence": prevalence}
        yield from _rows(report, "at prevalence", figures.figures, **told)


def _probabilities(report: Report) -> Iterator[dict[str, Any]]:
    learnt = report.evaluated.training_prevalence
    yield from _rows(report, "calibration", report.raw_calibration.figures, recalibrated_to=None)
    if report.calibration is not None:
        told = {"recalibrated_from": learnt, "recalibrated_to": report.prevalence}
        yield from _rows(report, "calibration", report.calibration.figures, **told)
    for point in report.decision_curve:
        told = {"threshold_probability": point.threshold_probability, "prevalence": report.prevalence}
        yield from _rows(report, "decision curve", point.benefit.figures, **told)
        if point.anew is not None:
            chosen = (point.anew.model, point.anew.net_scans_avoided)
            yield from _rows(report, "decision curve, cut-off anew", chosen, **told)


def _subgroups(report: Report) -> Iterator[dict[str, Any]]:
    for grouping in report.groupings:
        for group in grouping.groups:
            told = {"grouping": grouping.name, "group": group.name}
            if group.figures is None:
                yield {"arm": report.main.arm, "part": "subgroups", "n1": group.n1, "n0": group.n0} | told | {
                    "name": "suppressed", "value": None, "interval": None, "confidence": report.main.auc.confidence,
                    "kind": report.operating.kind if report.operating else "oracle", "method": group.reason,
                }  # fmt: skip
            else:
                yield from _rows(report, "subgroups", group.figures.figures, **told)


def _rows(report: Report, part: str, figures: Sequence[Figure], **told: Any) -> Iterator[dict[str, Any]]:
    for figure in figures:
        yield {"arm": report.main.arm, "part": part} | told | figure.as_dict()
