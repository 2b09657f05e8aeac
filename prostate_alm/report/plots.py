"""The pictures of a report as inline SVG."""

from collections.abc import Mapping
from dataclasses import dataclass

from prostate_alm.metrics import RocPoints, roc_points
from prostate_alm.render import Mark, calibration_plot, decision_plot, roc_plot, score_plot
from prostate_alm.report import wording
from prostate_alm.report.content import Report
from prostate_alm.report.summary import ArmSummary

OVERLAID = 4
"""Arms whose curves can be told apart; the main one is always among them."""


@dataclass(frozen=True)
class Plots:
    """Pictures as `<svg>` elements.

    Args:
        roc: all arms overlaid; None if a class is missing.
        scores: arm -> its scores by class; the main arm first.
        calibration: None if there are no cases in it.
        decision: None if there is no decision curve.
    """

    roc: str | None
    scores: Mapping[str, str]
    calibration: str | None
    decision: str | None


def plots_of(report: Report) -> Plots:
    """Draw a report's pictures.

    Args:
        report: computed.
    """
    return Plots(
        roc=_roc(report),
        scores={summary.arm: _scores(report, summary) for summary in overlaid(report)},
        calibration=_calibration(report),
        decision=_decision(report),
    )


def overlaid(report: Report) -> list[ArmSummary]:
    """The arms that are drawn and can be chosen, the main one first."""
    others = (summary for summary in report.summaries if summary is not report.main)
    return [report.main, *others][:OVERLAID]


def _roc(report: Report) -> str | None:
    oracle, locked = report.main.fpr_at_0fn.value, report.main.locked
    if oracle is None:
        return None
    curves: dict[str, RocPoints] = {
        f"{wording.arm_name(summary.arm)}, AUC {wording.area(summary.auc).value}": roc_points(
            summary.scores.logits, summary.scores.labels
        )
        for summary in overlaid(report)
    }
    name = wording.arm_name(report.main.arm)
    marks = [Mark(oracle, 1.0, f"{name}: 0 missed (oracle)")]
    if locked:
        rates = locked.fp / report.n0, locked.tp / report.n1
        marks.append(Mark(*rates, f"{name}: locked threshold"))
    return roc_plot(curves, marks, title="ROC curves of all arms, with the operating points")


def _scores(report: Report, summary: ArmSummary) -> str:
    logits, positive = summary.scores.logits, summary.scores.labels == 1
    own = report.operating is not None and summary is report.main
    return score_plot(
        logits[positive],
        logits[~positive],
        threshold=report.operating.threshold if own and report.operating else summary.oracle_threshold.value,
        title=f"Distribution of scores by class, arm {wording.arm_name(summary.arm)}",
        name=f"scores{report.summaries.index(summary)}",
    )


def _calibration(report: Report) -> str | None:
    curves = {"as the model says": report.raw_calibration}
    if report.calibration is not None:
        curves = {"recalibrated": report.calibration} | curves
    return calibration_plot(curves, title="Calibration: observed share of positives over predicted probability")


def _decision(report: Report) -> str | None:
    point = report.operating
    if point is None or not report.decision_curve:
        return None
    name = wording.arm_name(report.main.arm)
    curves = {
        f"{name}, {point.kind} threshold": [(one.threshold_probability, one.benefit) for one in report.decision_curve]
    }
    anew = [(one.threshold_probability, one.anew) for one in report.decision_curve if one.anew]
    if anew:
        curves[f"{name}, cut-off chosen anew"] = anew
    return decision_plot(curves, title=f"Decision curve: net benefit of {name}")
