"""A comparison written down: Markdown, a long table, JSON and one self-contained page."""

from pathlib import Path
from typing import Any

from prostate_alm import __version__
from prostate_alm.figures import Figure
from prostate_alm.files import output_folder, write_csv, write_json, write_text
from prostate_alm.render import environment
from prostate_alm.report.comparison.compare import ArmFigures, Comparison, Gain
from prostate_alm.report.comparison.grids import comparison_grids
from prostate_alm.report.comparison.reading import Evaluation
from prostate_alm.report.comparison.training import CONSTRAINT

TITLE = "Base, continued and ALM on the same test cases"
COLUMNS = (
    "class_ratio", "tested", "loss", "arm", "figure", "against", "value", "low", "high", "confidence", "n1", "n0",
    "kind", "method", "p_value", "p_holm",
)  # fmt: skip


def write_comparison(out: Path | str, comparison: Comparison) -> Path:
    """Write `comparison.md`, `.csv` (long form), `.json` (the same rows), `.html`; all is made before any is written.

    Args:
        out: folder for the four files.
        comparison: what is written.

    Returns:
        The path of `comparison.html`.

    Raises:
        OutputError: if the folder cannot be written to.
    """
    text, page, rows = markdown(comparison), _page(comparison), comparison_rows(comparison)
    folder = output_folder(out)
    write_text(folder / "comparison.md", text)
    write_csv(folder / "comparison.csv", COLUMNS, rows)
    write_json(folder / "comparison.json", {"notices": comparison.notices, "rows": rows})
    return write_text(folder / "comparison.html", page)


def markdown(comparison: Comparison) -> str:
    """The tables as Markdown, the models' warnings first."""
    parts = [f"# {TITLE}\n", "Research software, not a medical device.\n"]
    parts += [f"**{notice}**\n" for notice in comparison.notices]
    return "\n".join([*parts, *(grid.markdown() for grid in comparison_grids(comparison))])


def comparison_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """The long form: one row for each figure of each arm, each paired test and each hyper-parameter."""
    rows = [row for one in comparison.arms for row in _arm_rows(one)]
    rows += [_gain_row(gain) for gains in comparison.gains.values() for gain in gains]
    return [dict.fromkeys(COLUMNS) | row for row in rows]


def _page(comparison: Comparison) -> str:
    template = environment("prostate_alm.report").get_template("comparison.html.j2")
    return template.render(
        title=TITLE, notices=comparison.notices, grids=comparison_grids(comparison), version=__version__
    )


def _arm_rows(one: ArmFigures) -> list[dict[str, Any]]:
    trained = one.evaluation.trained
    name = _name(one.evaluation, one.arm)
    rows = [name | _told(figure) for figure in (*one.figures, *one.evaluation.locked.get(one.arm, ()))]
    if one.member_aucs is not None:
        found = one.member_aucs
        about = {"n1": found.n1, "n0": found.n0, "method": found.reason or f"over {len(found.values)} members"}
        rows.append(name | about | {"figure": "member AUC, mean", "value": found.mean})
        rows.append(name | about | {"figure": "member AUC, sd", "value": found.standard_deviation})
    for key, value in trained.hyperparameters.items():
        if key not in CONSTRAINT or one.arm == "alm":
            rows.append(name | {"figure": key, "value": value})
    aucs = trained.validation_aucs.get(one.arm, ())
    if aucs:
        about = {"figure": "validation AUC, mean", "method": f"over {len(aucs)} members"}
        rows.append(name | about | {"value": sum(aucs) / len(aucs)})
    return rows


def _gain_row(gain: Gain) -> dict[str, Any]:
    about = {"against": gain.against, "p_value": gain.test.p_value, "p_holm": gain.adjusted.p_value}
    method = {"method": f"{gain.test.difference.method}; adjustment: {gain.adjusted.adjustment}"}
    return _name(gain.evaluation, "alm") | _told(gain.test.difference) | method | about


def _name(one: Evaluation, arm: str) -> dict[str, Any]:
    return {"class_ratio": one.trained.ratio, "tested": one.tested, "loss": one.trained.loss, "arm": arm}


def _told(figure: Figure) -> dict[str, Any]:
    low, high = figure.interval or (None, None)
    about = {"figure": figure.name, "value": figure.value, "low": low, "high": high, "confidence": figure.confidence}
    return about | {"n1": figure.n1, "n0": figure.n0, "kind": figure.kind, "method": figure.method}
