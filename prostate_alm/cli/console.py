"""What every command shares: results on stdout, everything else on stderr, one line for a mistake."""

import math
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from rich.console import Console

from prostate_alm.errors import OutputError, UsageError, UserError


class _Stderr(Console):
    """A terminal that may go away: rich would end the process, and with it the studies that are being decided."""

    def on_broken_pipe(self) -> None:
        """Say nothing more."""
        self.quiet = True


stderr = _Stderr(stderr=True, highlight=False)
_shown: dict[str, bool] = {"traceback": False}
_lost: list[str] = []
"""Why stdout can be written no more, empty as long as it can."""
SOME_UNDECIDED = 3
"""The exit code of `triage` if it could not decide all."""


def show_tracebacks(show: bool) -> None:
    """Remember `--debug` for the error printer."""
    _shown["traceback"] = show


def result(text: str) -> None:
    """One line of result on stdout, there when this returns.

    If nobody reads it any more, or the disk is full, the work goes on without it; `guarded` says so at the end.
    """
    if _lost:
        return
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except (OSError, AttributeError) as error:  # without a stdout from the beginning, Python has None there
        _lost.append(getattr(error, "strerror", None) or "it is closed")
        with suppress(OSError, AttributeError, ValueError):  # what is left of it in memory must go somewhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """One line of progress on stderr."""
    with suppress(OSError):  # there is nowhere left to say so
        stderr.print(text, markup=False, soft_wrap=True)


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while something runs; call it with (done, in all). Silent where there is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def trainings() -> Iterator[Callable[[Any], None]]:
    """Shows a `cifar10.run.Progress` on stderr: a line that changes, or without a terminal one a minute."""
    from rich.live import Live

    if stderr.is_terminal:
        with Live(console=stderr, refresh_per_second=4, transient=True) as live:
            yield lambda progress: live.update(_in_words(progress))
        return
    last = [-math.inf]

    def tell(progress: Any) -> None:
        if time.monotonic() - last[0] >= 60:
            last[0] = time.monotonic()
            note(_in_words(progress))

    yield tell


def _in_words(progress: Any) -> str:
    left = progress.seconds_left
    words = "" if left is None else f", about {timedelta(seconds=60 * math.ceil(left / 60))} left"
    return (
        f"trainings: {progress.done} of {progress.total} done, {progress.running} running, "
        f"{progress.failed} failed{words}"
    )


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, once; what is cleaned up then is not cut short by a second one."""

    def end(_number: int, _frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # only there can signals be taken
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def guarded(run: Callable[..., Any]) -> int:
    """Call the Typer application and turn its outcome into an exit code.

    Returns:
        0, the exit code of a `UserError`, 2 for a usage error, 130 if interrupted, 1 for a bug; 6 if all went well but
        stdout could not be written.
    """
    _lost.clear()
    code = _outcome(run)
    if _lost and code in (0, SOME_UNDECIDED):
        note(f"error: stdout cannot be written ({_lost[0]}): lines of it are lost, the work was done all the same")
        return OutputError.exit_code
    return code


def _outcome(run: Callable[..., Any]) -> int:
    try:
        run()
    except UserError as error:
        return _report(error, error.exit_code)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 0
    except Exception as error:
        note("this is a bug in prostate-alm, please report it (--debug shows where):")
        return _report(error, 1, f"{type(_root(error)).__name__}: {_root(error)}")
    return 0


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _report(error: Exception, code: int, text: str | None = None) -> int:
    if _shown["traceback"]:
        traceback.print_exception(error)
    note(f"error: {' '.join((text or str(error)).split())}")
    return code


def torch_device(name: str) -> str:
    """`cpu`, `cuda` or `cuda:n` as it is; `auto` is the first GPU if there is one.

    Raises:
        UsageError: for anything else, or a GPU that is not there.
    """
    import torch

    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return name
    if not re.fullmatch(r"cuda(:\d+)?", name):
        raise UsageError(f"device {name!r} is unknown; use cpu, cuda, cuda:n or auto")
    if not torch.cuda.is_available() or int(name.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise UsageError(f"device {name} is not available here; use --device cpu")
    return name
