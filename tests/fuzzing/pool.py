"""Workers side by side, each watched: one that hangs or dies is a finding, and another takes its place."""

import multiprocessing
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from fuzzing import verdict
from fuzzing.prints import Reading, read
from fuzzing.sources import Source
from fuzzing.worker import Outcome, work

SECONDS = 10.0
_TO_BUILD = 120.0


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    seed: int | None = None
    doing: tuple[str, str] = ("", "")
    deadline: float = field(default=float("inf"))


class Pool:
    """Runs mutations by their seeds.

    Args:
        work: a folder for everything; its owner removes it.
        sources: what to mutate.
        jobs: how many at a time.
        seconds: how long one reading may take.
    """

    def __init__(self, work: Path, sources: Sequence[Source], jobs: int, seconds: float = SECONDS) -> None:
        self._work, self._sources, self._jobs, self._seconds = work, list(sources), jobs, seconds
        self._baselines: dict[str, Reading] = {s.name: read(s.folder, s.harmonise) for s in self._sources}
        self._context = multiprocessing.get_context("spawn")
        self._started = 0

    @property
    def baselines(self) -> dict[str, Reading]:
        """The unmutated readings."""
        return self._baselines

    def run(self, seeds: Iterable[int]) -> Iterator[Outcome]:
        """One outcome per seed, as they come. What seems to hang is run once more: the machine may have been busy."""
        queue = list(reversed(list(seeds)))
        again: set[int] = set()
        workers = [self._start() for _ in range(min(self._jobs, len(queue)))]
        try:
            for worker in workers:
                self._give(worker, queue)
            while any(worker.seed is not None for worker in workers):
                for index, worker in enumerate(workers):
                    outcome = self._look(worker)
                    if outcome is None:
                        continue
                    if outcome.outcome in (verdict.HANG, verdict.DIED):
                        self._stop(worker)
                        workers[index] = worker = self._start()
                        if outcome.outcome == verdict.HANG and outcome.seed not in again:
                            again.add(outcome.seed)
                            queue.append(outcome.seed)
                            outcome = None
                    self._give(worker, queue)
                    if outcome is not None:
                        yield outcome
                wait([worker.connection for worker in workers if worker.seed is not None], timeout=0.5)
        finally:
            for worker in workers:
                self._stop(worker)

    def _start(self) -> _Worker:
        self._started += 1
        folder = self._work / f"worker-{self._started}"
        mine, theirs = self._context.Pipe()
        arguments = (theirs, folder, self._sources, self._baselines)
        process = self._context.Process(target=work, args=arguments, daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, mine)

    def _give(self, worker: _Worker, queue: list[int]) -> None:
        worker.seed = queue.pop() if queue else None
        worker.deadline = time.monotonic() + _TO_BUILD
        worker.doing = ("", "")
        worker.connection.send(worker.seed)

    def _look(self, worker: _Worker) -> Outcome | None:
        """The outcome, if there is one by now."""
        if worker.seed is None:
            return None
        failed = Outcome(worker.seed, *worker.doing, verdict.DIED)
        try:
            while worker.connection.poll():
                message = worker.connection.recv()
                if isinstance(message, Outcome):
                    slow = message.seconds > self._seconds
                    return (
                        replace(message, outcome=verdict.HANG, detail=f"{message.seconds:.1f} s") if slow else message
                    )
                worker.doing = message
                worker.deadline = time.monotonic() + self._seconds * 1.5
        except (EOFError, OSError):
            worker.process.join()
            return replace(failed, detail=f"the process ended with {worker.process.exitcode}")
        if time.monotonic() > worker.deadline:
            detail = f"more than {self._seconds:.0f} s" if worker.doing[0] else "it could not be built in time"
            return replace(failed, outcome=verdict.HANG, detail=detail)
        return None

    def _stop(self, worker: _Worker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.connection.close()


def clean(work: Path) -> None:
    """Remove a pool's folder, however deep."""
    import subprocess

    try:
        shutil.rmtree(work)
    except (RecursionError, OSError):
        subprocess.run(["rm", "-rf", str(work)], check=False)
