"""Write the table of the prostate bundle's README from the measured figures in its metadata.json.

    python tools/write_performance.py

Call it after the demo weights were made anew. A maintainer's script: the package never imports it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prostate_alm.bundle import find_bundle
from prostate_alm.files import write_text

BEGIN = "<!-- performance: written by tools/write_performance.py from configs/metadata.json -->\n"
END = "<!-- end of performance -->\n"


def table(eval_metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """`eval_metrics` of a metadata.json, cohort -> arm -> figure, as Markdown."""
    lines: list[str] = []
    for cohort, arms in eval_metrics.items():
        names = list(next(iter(arms.values())))
        lines += ["", f"| {cohort} | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
        lines += [f"| {arm} | {' | '.join(map(cell, figures.values()))} |" for arm, figures in arms.items()]
    return "\n".join(lines) + "\n\n"


def cell(figure: Mapping[str, Any]) -> str:
    """A figure with its interval.

    Example:
        >>> cell({"value": 0.5, "interval": [0.25, 0.75]})
        '0.500 (0.250 to 0.750)'
    """
    low, high = figure["interval"]
    return f"{figure['value']:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Put the table between its two marks."""
    bundle = find_bundle("prostate_dce_classification")
    path: Path = bundle / "docs" / "README.md"
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    write_text(path, before + BEGIN + table(metadata["eval_metrics"]) + END + after)


if __name__ == "__main__":
    main()
