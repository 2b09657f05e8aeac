"""Workers side by side, each watched: one that hangs or dies is a finding, and another takes its place."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from fuzzing import verdict
from fuzzing.prints import Reading, read
from fuzzing.sources import Source
from fuzzing.worker import Outcome, work

_TO_BUILD = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Patience:
    """How long one reading may take.

    Args:
        seconds: of the processor's time, to which other work on the machine does not add.
        standstill: by the clock, for what waits instead of working, such as for a pipe.
    """

    seconds: float = 10.0
    standstill: float = 60.0


PATIENCE = Patience()


class Pool:
    """Runs mutations by their seeds.

    Args:
        folder: for everything; its owner removes it.
        sources: what to mutate.
        jobs: how many at a time.
        patience: how long one reading may take.
        target: what a worker does.
    """

    def __init__(
        self,
        folder: Path,
        sources: Sequence[Source],
        jobs: int,
        patience: Patience = PATIENCE,
        target: Callable[..., None] = work,
    ) -> None:
        self._folder, self._sources, self._jobs = folder, list(sources), jobs
        self._patience, self._target = patience, target
        self.baselines: dict[str, Reading] = {s.name: read(s.folder, s.harmonise) for s in self._sources}
        self._started = 0

    def run(self, seeds: Iterable[int]) -> Iterator[Outcome]:
        """One outcome per seed, as they come."""
        queue = list(reversed(list(seeds)))
        workers = [self._start() for _ in range(min(self._jobs, len(queue)))]
        try:
            for one in workers:
                one.give(queue)
            while any(one.seed is not None for one in workers):
                for index, one in enumerate(workers):
                    outcome = one.look(self._patience)
                    if outcome is None:
                        continue
                    if outcome.outcome in (verdict.HANG, verdict.DIED, verdict.BROKEN):
                        one.stop()
                        workers[index] = one = self._start()
                    one.give(queue)
                    yield outcome
                wait([one.connection for one in workers if one.seed is not None], timeout=0.5)
        finally:
            for one in workers:
                one.stop()

    def _start(self) -> "Worker":
        self._started += 1
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        arguments = (theirs, self._folder / f"worker-{self._started}", self._sources, self.baselines)
        process = context.Process(target=self._target, args=arguments, daemon=True)
        process.start()
        theirs.close()
        return Worker(process, mine)


@dataclass
class Worker:
    """A process, what it was given and what it last said."""

    process: BaseProcess
    connection: Connection
    seed: int | None = None
    doing: tuple[str, str] = ("", "")
    deadline: float = float("inf")
    worked: float = 0.0

    def give(self, queue: list[int]) -> None:
        """The next seed, or the end."""
        self.seed = queue.pop() if queue else None
        self.deadline = time.monotonic() + _TO_BUILD
        self.doing = ("", "")
        self.connection.send(self.seed)

    def look(self, patience: Patience) -> Outcome | None:
        """The outcome, if there is one by now."""
        if self.seed is None:
            return None
        try:
            while self.connection.poll():
                message = self.connection.recv()
                if isinstance(message, Outcome):
                    slow = message.seconds > patience.seconds
                    detail = f"{message.seconds:.1f} s of work"
                    return replace(message, outcome=verdict.HANG, detail=detail) if slow else message
                self.doing = message
                self.deadline, self.worked = time.monotonic() + patience.standstill, self._seconds_worked()
        except (EOFError, OSError):
            self.process.join()
            return self._failed(self.seed, verdict.DIED, f"the process ended with {self.process.exitcode}")
        late = time.monotonic() > self.deadline
        if not self.doing[0]:
            return self._failed(self.seed, verdict.BROKEN, "it could not be built in time") if late else None
        if self._seconds_worked() - self.worked > patience.seconds:
            return self._failed(self.seed, verdict.HANG, f"more than {patience.seconds:g} s of work")
        if late:
            return self._failed(self.seed, verdict.HANG, f"more than {patience.standstill:g} s by the clock")
        return None

    def stop(self) -> None:
        """End the process, whatever it does."""
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _failed(self, seed: int, outcome: str, detail: str) -> Outcome:
        return Outcome(seed, *self.doing, outcome, detail)

    def _seconds_worked(self) -> float:
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS
