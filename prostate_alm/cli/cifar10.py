"""`prostate-alm cifar10`: the paper's tables from public images, through the engine that trains a hospital's models."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prostate_alm.cli import console
from prostate_alm.cli.engines import ADDRESS, ENGINE, GPUS, PROCESSES, engine_of
from prostate_alm.errors import UsageError

if TYPE_CHECKING:
    from prostate_alm.cifar10.reproduce import Request
    from prostate_alm.cifar10.results import ArmResult
    from prostate_alm.cifar10.run import Run
    from prostate_alm.training import Engine

commands = typer.Typer(no_args_is_help=True, help="Reproduce the paper's CIFAR10 tables.")

DATA = Annotated[Path, typer.Option("--data", help="cifar-10-batches-py, its parent, or cifar-10-python.tar.gz.")]
OUT = Annotated[Path, typer.Option("--out", help="Folder for the results and tables.")]


def register(app: typer.Typer) -> None:
    """Add the group `cifar10`."""
    app.add_typer(commands, name="cifar10")


@commands.callback()
def group() -> None:
    """Reproduce the paper's CIFAR10 tables."""


@commands.command()
def reproduce(
    data: DATA,
    out: OUT,
    table: Annotated[str, typer.Option("--table", metavar="2|4|5|6|8|all", help="Which table of the paper.")] = "2",
    search: Annotated[
        bool, typer.Option("--search", help="Look for the hyper-parameters, instead of the paper's (Table 8).")
    ] = False,
    loss: Annotated[list[str] | None, typer.Option("--loss", help="Only this loss; may be repeated.")] = None,
    ratio: Annotated[list[str] | None, typer.Option("--ratio", help="Only this class ratio; may be repeated.")] = None,
    classes: Annotated[
        str | None, typer.Option("--classes", metavar="N,P", help="Another class pair: negative, positive.")
    ] = None,
    members: Annotated[int | None, typer.Option("--members", help="Networks in an ensemble. [default: 10]")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of splits and every draw.")] = 0,
    smoke: Annotated[bool, typer.Option("--smoke", help="One loss, one ratio, two members, few epochs.")] = False,
    engine: ENGINE = "local",
    processes: PROCESSES = None,
    address: ADDRESS = None,
    gpus_per_task: GPUS = 0.0,
) -> None:
    """Train what is missing, then print the paper's rows beside ours. Stop it at will: run it again to go on.

    Example: prostate-alm cifar10 reproduce --data cifar-10-batches-py --out results/ --table 2
    """
    from prostate_alm.cifar10.candidates import Published, Searched
    from prostate_alm.cifar10.reproduce import SMOKE, Request

    size = SMOKE if smoke else Request()
    request = replace(
        size,
        tables=_tables(table, search),
        settings=Searched() if search else Published(),
        classes=_pair(classes),
        class_ratios=tuple(ratio or size.class_ratios),
        losses=tuple(loss or size.losses),
        members=size.members if members is None else members,
        seed=seed,
    )
    results = _results(data, out, request, engine_of(engine, processes, address, gpus_per_task))
    _show(results, request, out)
    if smoke:
        console.note("small scale: shows that everything runs, not how good the method is")


def _results(data: Path, out: Path, request: "Request", engine: "Engine") -> "list[ArmResult]":
    """Carry a request out; if a row fails, the others get their tables before it is told."""
    from prostate_alm.cifar10.reproduce import reproduce as reproduce_rows

    rows = request.rows()
    with _running(data, out, engine) as (run, spread):
        try:
            return reproduce_rows(run, rows, spread)
        except Exception:
            if run.begun and any(out.glob(f"{request.settings.name}/*.npz")):
                _write_finished(out)
            raise


def _write_finished(out: Path) -> None:
    """Never fails: why the run failed must not be hidden by why its tables cannot be made."""
    from prostate_alm.cifar10.write import write_all

    try:
        console.note(f"the tables of what is finished: {' and '.join(map(str, write_all(out)))}")
    except Exception as error:
        console.note(f"the tables of what is finished cannot be made: {error}")


def _show(results: "Sequence[ArmResult]", request: "Request", out: Path) -> None:
    """Print the tables, and write them where they have the paper's classes."""
    from prostate_alm.cifar10.tables import table_grid
    from prostate_alm.cifar10.write import write_all

    for number in request.tables:
        console.result(table_grid(results, number, request.classes).markdown())
    if request.classes is None:
        console.note(f"also in {' and '.join(map(str, write_all(out)))}")


@commands.command()
def settings(
    data: DATA,
    out: OUT,
    engine: ENGINE = "local",
    processes: PROCESSES = None,
    address: ADDRESS = None,
    gpus_per_task: GPUS = 0.0,
) -> None:
    """Choose what all trainings share (network, learning rate, augmentation, epochs), once, on BCE at 1:2.

    Example: prostate-alm cifar10 settings --data cifar-10-batches-py --out results/
    """
    from prostate_alm.cifar10.settings import settings_plan, settings_trainings
    from prostate_alm.cifar10.settings_table import TABLE, markdown, write_settings

    with _running(data, out, engine_of(engine, processes, address, gpus_per_task)) as (run, spread):
        (choices,) = run.carry_out(
            spread, lambda lab: [settings_plan(lab)], named=[("common settings", settings_trainings())]
        )
    console.result(markdown(choices))
    console.note(f"also in {write_settings(out / TABLE, choices)}")


@commands.command()
def tables(
    results: Annotated[Path, typer.Argument(metavar="DIR", help="What reproduce wrote: paper/*.npz, search/*.npz.")],
) -> None:
    """Write the paper's tables beside ours from finished results, as CSV, Markdown and HTML; print the Markdown.

    Example: prostate-alm cifar10 tables results/
    """
    from prostate_alm.cifar10.write import write_all

    text, page = write_all(results)
    console.result(text.read_text(encoding="utf-8").rstrip())
    console.note(f"also in {text} and {page}")


@contextmanager
def _running(data: Path, out: Path, engine: "Engine") -> "Iterator[tuple[Run, Engine]]":
    """A run whose progress is shown, on an engine that is up; a SIGTERM to this process ends it as Ctrl-C does."""
    from prostate_alm.cifar10.run import Run

    with console.terminable(), console.trainings() as shown:
        run = Run(data, out, watch=shown, said=console.note)
        try:
            with engine as spread:
                yield run, spread
        except KeyboardInterrupt:
            console.note("stopped; nothing finished is lost. Run the same command again to go on.")
            raise


def _tables(table: str, search: bool) -> tuple[int, ...]:
    from prostate_alm.cifar10.measures import TABLES
    from prostate_alm.cifar10.reproduce import CHOICES
    from prostate_alm.cifar10.tables import HYPERPARAMETERS

    if table == "all":
        return (*TABLES, *([HYPERPARAMETERS] if search else []))
    if not (table.isdecimal() and len(table) <= 2):
        raise UsageError(f"table {table!r} is unknown; {CHOICES}")
    if int(table) == HYPERPARAMETERS and not search:
        raise UsageError(f"Table {HYPERPARAMETERS} is what the search chooses: give --search")
    return (int(table),)


def _pair(classes: str | None) -> tuple[int, int] | None:
    if classes is None:
        return None
    parts = classes.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() and int(part) < 10 for part in parts):
        raise UsageError(f"class pair {classes!r} is not two class numbers from 0 to 9; write them as in 0,1")
    return int(parts[0]), int(parts[1])
