"""`prostate-alm`: the Typer application, one file per group of commands."""

import sys

import typer

from prostate_alm.cli import cifar10, console, data, demo, training, triage

app = typer.Typer(
    name="prostate-alm",
    help="Classifiers for critical findings, trained for the false-positive rate at full sensitivity.\n\n"
    "Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error.")) -> None:
    """Options of every command."""
    console.show_tracebacks(debug)


for group in (demo, data, training, triage, cifar10):
    group.register(app)


def main() -> None:
    """Run the command line; a user's mistake becomes one line on stderr and an exit code."""
    sys.exit(console.guarded(app))
