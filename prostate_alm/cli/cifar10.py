"""`prostate-alm cifar10`: the paper's tables from public images, through the engine that trains a hospital's models."""

from pathlib import Path
from typing import Annotated

import typer

from prostate_alm.cli import console
from prostate_alm.errors import UsageError

commands = typer.Typer(no_args_is_help=True, help="Reproduce the paper's CIFAR10 tables.")

Table = Annotated[str, typer.Option("--table", metavar="2", help="Which table of the paper.")]


def register(app: typer.Typer) -> None:
    """Add the group `cifar10`."""
    app.add_typer(commands, name="cifar10")


@commands.callback()
def group() -> None:
    """Reproduce the paper's CIFAR10 tables."""


@commands.command()
def reproduce(
    data: Annotated[Path, typer.Option("--data", help="cifar-10-batches-py, its parent, or cifar-10-python.tar.gz.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results and tables.")],
    table: Table = "2",
    smoke: Annotated[bool, typer.Option("--smoke", help="One loss, one ratio, two members, few epochs.")] = False,
    processes: Annotated[
        int | None, typer.Option("--processes", help="Members at a time. [default: the cores]")
    ] = None,
) -> None:
    """Train what is missing, then print the paper's rows beside ours.

    Example: prostate-alm cifar10 reproduce --data cifar-10-batches-py --out results/ --table 2 --smoke
    """
    if table != "2" or not smoke:
        raise UsageError("this version reproduces Table 2 on a small scale only: give --table 2 --smoke")
    from prostate_alm.cifar10.reproduce import SMOKE, reproduce_row
    from prostate_alm.cifar10.tables import write_tables

    results = reproduce_row(data, out, SMOKE, processes=processes, progress=console.note)
    made, text = write_tables(out, results, 2)
    console.result(text.read_text(encoding="utf-8").rstrip())
    console.note(f"small scale: shows that everything runs, not how good the method is; also in {made}")
