"""Plans that are told of while they run; what they give comes back in their order."""

import operator
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from prostate_alm.training import Conductor, Job, LocalEngine, Progress, running


def plan(*numbers: float) -> Generator[Sequence[Job], list[Any], list[float]]:
    return (yield [Job(operator.neg, number) for number in numbers])


def broken() -> Generator[Sequence[Job], list[Any], list[float]]:
    return (yield [Job(operator.neg, "text")])


def test_products_come_back_in_order_and_progress_is_told() -> None:
    arrived: list[tuple[Any, Any]] = []
    seen: list[Progress] = []
    said: list[str] = []
    conductor: Conductor[list[float]] = Conductor(
        [("one", 2), ("two", 1)],
        lambda: len(arrived),
        arrived=lambda job, result: arrived.append((job.task, result)),
        watch=seen.append,
        said=said.append,
    )
    with LocalEngine(1) as engine:
        assert conductor.run([plan(1, 2), plan(3)], engine) == [[-1, -2], [-3]]
    assert arrived == [(1, -1), (2, -2), (3, -3)]
    assert (seen[0].done, seen[0].total, seen[0].seconds_left) == (0, 3, None)
    assert (seen[-1].done, seen[-1].running, seen[-1].failed, seen[-1].seconds_left) == (3, 0, 0, 0.0)
    assert said == ["one: finished", "two: finished"]


def test_a_plan_that_fails_is_told_and_the_others_go_on() -> None:
    said: list[str] = []
    conductor: Conductor[list[float]] = Conductor([("bad", 1), ("good", 1)], lambda: 0, said=said.append)
    with LocalEngine(1) as engine, pytest.raises(TypeError):
        conductor.run([broken(), plan(1)], engine)
    assert said[0].startswith("bad failed: bad operand type")
    assert said[1] == "good: finished"


def test_what_a_given_up_plan_leaves_undone_is_no_longer_waited_for() -> None:
    done: set[int] = set()
    seen: list[Progress] = []

    def bad() -> Generator[Sequence[Job], list[Any], list[float]]:
        yield [Job(operator.neg, 1)]
        return (yield [Job(operator.neg, 2), Job(operator.neg, "text")])

    conductor: Conductor[list[float]] = Conductor(
        [("bad", 9), ("good", 2)], lambda: len(done), arrived=lambda job, _: done.add(job.task), watch=seen.append
    )
    with LocalEngine(1) as engine, pytest.raises(TypeError):
        conductor.run([bad(), plan(3, 4)], engine)
    assert [(progress.done, progress.total) for progress in seen if not progress.failed] == [(0, 11), (1, 11), (2, 11)]
    assert [(progress.done, progress.total) for progress in seen if progress.failed] == [(2, 4), (3, 4), (4, 4)]
    assert seen[-1].seconds_left == 0.0


def test_a_plan_that_takes_fewer_trainings_than_was_said_leaves_none() -> None:
    done: set[int] = set()
    conductor: Conductor[list[float]] = Conductor(
        [("short", 5)], lambda: len(done), arrived=lambda job, _: done.add(job.task)
    )
    with LocalEngine(1) as engine:
        conductor.run([plan(1, 2)], engine)
    assert (conductor.progress.done, conductor.progress.total) == (2, 2)


def test_the_time_left_is_at_the_pace_of_the_trainings_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(running.time, "monotonic", lambda: clock[0])
    done: set[str] = set()
    seen: list[Progress] = []

    def training(_: str) -> None:
        clock[0] += 10.0

    def test(_: str) -> None:
        clock[0] += 2.0

    def row() -> Generator[Sequence[Job], list[Any], None]:
        done.update("abc")  # found finished: no pace can be told from these
        yield [Job(training, "a")]  # its weights are lost: takes its time, is not waited for
        yield [Job(test, "a")]
        yield [Job(training, "d"), Job(training, "e")]

    conductor: Conductor[None] = Conductor(
        [("row", 5)],
        lambda: len(done),
        counts=lambda job: job.function is training,
        arrived=lambda job, _: done.add(job.task),
        watch=seen.append,
    )
    with LocalEngine(1) as engine:
        conductor.run([row()], engine)
    told = [(progress.done, progress.total, progress.seconds_left) for progress in seen]
    assert told == [(3, 5, None), (3, 5, 20.0), (4, 5, 11.0), (5, 5, 0.0)]
