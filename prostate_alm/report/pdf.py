"""The report as PDF: the figures of the page, on paper that nobody can move a slider on."""

from typing import Any

from prostate_alm import __version__
from prostate_alm.figures import Figure
from prostate_alm.metrics import LockedFigures
from prostate_alm.render.pdf import typeset
from prostate_alm.report import remarks, wording
from prostate_alm.report.checklist import Checklist, checklists
from prostate_alm.report.content import Report
from prostate_alm.report.flow import Flow
from prostate_alm.report.origin import provenance_rows, training_rows
from prostate_alm.report.page import methods
from prostate_alm.report.plots import Plots, plots_of
from prostate_alm.report.prevalences import at_prevalences
from prostate_alm.report.summary import ArmSummary

DISCLAIMER = "Research software, not a medical device"
_FOOT = 160


def pdf_bytes(report: Report, plots: Plots | None = None) -> bytes:
    """The report as PDF, A4; the same report gives the same bytes.

    Args:
        report: computed.
        plots: its pictures, if they are drawn already.
    """
    plots = plots or plots_of(report)
    drawn = {"roc": plots.roc, "calibration": plots.calibration, "decision": plots.decision}
    drawn |= {f"scores{place}": picture for place, picture in enumerate(plots.scores.values())}
    pictures = {f"{name}.svg": picture.encode() for name, picture in drawn.items() if picture}
    seen = [picture for case in report.shown for picture in case.pictures]
    pictures |= {f"case{place:03}.png": picture.png for place, picture in enumerate(seen)}
    return typeset("prostate_alm.report", "report.typ", _content(report, plots), pictures)


def _content(report: Report, plots: Plots) -> dict[str, Any]:
    main, evaluated = report.main, report.evaluated
    return {
        "disclaimer": DISCLAIMER,
        "version": __version__,
        "notice": evaluated.notice,
        "notice_in_brief": _brief(evaluated.notice),
        "n1": report.n1,
        "n0": report.n0,
        "arm": wording.arm_name(main.arm),
        "arm_note": wording.ARM_NOTES.get(main.arm, ""),
        "oracle": _oracle(report),
        "locked": _locked(report),
        **_remarks(report),
        "operating": _operating(report),
        "prevalences": _prevalences(report),
        "arms": [_arm(one) for one in report.summaries],
        "pairs": _pairs(report),
        "plots": {name: getattr(plots, name) is not None for name in ("roc", "calibration", "decision")},
        "scores": [wording.arm_name(arm) for arm in plots.scores],
        **_probabilities(report),
        "groupings": _groupings(report),
        "alike": [f"{one.name}: {one.groups[0].name}, all cases." for one in report.groupings if not one.varied],
        "shown": _shown(report),
        **_origin(report),
    }


def _brief(text: str) -> str:
    """What a page's foot has room for; the first page has it all."""
    return text if len(text) <= _FOOT else text[: _FOOT - 4] + " ..."


def _rate(figure: Figure) -> dict[str, Any]:
    return vars(wording.rate(figure)) | {"defined": figure.value is not None}


def _area(figure: Figure) -> dict[str, Any]:
    return vars(wording.area(figure)) | {"defined": figure.value is not None}


def _count(figure: Figure) -> dict[str, Any]:
    return vars(wording.count(figure)) | {"defined": figure.value is not None}


def _table(table: LockedFigures) -> dict[str, Any]:
    return {
        "tp": table.tp,
        "fn": table.fn,
        "tn": table.tn,
        "fp": table.fp,
        "sensitivity": _rate(table.sensitivity),
        "specificity": _rate(table.specificity),
        "fpr": _rate(table.fpr),
        "fn_rate": _rate(table.fn_rate) | {"bound": wording.upper_bound(table.fn_rate)},
    }


def _oracle(report: Report) -> dict[str, Any]:
    main = report.main
    told = _rate(main.fpr_at_0fn) | {"one": _rate(main.fpr_at_1fn), "auc": _area(main.auc)}
    return told if report.oracle is None else told | {"fn_rate": _table(report.oracle.table)["fn_rate"]}


def _remarks(report: Report) -> dict[str, Any]:
    return {
        "few": remarks.few_positives(report),
        "broken": remarks.against_promise(report),
        "chosen_here": remarks.chosen_here(report),
        "cautions": remarks.cautions(report),
        "same_patients": " ".join(remarks.same_patients(report) or ()),
        "not_assessed": remarks.not_assessed(report),
        "shown_said": remarks.shown_cases(report),
        "no_pictures": remarks.no_pictures(report),
        "anew": wording.ANEW,
    }


def _arm(summary: ArmSummary) -> dict[str, Any]:
    return {
        "name": wording.arm_name(summary.arm),
        "note": wording.ARM_NOTES.get(summary.arm, ""),
        "figures": [_area(summary.auc), _rate(summary.fpr_at_0fn), _rate(summary.fpr_at_1fn)],
    }


def _locked(report: Report) -> dict[str, Any] | None:
    threshold, table = report.evaluated.threshold, report.main.locked
    if threshold is None or table is None:
        return None
    return _table(table) | {
        "kind": threshold.kind,
        "threshold": wording.fixed(threshold.value),
        "promise": threshold.promise,
    }


def _operating(report: Report) -> dict[str, Any] | None:
    point = report.operating
    if point is None:
        return None
    told = {
        name: [[case_id, wording.fixed(logit)] for case_id, logit in cases]
        for name, cases in (("missed", point.errors.missed), ("needless", point.errors.needless))
    }
    return _table(point.table) | told | {"kind": point.kind, "threshold": wording.fixed(point.threshold)}


def _prevalences(report: Report) -> list[dict[str, Any]]:
    own = None if report.operating is None else report.operating.prevalence
    return [
        {
            "prevalence": f"{prevalence:.0%}" if prevalence != own else f"{prevalence:.1%}",
            "own": prevalence == own,
            "avoided": _count(figures.scans_avoided),
            "wrongly": _count(figures.wrongly_avoided) | {"one_in": wording.one_in(figures.wrongly_avoided)},
            "npv": _rate(figures.npv),
            "ppv": _rate(figures.ppv),
        }
        for prevalence, figures in at_prevalences(report)
    ]


def _pairs(report: Report) -> list[dict[str, str]]:
    return [
        {
            "arms": f"{wording.arm_name(pair.arm)} against {wording.arm_name(pair.against)}",
            "auc": wording.difference(pair.auc),
            "interval": wording.area(pair.auc.difference).interval,
            "auc_p": wording.p_value(pair.auc.p_value),
            "fpr": wording.difference(pair.fpr_at_0fn),
            "fpr_p": wording.p_value(pair.fpr_at_0fn.p_value),
        }
        for pair in report.pairs
    ]


def _probabilities(report: Report) -> dict[str, Any]:
    shown = report.calibration or report.raw_calibration
    learnt, own = report.evaluated.training_prevalence, report.prevalence
    return {
        "calibration": {
            "figures": [_area(figure) for figure in shown.figures],
            "recalibrated": report.calibration is not None,
            "learnt": "" if learnt is None else f"{learnt:.1%}",
            "own": "" if own is None else f"{own:.1%}",
            "no_probabilities": remarks.no_probabilities(report),
            "warning": remarks.miscalibrated(report),
        },
        "benefit": [
            {
                "pt": f"1 in {1 / point.threshold_probability:.0f} ({point.threshold_probability:.0%})",
                "model": _area(point.benefit.model),
                "all": _area(point.benefit.dce_for_all)["value"],
                "avoided": _count(point.benefit.net_scans_avoided),
                "anew": point.anew and _area(point.anew.model),
            }
            for point in report.decision_curve
            if point.listed
        ],
    }


def _groupings(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "name": grouping.name,
            "groups": [
                {
                    "name": group.name,
                    "cases": f"{group.n1}, {group.n0}",
                    "reason": group.reason,
                    "table": None if group.figures is None else _table(group.figures),
                }
                for group in grouping.groups
            ],
        }
        for grouping in report.groupings
        if grouping.varied
    ]


def _shown(report: Report) -> list[dict[str, Any]]:
    place, rows = 0, []
    for case in report.shown:
        pictures = [
            {
                "file": f"case{place + order:03}.png",
                "caption": f"{wording.ROLES[case.role]}, case {case.case_id}: {picture.caption}",
            }
            for order, picture in enumerate(case.pictures)
        ]
        place += len(pictures)
        rows.append(
            {
                "case": case.case_id,
                "role": wording.ROLES[case.role],
                "positive": case.label == 1,
                "score": wording.fixed(case.logit),
                "pictures": pictures,
                "lacking": wording.NO_PICTURES.get(case.lacking, ""),
            }
        )
    return rows


def _flow(flow: Flow) -> dict[str, Any]:
    left = {"without a label": flow.unlabelled, "so that the class ratio holds": flow.thinned}
    return {
        "read": "unknown" if flow.read is None else str(flow.read),
        "excluded": [[reason, str(count)] for reason, count in flow.excluded]
        or [["unknown" if flow.read is None else "none", ""]],
        "prepared": str(flow.prepared),
        "left": [[reason, str(count)] for reason, count in left.items() if count],
        "analysed": str(flow.analysed),
        "patients": str(flow.patients),
        "harmonised": [["with harmonised b-values", str(flow.harmonised)]] if flow.harmonised else [],
        "positives": str(flow.positives),
        "negatives": str(flow.negatives),
        "notes": flow.notes,
    }


def _origin(report: Report) -> dict[str, Any]:
    flow = report.evaluated.flow
    return {
        "provenance": provenance_rows(report),
        "training": training_rows(report),
        "methods": methods(report),
        "flow": None if flow is None else _flow(flow),
        "checklists": [_checklist(one) for one in checklists(report)],
    }


def _checklist(checklist: Checklist) -> dict[str, Any]:
    items = [vars(item) | {"status": item.status} for item in checklist.items]
    return vars(checklist) | {"summary": checklist.summary, "items": items}
