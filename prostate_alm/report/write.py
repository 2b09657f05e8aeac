"""Write an evaluation down: metrics.json, predictions.csv and report.html."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prostate_alm.files import output_folder, write_csv, write_json, write_text
from prostate_alm.operating_point import Threshold
from prostate_alm.report.page import Page
from prostate_alm.report.predictions import COLUMNS, METRICS, PREDICTIONS, Rows
from prostate_alm.report.summary import ArmSummary, figure_rows, summarise


def write_report(
    out: Path | str,
    predictions: Rows,
    *,
    notice: str,
    threshold: Threshold | None,
    provenance: Mapping[str, Any],
    main_arm: str = "alm",
) -> Path:
    """Write `metrics.json`, `predictions.csv` and `report.html`; everything is made before anything is written.

    Args:
        out: folder for the three files.
        predictions: rows (case_id, label, arm, logit[, members]); the arms hold the same cases.
        notice: a warning that every file repeats, or empty.
        threshold: locked threshold of the main arm's model; None reports oracle figures alone.
        provenance: model name, version, hashes, cohort, as the last table of the page shows them.
        main_arm: the arm that the report answers for.

    Returns:
        The path of `report.html`.

    Raises:
        UsageError: if the predictions do not fit together.
        ValueError: if a logit is not finite or a label not 0 or 1.
        OutputError: if the folder cannot be written to.
    """
    summaries = summarise(predictions, threshold=threshold, main_arm=main_arm)
    main = next(summary for summary in summaries if summary.arm == main_arm)
    page = Page(summaries, main, threshold, notice, provenance).html()
    folder = output_folder(out)
    write_figures(folder, summaries, notice)
    return write_text(folder / "report.html", page)


def write_figures(folder: Path, summaries: Sequence[ArmSummary], notice: str) -> None:
    """Write `metrics.json` and `predictions.csv`, which is what its figures, and those of a comparison, are made from.

    Args:
        folder: exists.
        summaries: one per arm.
        notice: a warning that every row of both repeats, or empty.
    """
    warned = {"notice": notice} if notice else {}
    write_csv(folder / PREDICTIONS, [*_columns(summaries), *warned], (row | warned for row in _rows(summaries)))
    write_json(folder / METRICS, [row | warned for row in figure_rows(summaries)])


def member_column(member: int) -> str:
    """The column of `predictions.csv` that holds one member's logits.

    Example:
        >>> member_column(3)
        'member_03'
    """
    return f"member_{member:02d}"


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
