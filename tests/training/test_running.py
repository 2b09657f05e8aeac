"""Plans that are told of while they run; what they give comes back in their order."""

import operator
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from prostate_alm.training import Conductor, Job, LocalEngine, Progress


def plan(*numbers: float) -> Generator[Sequence[Job], list[Any], list[float]]:
    return (yield [Job(operator.neg, number) for number in numbers])


def broken() -> Generator[Sequence[Job], list[Any], list[float]]:
    return (yield [Job(operator.neg, "text")])


def test_products_come_back_in_order_and_progress_is_told() -> None:
    arrived: list[tuple[Any, Any]] = []
    seen: list[Progress] = []
    said: list[str] = []
    conductor: Conductor[list[float]] = Conductor(
        ["one", "two"],
        3,
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
    conductor: Conductor[list[float]] = Conductor(["bad", "good"], 2, lambda: 0, said=said.append)
    with LocalEngine(1) as engine, pytest.raises(TypeError):
        conductor.run([broken(), plan(1)], engine)
    assert said[0].startswith("bad failed: bad operand type")
    assert said[1] == "good: finished"
