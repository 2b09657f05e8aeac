"""Spreads tasks over local processes, one thread each; workers end with the process that started them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TypeVar

from prostate_alm.errors import UsageError

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_tasks(
    function: Callable[[Task], Result], tasks: Sequence[Task], *, processes: int | None = None
) -> Iterator[Result]:
    """Results of `function` over the tasks, as they come.

    Args:
        function: a module-level function.
        tasks: picklable tasks.
        processes: how many at a time; None takes the number of cores. One runs in this process.

    Raises:
        Exception: the first error of a task; tasks that have not started are dropped.
    """
    processes = min(processes or os.cpu_count() or 1, len(tasks))
    if processes <= 1:
        yield from map(function, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent) as pool:
        try:
            for future in as_completed([pool.submit(function, task) for task in tasks]):
                yield future.result()
        except BrokenProcessPool as error:
            raise UsageError(
                "a worker process died (out of memory?): run again to go on, with fewer --processes"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends its workers
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
