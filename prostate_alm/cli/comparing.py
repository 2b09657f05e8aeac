"""`prostate-alm compare`: evaluations side by side, in the form of the paper's tables."""

import json
from pathlib import Path
from typing import Annotated

import typer

from prostate_alm.cli import console


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compare)


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="What 'prostate-alm evaluate' wrote, at any depth.")
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for comparison.md, .csv, .json and .html.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The rows as JSON instead of tables.")] = False,
) -> None:
    """Put evaluations on the same test cases side by side: Tables 1, 3 and 7 of the paper, intervals, paired tests.

    Example: prostate-alm compare evaluations/ --out comparison/
    """
    from prostate_alm.report.comparison import compare as compare_evaluations
    from prostate_alm.report.comparison import (
        comparison_rows,
        markdown,
        read_evaluations,
        write_comparison,
    )

    found = compare_evaluations(read_evaluations(folders))
    page = None if out is None else write_comparison(out, found)
    if as_json:
        rows = {"notices": found.notices, "rows": comparison_rows(found)}
        console.result(json.dumps(rows, allow_nan=False, ensure_ascii=False))
    else:
        console.result(markdown(found).rstrip())
    if page is not None:
        console.note(f"also in {page.parent}")
