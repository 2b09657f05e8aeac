"""Command lines, one after the other in a process of its own: what each shows on stdout and on stderr.

One process for all, because torch takes seconds to load; of its own, so that what libraries say to the stderr that they
found at their import, and what C code prints, is not lost.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One call of `prostate-alm`.

    Args:
        name: of the run, for messages.
        arguments: what follows the program's name.
        code: the exit code that is expected.
        salt: the site's salt.
    """

    name: str
    arguments: tuple[str, ...]
    code: int = 0
    salt: str = "a salt for the tests"


@dataclass(frozen=True)
class Done:
    """What a step came to."""

    code: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)


def run_all(steps: Sequence[Step], cwd: Path, shown: Path, environment: Mapping[str, str]) -> dict[str, Done]:
    """Run the steps in order.

    Args:
        steps: with different names.
        cwd: where the process stands; outputs may be given relative to it.
        shown: a folder for what is shown.
        environment: added to this process's.
    """
    shown.mkdir(parents=True)
    plan = shown / "plan.json"
    plan.write_text(json.dumps([asdict(step) for step in steps]))
    process = subprocess.run(
        [sys.executable, "-W", "always", __file__, str(plan)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    codes = json.loads(process.stdout)
    return {
        step.name: Done(
            codes[step.name],
            (shown / f"{step.name}.out").read_bytes(),
            (shown / f"{step.name}.err").read_bytes(),
        )
        for step in steps
    }


def _main(plan: Path) -> None:
    from prostate_alm.cli import main

    codes: dict[str, int | str | None] = {}
    for step in json.loads(plan.read_text()):
        os.environ["PROSTATE_ALM_SALT"] = step["salt"]
        sys.argv = ["prostate-alm", *step["arguments"]]
        with _shown_in(plan.with_name(f"{step['name']}.out"), 1), _shown_in(plan.with_name(f"{step['name']}.err"), 2):
            try:
                main()
            except SystemExit as ending:
                codes[step["name"]] = ending.code
    sys.stdout.write(json.dumps(codes))


@contextmanager
def _shown_in(path: Path, descriptor: int) -> Iterator[None]:
    """What anything in this process or its children writes to a descriptor goes into a file."""
    before = os.dup(descriptor)
    with path.open("wb") as file:
        os.dup2(file.fileno(), descriptor)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(before, descriptor)
            os.close(before)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
