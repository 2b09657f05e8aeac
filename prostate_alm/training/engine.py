"""Spreads tasks over local processes, one thread each; workers end with the process that started them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait as wait_for_sentinel
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from prostate_alm.errors import UsageError
from prostate_alm.interrupts import ctrl_c_held

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerLostError(UsageError):
    """A worker died under its task: nothing more can be computed in this run, nothing finished is lost."""


def ignore(future: "Future[Any]") -> None:
    """Who listens to nothing."""


class Engine(Protocol):
    """Where tasks run. A context manager; the futures that are running when it ends are given up."""

    @property
    def slots(self) -> int:
        """How many tasks run at a time now; more may be submitted, they wait."""
        ...

    @property
    def unfinished(self) -> "Set[Future[Any]]":
        """What was submitted and is neither done nor given up; it changes by itself."""
        ...

    def submit(
        self, function: Callable[[Task], Result], task: Task, ended: Callable[["Future[Result]"], None] = ignore
    ) -> "Future[Result]":
        """Run a module-level function on a picklable task, somewhere.

        `ended` is called with the future once it is done, in any thread. Who waits for that, and not with
        `concurrent.futures.wait`, can be interrupted at any moment: no lock of a future is left locked.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class LocalEngine:
    """Processes on this machine. They ignore Ctrl-C, which the parent is told, and end with the parent.

    Args:
        processes: how many tasks at a time; None takes the number of cores. One runs in this process.

    Example:
        >>> with LocalEngine(processes=1) as engine:
        ...     engine.submit(abs, -3).result()
        3
    """

    def __init__(self, processes: int | None = None) -> None:
        self.slots = processes or cores()
        self.unfinished: set[Future[Any]] = set()
        self._pool: ProcessPoolExecutor | None = None
        self._others: set[BaseProcess] = set()

    def __enter__(self) -> Self:
        """Workers start with the first task."""
        self._others = set(multiprocessing.active_children())
        if self.slots > 1:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.slots, mp_context=context, initializer=_end_with_parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what has not started; after an error, or Ctrl-C, end the workers with what they are at."""
        if self._pool is None:
            return
        self._pool.shutdown(wait=error is None, cancel_futures=True)
        if error is not None:
            for worker in set(multiprocessing.active_children()) - self._others:
                worker.terminate()

    def submit(
        self, function: Callable[[Task], Result], task: Task, ended: Callable[["Future[Result]"], None] = ignore
    ) -> "Future[Result]":
        """Run a task in a worker, or here and now if there is one process.

        Raises:
            WorkerLostError: if a worker has died.
            KeyboardInterrupt: if Ctrl-C came meanwhile; what was handed over is in `unfinished`.
        """
        if self._pool is None:
            future = _done_here(function, task)
            ended(future)
            return future
        try:
            with ctrl_c_held():
                future = self._pool.submit(function, task)
                self.unfinished.add(future)
                future.add_done_callback(self.unfinished.discard)
                future.add_done_callback(ended)
        except BrokenProcessPool as error:
            raise _lost() from error
        return future


def cores() -> int:
    """How many cores this process may use: what a container or a batch system left of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _done_here(function: Callable[[Task], Result], task: Task) -> "Future[Result]":
    future: Future[Result] = Future()
    try:
        future.set_result(function(task))
    except Exception as error:
        future.set_exception(error)
    return future


def _lost() -> WorkerLostError:
    return WorkerLostError("a worker process died (out of memory?): run again to go on, with fewer --processes")


def outcome(future: "Future[Result]") -> Result:
    """The result of a finished task.

    Raises:
        WorkerLostError: if its worker died.
        Exception: what the task raised.
    """
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise _lost() from error


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    processes: int | None = None,
    engine: Engine | None = None,
) -> Iterator[Result]:
    """Results of `function` over the tasks, as they come.

    Args:
        function: a module-level function.
        tasks: picklable tasks.
        processes: how many at a time; None takes the number of cores. One runs in this process.
        engine: where they run instead, not yet entered.

    Raises:
        Exception: the first error of a task; tasks that have not started are dropped.
    """
    waiting, running = iter(tasks), 0
    ended: SimpleQueue[Future[Result]] = SimpleQueue()
    with engine or LocalEngine(min(processes or cores(), max(1, len(tasks)))) as place:
        while True:
            for task in islice(waiting, max(0, place.slots - running)):
                place.submit(function, task, ended.put)
                running += 1
            if not running:
                return
            future = ended.get()
            running -= 1
            yield outcome(future)


def _end_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends its workers
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait_for_sentinel([sentinel])
    os._exit(1)
