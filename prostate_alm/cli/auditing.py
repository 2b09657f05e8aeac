"""`prostate-alm audit`: is the record of what was decided whole?"""

from pathlib import Path
from typing import Annotated

import typer

from prostate_alm.cli import console

Log = Annotated[Path, typer.Argument(metavar="LOG", help="audit.jsonl of triage, or the folder that holds it.")]
Head = Annotated[
    str | None,
    typer.Option("--head", metavar="HASH", help="A last hash that was noted earlier: its line must still be there."),
]
Alone = Annotated[bool, typer.Option("--log-only", help="Check the log alone, such as a copy without the results.")]


def register(app: typer.Typer) -> None:
    """Add the group `audit`."""
    group = typer.Typer(help="Check the audit log of triage.", no_args_is_help=True)
    group.command()(verify)
    group.callback()(lambda: None)
    app.add_typer(group, name="audit")


def verify(log: Log, head: Head = None, log_only: Alone = False) -> None:
    """Check the chain of an audit log, and the results and the worklist beside it, byte for byte.

    Prints the number of entries and the last hash. Note that hash elsewhere: given as --head later, it tells whether
    entries were cut off the end. Exit code 8 if anything differs; the line or file is named. It may be called while
    triage runs: exit code 2 if the folder does not come to rest.

    Example: prostate-alm audit verify triage/audit.jsonl
    """
    from prostate_alm.triage.verify import verify_log

    verified = verify_log(log, head=head, alone=log_only)
    for note in verified.notes:
        console.note(f"note: {note}")
    console.result(f"{verified.entries} entries, last hash {verified.head}")
