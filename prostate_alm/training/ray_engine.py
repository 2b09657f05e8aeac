"""Spreads tasks over a Ray cluster; Ray runs the tasks of a lost worker or machine again, elsewhere."""

import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from prostate_alm.errors import UsageError
from prostate_alm.interrupts import ctrl_c_held
from prostate_alm.training.engine import WorkerLostError, ignore

Task = TypeVar("Task")
Result = TypeVar("Result")

RETRIES = 3
ANSWER_SECONDS = 5.0
OBJECT_STORE_BYTES = 2**28


class RayEngine:
    """Tasks on a Ray cluster, or on a Ray of its own.

    What tasks read and write is on a disk that all machines share, under absolute paths. A task whose worker or
    machine dies is run again elsewhere, three times; then its future raises WorkerLostError. No usage statistics are
    sent.

    Args:
        address: of a cluster that this machine belongs to, `host:port` or `auto`; None starts a Ray on this machine
            that ends with the engine.
        cpus_per_task: cores that a task takes, above 0.
        gpus_per_task: GPUs that a task takes; a fraction shares one GPU among tasks.

    Raises:
        UsageError: if a task's share is none that Ray can give; on entering, if Ray is missing or nothing answers.

    Example:
        >>> RayEngine(gpus_per_task=1.5)
        Traceback (most recent call last):
        prostate_alm.errors.UsageError: 1.5 GPUs per task: a whole number or a fraction below 1, please
    """

    def __init__(self, address: str | None = None, *, cpus_per_task: float = 1, gpus_per_task: float = 0) -> None:
        if not cpus_per_task > 0:
            raise UsageError(f"{cpus_per_task:g} cores per task: a number above 0, please")
        if not gpus_per_task >= 0 or (gpus_per_task > 1 and gpus_per_task % 1):
            raise UsageError(f"{gpus_per_task:g} GPUs per task: a whole number or a fraction below 1, please")
        self.address = address
        self.cpus_per_task = cpus_per_task
        self.gpus_per_task = gpus_per_task
        self.unfinished: set[Future[Any]] = set()

    @property
    def slots(self) -> int:
        """How many tasks the machines that are there now can hold, at least 1."""
        return max(1, self._room())

    def __enter__(self) -> Self:
        """Start Ray or connect to it.

        Raises:
            UsageError: if Ray is missing, does not start or does not answer, or cannot hold a single task.
        """
        self._ray = _import_ray()
        if self._ray.is_initialized():
            raise UsageError("this process uses Ray already: call ray.shutdown() first")
        with ExitStack() as undo:
            undo.enter_context(_quiet(self._ray))
            undo.callback(self._ray.shutdown)
            _start(self._ray) if self.address is None else _connect(self._ray, self.address)
            if self.address is None and not self._room():
                raise UsageError(
                    f"this machine cannot hold a task of {self.cpus_per_task:g} cores and {self.gpus_per_task:g} GPUs"
                )
            share = {"num_cpus": self.cpus_per_task, "num_gpus": self.gpus_per_task}
            # defined here, so that it travels whole: a machine without the package can say so
            self._run = self._ray.remote(max_retries=RETRIES, retry_exceptions=False, **share)(
                lambda call, task: call(task)
            )
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give up what runs; end the Ray that was started here, or leave the cluster."""
        for future in list(self.unfinished):
            future.cancel()
        self._undo.close()

    def submit(
        self, function: Callable[[Task], Result], task: Task, ended: Callable[["Future[Result]"], None] = ignore
    ) -> "Future[Result]":
        """Run a task on the cluster; it waits there while there is no room."""
        ours: Future[Result] = Future()
        with ctrl_c_held():
            theirs = self._run.remote(function, task).future()
            self.unfinished.add(ours)
            ours.add_done_callback(self.unfinished.discard)
            ours.add_done_callback(ended)
            theirs.add_done_callback(lambda done: _hand_over(done, ours))
        return ours

    def _room(self) -> int:
        return sum(self._fit(node["Resources"]) for node in self._ray.nodes() if node["Alive"])

    def _fit(self, resources: Mapping[str, float]) -> int:
        """How many tasks one machine can hold; a task never spreads over two, nor a fraction over two GPUs."""
        fit = resources.get("CPU", 0) / self.cpus_per_task
        if self.gpus_per_task:
            gpus = resources.get("GPU", 0)
            sharing = math.floor(1 / self.gpus_per_task + 1e-9)
            fit = min(fit, gpus * sharing if sharing else gpus / self.gpus_per_task)
        return math.floor(fit + 1e-9)


def _hand_over(theirs: "Future[Result]", ours: "Future[Result]") -> None:
    if not ours.set_running_or_notify_cancel():
        return
    error = theirs.exception()
    if error is None:
        ours.set_result(theirs.result())
    else:
        ours.set_exception(_as_raised(error))


def _as_raised(error: BaseException) -> BaseException:
    """A task's own error without Ray's wrapping, or a WorkerLostError if Ray has given up."""
    from ray import exceptions

    own = error
    if isinstance(error, exceptions.RayTaskError):
        own = error.cause
    lost = (
        exceptions.WorkerCrashedError,
        exceptions.NodeDiedError,
        exceptions.LocalRayletDiedError,
        exceptions.OutOfMemoryError,
        exceptions.ObjectLostError,
    )
    if isinstance(error, lost):
        own = WorkerLostError(
            f"Ray gave up a task whose workers died ({type(error).__name__}; out of memory?): run again to go on"
        )
    elif isinstance(own, exceptions.RaySystemError):
        reason = str(own).splitlines()[0]
        own = UsageError(f"a machine of the cluster cannot take the task ({reason}): is this prostate-alm there too?")
    if own is not error:
        own.__cause__ = error  # where it was raised, as process pools tell it
    return own


def _import_ray() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise UsageError("Ray is not installed: pip install 'prostate-alm[ray]'") from error
    return ray


@contextmanager
def _quiet(ray: ModuleType) -> Iterator[None]:
    """No statistics; no events of the cluster on stdout, where results go. SIGTERM is given back afterwards."""
    handler = signal.getsignal(signal.SIGTERM)
    ray._private.worker._worker_logs_enabled = False
    try:
        with _environment("RAY_USAGE_STATS_ENABLED", "0"):
            yield
    finally:
        ray._private.worker._worker_logs_enabled = True
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def _start(ray: ModuleType) -> None:
    try:
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            object_store_memory=OBJECT_STORE_BYTES,
        )
    except Exception as error:
        raise UsageError(f"Ray does not start on this machine: {_one_line(error)}") from error


def _connect(ray: ModuleType, address: str) -> None:
    address = os.environ.get("RAY_ADDRESS") or address if address == "auto" else address
    if address != "auto":
        _knock(address)
    try:
        # a port that answers and is not Ray's is given up after one round instead of twenty
        with _environment("RAY_gcs_server_port_wait_time_s", "1"):
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except Exception as error:
        where = "on this machine" if address == "auto" else f"at {address}"
        raise UsageError(f"no Ray cluster {where} takes us: {_one_line(error)}") from error


def _knock(address: str) -> None:
    """Ask whether anything listens at all, since Ray takes minutes to find out."""
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise UsageError(f"the address of a Ray cluster is auto or host:port, not {address!r}")
    try:
        socket.create_connection((host, port), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        raise UsageError(
            f"no Ray cluster answers at {address} ({error.strerror or error}): is it started, with ray start?"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
