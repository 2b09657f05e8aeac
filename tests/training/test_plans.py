"""Plans over an engine that a test holds by the strings: it decides which job ends when, and how."""

import re
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

import pytest

from prostate_alm.training import plans
from prostate_alm.training.engine import Engine, LocalEngine, WorkerLostError, ignore
from prostate_alm.training.plans import Job, Listeners, Plan, PlanRunner, Tally


class StringsEngine(LocalEngine):
    """Runs a job when it is pulled: the oldest at every wait, or those that the test names first."""

    def __init__(self, slots: int) -> None:
        super().__init__(1)
        self.slots = slots
        self.begun: list[str] = []
        self.most = 0
        self._open: dict[Future[Any], tuple[Callable[[Any], Any], Any]] = {}

    def submit(
        self, function: Callable[[Any], Any], task: Any, ended: Callable[["Future[Any]"], None] = ignore
    ) -> "Future[Any]":
        future: Future[Any] = Future()
        self.unfinished.add(future)
        future.add_done_callback(self.unfinished.discard)
        future.add_done_callback(ended)
        self._open[future] = (function, task)
        self.begun.append(task)
        self.most = max(self.most, len(self._open))
        return future

    def pull(self) -> None:
        future = next(iter(self._open))
        function, task = self._open.pop(future)
        try:
            future.set_result(function(task))
        except Exception as error:
            future.set_exception(error)


class Ends(SimpleQueue[Any]):
    """Where a runner waits: meanwhile something else happens, and what has ended by then is there."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile

    def get(self, *_: Any, **__: Any) -> Any:
        self.meanwhile()
        return super().get(block=False)


@pytest.fixture
def strings(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], StringsEngine]:
    """Make an engine whose oldest job ends whenever the runner waits for one."""

    def make(slots: int) -> StringsEngine:
        engine = StringsEngine(slots)
        monkeypatch.setattr(plans, "SimpleQueue", lambda: Ends(lambda: engine.pull()))
        return engine

    return make


def _plan(name: str, *sizes: int, function: Callable[[str], Any] = str.upper) -> Plan[list[list[Any]]]:
    """Batches of the given sizes, tasks named `a0.1` (plan, batch, place); the product is all results."""
    results: list[list[Any]] = []
    for batch, size in enumerate(sizes):
        results.append((yield [Job(function, f"{name}{batch}.{place}") for place in range(size)]))
    return results


def _fail(task: str) -> str:
    raise ValueError(f"{task} fails")


def test_results_come_back_in_the_order_of_the_batch_whatever_ends_first(strings: Any) -> None:
    products: dict[int, Any] = {}
    tally = PlanRunner([_plan("a", 3, 1)], strings(3), Listeners(finished=products.__setitem__)).run()
    assert products == {0: [["A0.0", "A0.1", "A0.2"], ["A1.0"]]}
    assert (tally.done, tally.running, tally.failed, tally.errors) == (4, 0, 0, {})


def test_a_batch_that_ends_backwards_is_handed_over_in_order(strings: Any) -> None:
    engine = strings(3)
    products: dict[int, Any] = {}
    pull = engine.pull

    def newest() -> None:
        engine._open = dict(reversed(engine._open.items()))
        pull()

    engine.pull = newest
    PlanRunner([_plan("a", 3)], engine, Listeners(finished=products.__setitem__)).run()
    assert products == {0: [["A0.0", "A0.1", "A0.2"]]}


def test_the_first_plan_goes_first_even_when_it_asks_later(strings: Any) -> None:
    engine = strings(1)
    PlanRunner([_plan("a", 1, 2), _plan("b", 3)], engine).run()
    assert engine.begun == ["a0.0", "a1.0", "a1.1", "b0.0", "b0.1", "b0.2"]


def test_later_plans_fill_the_slots_that_the_first_leaves_free(strings: Any) -> None:
    engine = strings(3)
    PlanRunner([_plan("a", 1, 1), _plan("b", 3)], engine).run()
    assert engine.begun == ["a0.0", "b0.0", "b0.1", "a1.0", "b0.2"]
    assert engine.most == 3


def test_slots_that_appear_during_the_run_are_used(strings: Any) -> None:
    engine = strings(1)

    def grow(tally: Tally) -> None:
        engine.slots = 4 if tally.done else 1

    PlanRunner([_plan("a", 6)], engine, Listeners(watch=grow)).run()
    assert engine.most == 4


def test_a_failing_job_gives_up_its_plan_once_and_the_others_go_on(strings: Any) -> None:
    engine = strings(2)
    products: dict[int, Any] = {}
    bad = _plan("a", 4, function=_fail)
    tally = PlanRunner([bad, _plan("b", 2)], engine, Listeners(finished=products.__setitem__)).run()
    assert engine.begun == ["a0.0", "a0.1", "b0.0", "b0.1"]  # two of the bad plan never start
    assert products == {1: [["B0.0", "B0.1"]]}
    assert (tally.done, tally.failed) == (2, 2)
    assert [(number, str(error)) for number, error in tally.errors.items()] == [(0, "a0.0 fails")]
    assert bad.gi_frame is None  # type: ignore[attr-defined]  # closed


def test_a_plan_that_is_given_up_with_jobs_left_ends_the_run(strings: Any) -> None:
    engine = strings(1)
    tally = PlanRunner([_plan("a", 3, function=_fail)], engine).run()
    assert (engine.begun, tally.done, tally.failed, tally.running) == (["a0.0"], 0, 1, 0)


def test_a_given_up_plan_is_not_asked_again_when_its_other_jobs_end(strings: Any) -> None:
    asked: list[str] = []

    def plan() -> Plan[None]:
        yield [Job(_fail, "bad"), Job(str.upper, "good")]
        asked.append("again")

    tally = PlanRunner([plan()], strings(2)).run()
    assert (asked, tally.done, tally.failed) == ([], 1, 1)


def test_an_empty_batch_is_answered_at_once(strings: Any) -> None:
    products: dict[int, Any] = {}
    engine = strings(1)
    PlanRunner([_plan("a", 0, 1, 0), _plan("b", 0), _plan("c")], engine, Listeners(finished=products.__setitem__)).run()
    assert products == {0: [[], ["A1.0"], []], 1: [[]], 2: []}
    assert engine.begun == ["a1.0"]


def test_no_plans_are_an_empty_run(strings: Any) -> None:
    assert PlanRunner([], strings(2)).run() == Tally()


@pytest.mark.parametrize("batches", [0, 1])
def test_a_plan_that_raises_is_given_up_and_the_others_go_on(strings: Any, batches: int) -> None:
    def plan() -> Plan[list[list[Any]]]:
        yield from _plan("a", *[1] * batches)
        raise LookupError("cannot decide")

    products: dict[int, Any] = {}
    tally = PlanRunner([plan(), _plan("b", 1)], strings(1), Listeners(finished=products.__setitem__)).run()
    assert re.fullmatch("cannot decide", str(tally.errors[0]))
    assert (tally.done, tally.failed, products) == (batches + 1, 0, {1: [["B0.0"]]})


def test_watch_is_told_what_runs_and_what_is_done(strings: Any) -> None:
    seen: list[tuple[int, int]] = []

    def watch(tally: Tally) -> None:
        seen.append((tally.done, tally.running))

    PlanRunner([_plan("a", 3)], strings(2), Listeners(watch=watch)).run()
    assert seen == [(0, 2), (1, 2), (2, 1), (3, 0)]


def test_whoever_moved_is_told_after_what_it_did(strings: Any) -> None:
    told: list[Any] = []
    PlanRunner(
        [_plan("a", 2), _plan("b", 1, function=_fail), _plan("c", 0)],
        strings(1),
        Listeners(
            arrived=lambda job, _: told.append(job.task),
            finished=lambda number, _: told.append(f"{number} ends"),
            moved=told.append,
        ),
    ).run()
    assert told == [0, 1, "2 ends", 2, "a0.0", 0, "a0.1", "0 ends", 0]


def test_ctrl_c_waits_for_the_running_jobs_and_starts_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = StringsEngine(2)
    waits: list[int] = []
    told: list[int] = []

    def meanwhile() -> None:
        waits.append(len(engine._open))
        if len(waits) == 1:
            raise KeyboardInterrupt
        engine.pull()

    monkeypatch.setattr(plans, "SimpleQueue", lambda: Ends(meanwhile))
    with pytest.raises(KeyboardInterrupt):
        PlanRunner([_plan("a", 5)], engine, Listeners(stopping=told.append)).run()
    assert (engine.begun, waits, told) == (["a0.0", "a0.1"], [2, 2, 1], [2])
    assert not engine._open  # both have run to their end


def test_a_second_ctrl_c_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = StringsEngine(2)

    def meanwhile() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plans, "SimpleQueue", lambda: Ends(meanwhile))
    with pytest.raises(KeyboardInterrupt):
        PlanRunner([_plan("a", 5)], engine).run()
    assert len(engine._open) == 2


def test_a_lost_worker_stops_the_run(strings: Any) -> None:
    def lose(task: str) -> str:
        if task == "a0.1":
            raise WorkerLostError("a worker process died")
        return task

    engine = strings(1)
    runner = PlanRunner([_plan("a", 4, function=lose), _plan("b", 1)], engine)
    with pytest.raises(WorkerLostError, match="a worker process died"):
        runner.run()
    assert engine.begun == ["a0.0", "a0.1"]
    assert (runner.tally.done, runner.tally.failed) == (1, 0)


def test_plans_run_over_the_engine_of_this_process() -> None:
    products: dict[int, Any] = {}
    engine: Engine = LocalEngine(1)
    with engine:
        tally = PlanRunner([_plan("a", 2), _plan("b", 2, 1)], engine, Listeners(finished=products.__setitem__)).run()
    assert tally.done == 5
    assert products == {0: [["A0.0", "A0.1"]], 1: [["B0.0", "B0.1"], ["B1.0"]]}
