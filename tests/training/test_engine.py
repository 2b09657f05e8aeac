"""Tasks in this process or spread over workers, and what is left when a worker or the driver is killed."""

import math
import operator
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import driver
import pytest
import spread

from prostate_alm.training import engine, run_tasks
from prostate_alm.training.engine import LocalEngine, WorkerLostError, outcome
from prostate_alm.training.plans import Listeners, PlanRunner


def test_one_process_runs_tasks_here_one_after_another() -> None:
    seen: list[int] = []
    results = run_tasks(lambda task: seen.append(task) or os.getpid(), [1, 2], processes=1)
    assert next(results) == os.getpid()
    assert seen == [1]  # the second waits until it is asked for
    assert list(results) == [os.getpid()]


def test_no_tasks_give_no_results() -> None:
    assert list(run_tasks(operator.neg, [], processes=4)) == []


def test_an_error_in_this_process_comes_through() -> None:
    with pytest.raises(ValueError, match="math domain"):
        list(run_tasks(math.sqrt, [-1.0], processes=3))


def test_a_local_engine_takes_every_core_unless_told() -> None:
    assert LocalEngine().slots == os.cpu_count()
    assert LocalEngine(3).slots == 3


def test_one_process_hands_out_finished_futures() -> None:
    with LocalEngine(1) as local:
        good, bad = local.submit(math.sqrt, 4.0), local.submit(math.sqrt, -1.0)
    assert good.done()
    assert outcome(good) == 2.0
    with pytest.raises(ValueError, match="math domain"):
        outcome(bad)


def test_outcome_leaves_other_errors_alone() -> None:
    future: Future[int] = Future()
    future.set_exception(KeyError("a task's own"))
    with pytest.raises(KeyError, match="a task's own"):
        outcome(future)


def test_the_first_process_does_not_wait_for_a_parent() -> None:
    before, handler = threading.active_count(), signal.getsignal(signal.SIGINT)
    try:
        engine._end_with_parent()
        assert threading.active_count() == before
    finally:
        signal.signal(signal.SIGINT, handler)  # a worker ignores Ctrl-C, this process must not


@pytest.mark.slow
def test_workers_give_every_result_and_hand_back_an_error() -> None:
    assert sorted(run_tasks(math.sqrt, [4.0, 9.0, 16.0], processes=2)) == [2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match="math domain"):
        list(run_tasks(math.sqrt, [4.0, 9.0, -1.0], processes=2))


@pytest.mark.slow
def test_a_killed_worker_is_told_and_what_was_finished_is_not_computed_again(tmp_path: Path) -> None:
    with LocalEngine(2) as local:
        assert outcome(local.submit(spread.compute, spread.Trace(tmp_path, "first"))) != os.getpid()
        with pytest.raises(WorkerLostError, match="run again to go on, with fewer --processes"):
            outcome(local.submit(spread.die, None))
        with pytest.raises(WorkerLostError, match="a worker process died"):
            local.submit(abs, -3)
    again = [spread.Trace(tmp_path, "first"), spread.Trace(tmp_path, "second")]
    assert list(run_tasks(spread.compute, again, processes=1)) == [0, os.getpid()]
    assert spread.computed(tmp_path) == ["first", "second"]


@pytest.mark.slow
def test_workers_end_with_a_killed_driver_and_another_goes_on(tmp_path: Path) -> None:
    tasks = spread.traces(tmp_path, 6, 0.5)
    with driver.start(tmp_path, len(tasks), 0.5, "LocalEngine(2)") as process:
        spread.until(lambda: len(spread.computed(tmp_path)) == 4)  # two are done, two are running
        process.kill()
    spread.until(lambda: all(spread.ended(worker) for worker in spread.workers(tmp_path)))
    kept = spread.finished(tmp_path)
    assert {"t0", "t1"} <= kept < {task.name for task in tasks}
    before = len(spread.computed(tmp_path))
    results = list(run_tasks(spread.compute, spread.traces(tmp_path, 6, 0.0), processes=1))
    assert results.count(0) == len(kept)
    assert sorted(spread.computed(tmp_path)[before:]) == sorted({task.name for task in tasks} - kept)


@pytest.mark.slow
def test_ctrl_c_lets_running_tasks_finish(tmp_path: Path) -> None:
    told: list[int] = []

    def interrupt() -> None:
        spread.until(lambda: len(spread.computed(tmp_path)) == 2)
        for process in (*spread.workers(tmp_path), os.getpid()):  # a terminal tells them all
            os.kill(process, signal.SIGINT)

    plan = driver.one_batch(spread.compute, spread.traces(tmp_path, 5, 2.0))
    with LocalEngine(2) as local:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            PlanRunner([plan], local, Listeners(stopping=told.append)).run()
        assert spread.finished(tmp_path) == {"t0", "t1"}
    assert told == [2]
    assert sorted(spread.computed(tmp_path)) == ["t0", "t1"]


@pytest.mark.slow
def test_a_second_ctrl_c_ends_driver_and_workers_at_once(tmp_path: Path) -> None:
    with driver.start(tmp_path, 4, 120.0, "LocalEngine(2)") as process:
        assert process.stdout is not None
        spread.until(lambda: len(spread.computed(tmp_path)) == 2)
        os.killpg(process.pid, signal.SIGINT)  # a terminal tells them all
        assert process.stdout.readline() == "waits for 2\n"
        os.killpg(process.pid, signal.SIGINT)
        told, errors = process.communicate(timeout=60)
    assert told == "stopped\n"
    assert errors == ""
    spread.until(lambda: all(spread.ended(worker) for worker in spread.workers(tmp_path)))
    assert spread.finished(tmp_path) == set()


@pytest.mark.slow
def test_ctrl_c_while_workers_start_is_no_traceback(tmp_path: Path) -> None:
    with driver.start(tmp_path, 2, 0.1, "LocalEngine(2)") as process:
        spread.until(lambda: bool(spread.children(process.pid)))
        os.killpg(process.pid, signal.SIGINT)
        told, errors = process.communicate(timeout=120)
    waited, stopped = told.splitlines()
    assert waited in ("waits for 0", "waits for 1", "waits for 2")
    assert stopped == "stopped"
    assert errors == ""
    assert len(spread.finished(tmp_path)) == int(waited[-1])


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_what_is_handed_over_as_ctrl_c_comes_is_waited_for(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, told, handed = ProcessPoolExecutor.submit, list[int](), list[Future[object]]()

    def interrupted(*arguments: Any) -> Future[object]:
        handed.append(submit(*arguments))
        if len(handed) == count:
            os.kill(os.getpid(), signal.SIGINT)
        return handed[-1]

    monkeypatch.setattr(ProcessPoolExecutor, "submit", interrupted)
    plan = driver.one_batch(spread.compute, spread.traces(tmp_path, 4, 0.5))
    with LocalEngine(2) as local, pytest.raises(KeyboardInterrupt):
        PlanRunner([plan], local, Listeners(stopping=told.append)).run()
    assert told == [count]
    assert spread.finished(tmp_path) == {f"t{number}" for number in range(count)}


def test_a_thread_that_is_not_the_first_may_submit() -> None:
    with LocalEngine(2) as local, ThreadPoolExecutor(1) as thread:
        assert thread.submit(lambda: outcome(local.submit(abs, -3))).result() == 3
