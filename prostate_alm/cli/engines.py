"""Where trainings run: the options that every command with trainings shares."""

from typing import TYPE_CHECKING, Annotated

import typer

from prostate_alm.errors import UsageError

if TYPE_CHECKING:
    from prostate_alm.training import Engine

ENGINE = Annotated[str, typer.Option("--engine", metavar="local|ray", help="What spreads the trainings.")]
PROCESSES = Annotated[int | None, typer.Option("--processes", help="Trainings at a time, local. [default: the cores]")]
ADDRESS = Annotated[str | None, typer.Option("--address", help="Of a Ray cluster. [default: a Ray of its own]")]
GPUS = Annotated[float, typer.Option("--gpus-per-task", help="Share of a GPU that a training takes, for Ray.")]


def engine_of(
    name: str, processes: int | None, address: str | None, gpus_per_task: float, *, tasks: int | None = None
) -> "Engine":
    """The engine that the options name, not yet entered.

    Args:
        name: `local` or `ray`.
        processes: trainings at a time, local; None takes the number of cores.
        address: of a Ray cluster.
        gpus_per_task: for Ray.
        tasks: how many there are at most; no more local processes than these.

    Raises:
        UsageError: for an unknown engine, or an option that is the other engine's.
    """
    from prostate_alm.training.engine import LocalEngine, cores

    if processes is not None and processes < 1:
        raise UsageError(f"--processes must be 1 or more, got {processes}")
    if name == "local":
        if address is not None or gpus_per_task:
            raise UsageError("--address and --gpus-per-task are for --engine ray")
        wanted = processes or cores()
        return LocalEngine(wanted if tasks is None else max(1, min(wanted, tasks)))
    if processes is not None:
        raise UsageError("--processes is for --engine local; a Ray cluster takes as many as it has room for")
    if name != "ray":
        raise UsageError(f"engine {name!r} is unknown; choose local or ray")
    from prostate_alm.training.ray_engine import RayEngine

    return RayEngine(address, gpus_per_task=gpus_per_task)
