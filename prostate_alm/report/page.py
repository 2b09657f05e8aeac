"""The report as one HTML page that needs nothing from outside itself."""

import base64
from collections.abc import Sequence
from dataclasses import replace

from prostate_alm import __version__
from prostate_alm.figures import Figure
from prostate_alm.render import environment, inline_script, json_block
from prostate_alm.report import remarks, wording
from prostate_alm.report.checklist import checklists
from prostate_alm.report.content import Report
from prostate_alm.report.live import live_data
from prostate_alm.report.origin import provenance_rows
from prostate_alm.report.plots import Plots, overlaid, plots_of
from prostate_alm.report.prevalences import at_prevalences

PACKAGE = "prostate_alm.report"
SCRIPTS = ("figures.js", "report.js")


def html(report: Report, plots: Plots | None = None) -> str:
    """The page as text; the same content gives the same bytes.

    Args:
        report: computed.
        plots: its pictures, if they are drawn already.
    """
    script, allowed = inline_script(PACKAGE, *SCRIPTS)
    live = live_data(report)
    return (
        environment(PACKAGE)
        .get_template("report.html.j2")
        .render(
            report=report,
            evaluated=report.evaluated,
            main=report.main,
            operating=report.operating,
            words=wording,
            version=__version__,
            plots=plots or plots_of(report),
            arms=overlaid(report),
            methods=methods(report),
            data_uri=data_uri,
            remarks=remarks,
            provenance=provenance_rows(report),
            promise=_promise(report),
            prevalences=at_prevalences(report),
            checklists=checklists(report),
            live=None if live is None else json_block(live),
            script=script,
            allowed=allowed,
        )
    )


def _promise(report: Report) -> str:
    """The threshold's promise, without a notice that stands above it already."""
    threshold, notice = report.evaluated.threshold, report.evaluated.notice
    if threshold is None:
        return ""
    return (replace(threshold, notice="") if threshold.notice == notice else threshold).promise


def data_uri(png: bytes) -> str:
    """A PNG as it stands inside a page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def methods(report: Report) -> list[tuple[str, str]]:
    """Figure and method, each pair once, in the order of the report; an AUC has no threshold and so no kind.

    Args:
        report: computed.
    """
    figures: list[Figure] = []
    for summary in report.summaries:
        figures += [summary.auc, summary.fpr_at_0fn, summary.fpr_at_1fn]
        figures += summary.locked.figures if summary.locked else ()
    for pair in report.pairs:
        figures += [pair.auc.difference, pair.fpr_at_0fn.difference]
    if report.operating is not None:
        figures += report.operating.table.figures if report.operating.kind == "oracle" else ()
        figures += report.operating.at_prevalence.figures if report.operating.at_prevalence else ()
    figures += (report.calibration or report.raw_calibration).figures
    for point in report.decision_curve[:1]:
        figures += point.benefit.figures
        figures += (point.anew.model, point.anew.net_scans_avoided) if point.anew else ()
    return _once(figures)


def _once(figures: Sequence[Figure]) -> list[tuple[str, str]]:
    named = [(_name(one), one.method if one.value is not None else wording.plain(one.method)) for one in figures]
    return list(dict.fromkeys(named))


def _name(figure: Figure) -> str:
    without_place = figure.name.partition(" at ")[0]
    needs_threshold = not figure.name.startswith(("AUC", "calibration", "Brier", "net"))  # net benefit, scans
    return f"{without_place} ({figure.kind})" if needs_threshold else without_place
