"""Tasks in this process or spread over workers."""

import math
import operator
import os
import threading

import pytest

from prostate_alm.training import engine, run_tasks


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


def test_the_first_process_does_not_wait_for_a_parent() -> None:
    before = threading.active_count()
    engine._end_with_parent()
    assert threading.active_count() == before


@pytest.mark.slow
def test_workers_give_every_result_and_hand_back_an_error() -> None:
    results = run_tasks(math.sqrt, [4.0, 9.0, -1.0], processes=2)
    with pytest.raises(ValueError, match="math domain"):
        assert {next(results), next(results), next(results)} <= {2.0, 3.0}
