"""Write an evaluation down: metrics.json, predictions.csv, report.html and report.pdf."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from prostate_alm.files import output_folder, whole_file, write_csv, write_json, write_text
from prostate_alm.report.build import report_of
from prostate_alm.report.content import Evaluated, Report
from prostate_alm.report.page import html
from prostate_alm.report.pdf import pdf_bytes
from prostate_alm.report.plots import plots_of
from prostate_alm.report.predictions import COLUMNS, METRICS, PREDICTIONS
from prostate_alm.report.rows import figure_rows, summary_rows
from prostate_alm.report.summary import ArmSummary

PAGE, PDF = "report.html", "report.pdf"


def write_report(out: Path | str, evaluated: Evaluated) -> Report:
    """Write `metrics.json`, `predictions.csv`, `report.html` and, if `evaluated.pictured`, `report.pdf`.

    Everything is made before anything is written.

    Args:
        out: folder for the files.
        evaluated: predictions, and what is known besides.

    Returns:
        What they were made from.

    Raises:
        UsageError: if the predictions do not fit together.
        ValueError: if a logit is not finite or a label not 0 or 1.
        OutputError: if the folder cannot be written to.
    """
    report = report_of(evaluated)
    plots = plots_of(report)
    page, pdf = html(report, plots), pdf_bytes(report, plots) if evaluated.pictured else None
    folder = output_folder(out)
    for name in (PAGE, PDF, METRICS, PREDICTIONS):  # none of an earlier evaluation may stand beside new ones
        (folder / name).unlink(missing_ok=True)
    _write(folder, report.summaries, figure_rows(report), evaluated.notice)
    write_text(folder / PAGE, page)
    if pdf is not None:
        with whole_file(folder / PDF) as part:
            part.write_bytes(pdf)
    return report


def write_figures(folder: Path, summaries: Sequence[ArmSummary], notice: str) -> None:
    """Write `metrics.json` and `predictions.csv` with what a comparison reads of them: each arm's own figures.

    Args:
        folder: exists.
        summaries: one per arm.
        notice: a warning that every row of both repeats, or empty.
    """
    _write(folder, summaries, summary_rows(summaries), notice)


def member_column(member: int) -> str:
    """The column of `predictions.csv` that holds one member's logits.

    Example:
        >>> member_column(3)
        'member_03'
    """
    return f"member_{member:02d}"


def _write(folder: Path, summaries: Sequence[ArmSummary], rows: Iterable[dict[str, Any]], notice: str) -> None:
    warned = {"notice": notice} if notice else {}
    write_csv(folder / PREDICTIONS, [*_columns(summaries), *warned], (row | warned for row in _rows(summaries)))
    write_json(folder / METRICS, [row | warned for row in rows])


def _columns(summaries: Sequence[ArmSummary]) -> list[str]:
    return [*COLUMNS, *(member_column(member) for member in range(len(summaries[0].scores.members)))]


def _rows(summaries: Sequence[ArmSummary]) -> list[dict[str, Any]]:
    """The predictions as they were understood: arms in order, cases by id, whole labels."""
    return [
        {"case_id": case_id, "label": int(label), "arm": summary.arm, "logit": logit}
        | {member_column(member): logits[place] for member, logits in enumerate(summary.scores.members.tolist())}
        for summary in summaries
        for place, (case_id, label, logit) in enumerate(
            zip(summary.scores.case_ids, summary.scores.labels.tolist(), summary.scores.logits.tolist(), strict=True)
        )
    ]
