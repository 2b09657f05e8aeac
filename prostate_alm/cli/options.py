"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Harmonise = Annotated[
    bool, typer.Option("--harmonise", help="Compute b100, b600, b1000 from other b-values (mono-exponential fit).")
]
Rules = Annotated[
    Path | None,
    typer.Option("--rules", metavar="FILE", help="The site's rules (YAML): which series to use, limits of the checks."),
]
