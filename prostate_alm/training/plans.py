"""Plans: work that asks for tasks, batch after batch, and decides the next batch by the results of the last.

Many plans share one engine. The first plan's tasks go first; whenever it waits for its last results, the next plan's
tasks fill the free slots.
"""

import heapq
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from prostate_alm.training.engine import Engine, WorkerLostError, outcome

Product = TypeVar("Product")


@dataclass(frozen=True)
class Job:
    """One call for an engine: a module-level function and its picklable task."""

    function: Callable[[Any], Any]
    task: Any


Plan = Generator[Sequence[Job], list[Any], Product]
"""Yields batches of jobs, is sent their results in the same order, returns its product."""


@dataclass
class Tally:
    """How far a run is: numbers of jobs, and what went wrong in which plan.

    Args:
        done: jobs that have ended well.
        running: jobs that an engine has.
        failed: jobs that ended in an error.
        errors: number of a plan -> its first error.
    """

    done: int = 0
    running: int = 0
    failed: int = 0
    errors: dict[int, Exception] = field(default_factory=dict)


@dataclass(frozen=True)
class Listeners(Generic[Product]):
    """Who is told what, and when; by default nobody.

    Args:
        watch: called with the tally whenever it changes.
        arrived: called with a job and its result as soon as it is done.
        finished: called with a plan's number and product as soon as it ends.
        failed: called with a plan's number and first error as soon as it is given up.
        moved: called with a plan's number after it was asked, or told of a result.
        stopping: called with the number of running jobs after the first Ctrl-C.
    """

    watch: Callable[[Tally], None] = lambda _: None
    arrived: Callable[[Job, Any], None] = lambda *_: None
    finished: Callable[[int, Product], None] = lambda *_: None
    failed: Callable[[int, Exception], None] = lambda *_: None
    moved: Callable[[int], None] = lambda _: None
    stopping: Callable[[int], None] = lambda _: None


class PlanRunner(Generic[Product]):
    """Drives plans over an engine.

    A plan whose job fails is given up once, with the first error; the others go on. After Ctrl-C no job starts any
    more, those that run are waited for, so that their results are kept; a second Ctrl-C ends at once.

    Args:
        plans: in order of precedence.
        engine: where jobs run; entered by the caller.
        told: who is told of what happens.
    """

    def __init__(self, plans: Sequence[Plan[Product]], engine: Engine, told: Listeners[Product] | None = None) -> None:
        self.plans = list(plans)
        self.engine = engine
        self.told = told or Listeners[Product]()
        self.tally = Tally()
        self._queue: list[tuple[int, int]] = []  # (plan, place in its batch): a heap, so the first plan goes first
        self._batches: dict[int, Sequence[Job]] = {}
        self._results: dict[int, dict[int, Any]] = {}
        self._running: dict[Future[Any], tuple[int, int]] = {}
        self._ended: SimpleQueue[Future[Any]] = SimpleQueue()

    def run(self) -> Tally:
        """Run every plan to its end or its first error.

        Raises:
            WorkerLostError: if the engine lost a worker.
            KeyboardInterrupt: after Ctrl-C, once the running jobs are done.
        """
        try:
            for number in range(len(self.plans)):
                self._advance(number, None)
                self.told.moved(number)
            while self._queue or self._running:
                self._fill()
                self._tell()
                if self._running:  # else what was left were jobs of plans that are given up
                    self._collect()
            self._tell()
        except KeyboardInterrupt:
            self.told.stopping(len(self.engine.unfinished))
            while self.engine.unfinished:  # a job that was handed over just as Ctrl-C came is among them
                self._ended.get()
            raise
        return self.tally

    def _fill(self) -> None:
        while self._queue and len(self._running) < self.engine.slots:
            number, place = heapq.heappop(self._queue)
            if number in self.tally.errors:
                continue
            job = self._batches[number][place]
            self._running[self.engine.submit(job.function, job.task, self._ended.put)] = (number, place)

    def _collect(self) -> None:
        future = self._ended.get()
        number, place = self._running.pop(future)
        try:
            result = outcome(future)
        except WorkerLostError:
            raise
        except Exception as error:
            self.tally.failed += 1
            self._give_up(number, error)
            return
        self.tally.done += 1
        self.told.arrived(self._batches[number][place], result)
        self._results[number][place] = result
        if len(self._results[number]) == len(self._batches[number]) and number not in self.tally.errors:
            results = self._results.pop(number)
            self._advance(number, [results[place] for place in range(len(results))])
        self.told.moved(number)

    def _advance(self, number: int, results: list[Any] | None) -> None:
        """Ask a plan for its next batch; an empty one is answered at once."""
        try:
            while True:
                jobs = next(self.plans[number]) if results is None else self.plans[number].send(results)
                if jobs:
                    break
                results = []
        except StopIteration as end:
            self.told.finished(number, end.value)
            return
        except Exception as error:
            self._give_up(number, error)
            return
        self._batches[number], self._results[number] = jobs, {}
        for place in range(len(jobs)):
            heapq.heappush(self._queue, (number, place))

    def _give_up(self, number: int, error: Exception) -> None:
        if number not in self.tally.errors:
            self.tally.errors[number] = error
            self.plans[number].close()
            self.told.failed(number, error)

    def _tell(self) -> None:
        self.tally.running = len(self._running)
        self.told.watch(self.tally)
