"""`prostate-alm`: the Typer application, one file per group of commands."""

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from prostate_alm.cli import auditing, cifar10, comparing, console, data, demo, doctor, searching, training, triage


class Commands(TyperGroup):
    """The commands; `--debug` may stand anywhere among their arguments."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `--debug` first, where the options of every command belong; what follows `--` is not touched."""
        end = args.index("--") if "--" in args else len(args)
        if "--debug" in args[:end]:
            args = ["--debug", *(arg for arg in args[:end] if arg != "--debug"), *args[end:]]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="prostate-alm",
    cls=Commands,
    help="Classifiers for critical findings, trained for the false-positive rate at full sensitivity.\n\n"
    "Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error; may also stand last."),
) -> None:
    """Options of every command."""
    console.show_tracebacks(debug)


for group in (demo, data, training, searching, comparing, triage, auditing, cifar10, doctor):
    group.register(app)


def main() -> None:
    """Run the command line; a user's mistake becomes one line on stderr and an exit code."""
    sys.exit(console.guarded(app))
