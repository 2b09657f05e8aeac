"""Tasks for engines that workers can import, and quickly: they leave traces, and some die."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prostate_alm.errors import NoInputError
from prostate_alm.files import write_text


@dataclass(frozen=True)
class Trace:
    """A task whose result is `<name>.txt`; its start is a line `<name> <process>` of the folder's log."""

    folder: Path
    name: str
    seconds: float = 0.0


def compute(task: Trace) -> int:
    """Write the result unless it is there; the process that did, or 0."""
    result = task.folder / f"{task.name}.txt"
    if result.exists():
        return 0
    with (task.folder / "log").open("a") as log:
        log.write(f"{task.name} {os.getpid()}\n")
    time.sleep(task.seconds)
    write_text(result, task.name)
    return os.getpid()


def computed(folder: Path) -> list[str]:
    """Names of the tasks that were begun, in order, as often as they were."""
    return [line.split()[0] for line in _log(folder)]


def workers(folder: Path) -> list[int]:
    """The processes of the begun tasks, in order."""
    return [int(line.split()[1]) for line in _log(folder)]


def finished(folder: Path) -> set[str]:
    return {result.stem for result in folder.glob("[!.]*.txt")}


def ended(process: int) -> bool:
    """Gone, or a zombie that nobody has buried yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def children(process: int) -> list[int]:
    """Processes that it has started, workers of a pool among them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            parent = int((stat.parent / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent == process and b"spawn_main" in stat.read_bytes():
                found.append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def die(_: object) -> None:
    """What the kernel does to a process when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(marker: Path) -> str:
    if not marker.exists():
        marker.touch()
        die(None)
    return "done by another worker"


def refuse(name: str) -> None:
    raise NoInputError(f"nothing in {name}: choose another folder")


def traces(folder: Path, count: int, seconds: float) -> list[Trace]:
    return [Trace(folder, f"t{number}", seconds) for number in range(count)]


def until(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def _log(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []
