"""Tasks over Ray: a cluster of one machine's processes, whose workers and nodes are killed."""

import importlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import driver
import pytest
import spread

from prostate_alm.errors import NoInputError, UsageError
from prostate_alm.training import ray_engine
from prostate_alm.training.engine import WorkerLostError, outcome
from prostate_alm.training.plans import Listeners, PlanRunner, Tally
from prostate_alm.training.ray_engine import RayEngine

CORES = os.cpu_count() or 1
HEAD = {
    "num_cpus": 1,
    "num_gpus": 1,  # counted, though it is not there
    "include_dashboard": False,
    "_system_config": {
        "health_check_period_ms": 200,
        "health_check_timeout_ms": 5000,
        "health_check_failure_threshold": 2,
    },
}


@pytest.fixture
def ray() -> ModuleType:
    return pytest.importorskip("ray", reason="needs the extra: pip install 'prostate-alm[ray]'")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One node of one core and one GPU; tests add nodes and remove them."""
    pytest.importorskip("ray", reason="needs the extra: pip install 'prostate-alm[ray]'")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PYTHONPATH", str(Path(spread.__file__).parent))
        monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args=HEAD)
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def engine(cluster: Any) -> Iterator[RayEngine]:
    with RayEngine(cluster.address) as engine:
        yield engine


@pytest.mark.parametrize(
    ("cpus", "gpus", "resources", "fit"),
    [
        (1, 0, {"CPU": 8.0}, 8),
        (3, 0, {"CPU": 8.0}, 2),
        (0.1, 0, {"CPU": 1.0}, 10),
        (1, 1, {"CPU": 8.0, "GPU": 2.0}, 2),
        (1, 0.25, {"CPU": 64.0, "GPU": 2.0}, 8),
        (1, 0.25, {"CPU": 3.0, "GPU": 2.0}, 3),
        (1, 0.4, {"CPU": 64.0, "GPU": 2.0}, 4),  # two on each, though five would fill both
        (1, 0.1, {"CPU": 64.0, "GPU": 1.0}, 10),
        (1, 2, {"CPU": 64.0, "GPU": 3.0}, 1),
        (1, 1, {"CPU": 8.0}, 0),
        (1, 0, {"GPU": 8.0}, 0),
    ],
)
def test_how_many_tasks_one_machine_holds(cpus: float, gpus: float, resources: dict[str, float], fit: int) -> None:
    assert RayEngine(cpus_per_task=cpus, gpus_per_task=gpus)._fit(resources) == fit


@pytest.mark.parametrize("cpus", [0, -1, float("nan")])
def test_a_task_takes_some_core(cpus: float) -> None:
    with pytest.raises(UsageError, match="cores per task: a number above 0"):
        RayEngine(cpus_per_task=cpus)


@pytest.mark.parametrize("gpus", [-1, 1.5, float("nan")])
def test_a_task_takes_whole_gpus_or_a_fraction_of_one(gpus: float) -> None:
    with pytest.raises(UsageError, match="a whole number or a fraction below 1"):
        RayEngine(gpus_per_task=gpus)


def test_a_missing_ray_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError) as caught, RayEngine():
        pass
    assert str(caught.value) == "Ray is not installed: pip install 'prostate-alm[ray]'"


@pytest.mark.parametrize("address", ["cluster", "ray://host:6379", "host:port", ":6379", "host:", "host:99999", ""])
def test_an_address_that_is_none_is_told_at_once(ray: ModuleType, address: str) -> None:
    with pytest.raises(UsageError, match="auto or host:port, not"), RayEngine(address):
        pass


@pytest.mark.parametrize("through", ["address", "environment"])
def test_an_address_where_nothing_answers_is_told_soon(
    ray: ModuleType, through: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, so that nobody else takes it, but not listening
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        if through == "environment":
            monkeypatch.setenv("RAY_ADDRESS", address)
        start = time.monotonic()
        with pytest.raises(UsageError) as caught, RayEngine("auto" if through == "environment" else address):
            pass
    assert str(caught.value).startswith(f"no Ray cluster answers at {address} (")
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 10


@pytest.mark.slow
def test_an_engine_that_ends_gives_up_its_tasks_and_leaves_the_cluster_running(cluster: Any, ray: ModuleType) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with RayEngine(cluster.address, cpus_per_task=0.25, gpus_per_task=0.25) as engine:
        assert engine.slots == 4
        future = engine.submit(time.sleep, 60)
    assert future.cancelled()
    assert not ray.is_initialized()
    assert signal.getsignal(signal.SIGTERM) is handler
    assert cluster.remaining_processes_alive()


@pytest.mark.slow
def test_auto_takes_the_address_from_the_environment(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    with RayEngine("auto", gpus_per_task=8) as engine:
        assert engine.slots == 1  # a cluster may grow; a task waits until it has


@pytest.mark.slow
def test_a_machine_that_holds_no_task_is_refused(
    cluster: Any, ray: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "_start", lambda ray: ray_engine._connect(ray, cluster.address))
    with pytest.raises(UsageError, match="cannot hold a task of 1 cores and 8 GPUs"), RayEngine(gpus_per_task=8):
        pass
    assert not ray.is_initialized()


def test_a_ray_that_does_not_start_is_one_line(ray: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: Any) -> None:
        raise OSError("read-only\n  file system")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(UsageError, match="Ray does not start on this machine: read-only file system"), RayEngine():
        pass


# from here on the shared engine is connected, and Ray serves one engine in a process


@pytest.mark.slow
def test_a_task_runs_in_a_worker_and_its_result_comes_back(engine: RayEngine, tmp_path: Path) -> None:
    worker = outcome(engine.submit(spread.compute, spread.Trace(tmp_path, "first")))
    assert worker not in (0, os.getpid())
    assert spread.workers(tmp_path) == [worker]
    assert outcome(engine.submit(abs, -3)) == 3
    spread.until(lambda: not engine.unfinished)


@pytest.mark.slow
def test_a_tasks_own_error_comes_out_as_itself(engine: RayEngine) -> None:
    with pytest.raises(NoInputError) as caught:
        outcome(engine.submit(spread.refuse, "here"))
    assert type(caught.value) is NoInputError
    assert str(caught.value) == "nothing in here: choose another folder"
    assert "in refuse" in str(caught.value.__cause__)  # where it was raised, for those who look


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_task_completes(engine: RayEngine, tmp_path: Path) -> None:
    assert outcome(engine.submit(spread.die_once, tmp_path / "marker")) == "done by another worker"


@pytest.mark.slow
def test_a_task_that_ray_gives_up_is_a_lost_worker(engine: RayEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_run", engine._run.options(max_retries=0))  # three retries would take long
    with pytest.raises(WorkerLostError, match=r"whose workers died \(WorkerCrashedError; .*run again to go on"):
        outcome(engine.submit(spread.die, None))


@pytest.mark.slow
def test_an_engine_is_the_only_user_of_ray_in_its_process(engine: RayEngine, cluster: Any) -> None:
    with pytest.raises(UsageError, match="uses Ray already"), RayEngine(cluster.address):
        pass
    assert outcome(engine.submit(abs, -3)) == 3


@pytest.mark.slow
def test_a_function_that_the_cluster_does_not_have_is_one_line(
    engine: RayEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def work(task): return task\n")
    monkeypatch.syspath_prepend(tmp_path)
    only_here = importlib.import_module("only_here")
    with pytest.raises(UsageError) as caught:
        outcome(engine.submit(only_here.work, 1))
    assert str(caught.value) == (
        "a machine of the cluster cannot take the task (System error: No module named 'only_here'):"
        " is this prostate-alm there too?"
    )


@pytest.mark.slow
def test_a_lost_node_loses_nothing_and_nothing_is_computed_twice(
    engine: RayEngine, cluster: Any, tmp_path: Path
) -> None:
    tasks = spread.traces(tmp_path, 8, 0.5)
    node = cluster.add_node(num_cpus=1)
    spread.until(lambda: engine.slots == 2)  # a growing cluster is used
    kept: set[str] = set()

    def lose_the_node(tally: Tally) -> None:
        processes = set(spread.workers(tmp_path))
        if not kept and tally.done >= 2 and len(processes) == 2:
            kept.update(spread.finished(tmp_path))
            cluster.remove_node(node, allow_graceful=False)

    tally = PlanRunner([driver.one_batch(spread.compute, tasks)], engine, Listeners(watch=lose_the_node)).run()
    assert kept
    assert (tally.done, tally.errors) == (8, {})
    assert spread.finished(tmp_path) == {task.name for task in tasks}
    begun = spread.computed(tmp_path)
    assert {name: begun.count(name) for name in kept} == dict.fromkeys(kept, 1)
    assert len(begun) in (8, 9)  # at most the one that ran on the lost node began twice
    again = [outcome(engine.submit(spread.compute, task)) for task in tasks]
    assert again == [0] * 8
    assert spread.computed(tmp_path) == begun
    spread.until(lambda: engine.slots == 1)


@pytest.mark.slow
def test_tasks_end_with_a_killed_driver_and_another_goes_on(engine: RayEngine, cluster: Any, tmp_path: Path) -> None:
    tasks = spread.traces(tmp_path, 3, 2.0)
    with driver.start(tmp_path, len(tasks), 2.0, f"RayEngine({cluster.address!r})") as process:
        spread.until(lambda: len(spread.computed(tmp_path)) == 2)  # one is done, one is running
        process.kill()
    spread.until(lambda: all(spread.ended(worker) for worker in spread.workers(tmp_path)))
    assert spread.finished(tmp_path) == {"t0"}
    assert [bool(outcome(engine.submit(spread.compute, task))) for task in tasks] == [False, True, True]
    assert spread.computed(tmp_path) == ["t0", "t1", "t1", "t2"]


@pytest.mark.slow
def test_ctrl_c_lets_running_tasks_finish_on_a_ray_of_our_own(ray: ModuleType, tmp_path: Path) -> None:
    with driver.start(tmp_path, 3 * CORES, 2.0, "RayEngine()") as process:
        spread.until(lambda: len(spread.computed(tmp_path)) == CORES)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        out, err = process.communicate(timeout=60)
    unexpected = [line for line in err.splitlines() if "network_util.cc" not in line]  # told where there is no network
    assert (out.splitlines(), unexpected, process.returncode) == ([f"waits for {CORES}", "stopped"], [], 0)
    assert spread.finished(tmp_path) == set(spread.computed(tmp_path))
    assert len(spread.computed(tmp_path)) == CORES
