"""A driver of tasks in a process of its own, for tests that kill or interrupt it."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import spread

from prostate_alm.training.engine import Engine, LocalEngine  # noqa: F401  (named by tests)
from prostate_alm.training.plans import Job, Listeners, Plan, PlanRunner
from prostate_alm.training.ray_engine import RayEngine  # noqa: F401  (named by tests)


def one_batch(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Plan[list[Any]]:
    return (yield [Job(function, task) for task in tasks])


def start(folder: Path, count: int, seconds: float, engine: str) -> "subprocess.Popen[str]":
    """Start it on traces in a folder, which is its home too, as the first of a process group."""
    call = f"driver.drive({str(folder)!r}, {count}, {seconds}, driver.{engine})"
    return subprocess.Popen(
        [sys.executable, "-c", f"import driver; {call}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def drive(folder: str, count: int, seconds: float, engine: Engine) -> None:
    tasks = spread.traces(Path(folder), count, seconds)
    try:
        with engine:
            PlanRunner([one_batch(spread.compute, tasks)], engine, Listeners(stopping=_tell)).run()
    except KeyboardInterrupt:
        sys.stdout.write("stopped\n")


def _tell(running: int) -> None:
    sys.stdout.write(f"waits for {running}\n")
    sys.stdout.flush()
