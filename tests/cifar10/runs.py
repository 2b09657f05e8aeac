"""Reproductions that take seconds."""

from dataclasses import replace
from pathlib import Path

from prostate_alm.cifar10.candidates import Searched
from prostate_alm.cifar10.protocol import Scale
from prostate_alm.cifar10.reproduce import SMOKE, Request, reproduce
from prostate_alm.cifar10.results import ArmResult
from prostate_alm.cifar10.run import Run
from prostate_alm.training import LocalEngine

TINY = replace(SMOKE, scale=Scale(8, 4, 4), common={"max_epochs": 2}, constrained_epochs=2)
TINY_SEARCH = replace(TINY, settings=Searched(), losses=("S-FL",), common={"max_epochs": 1}, constrained_epochs=1)


def carry_out(layout: Path, out: Path, request: Request, said: list[str] | None = None) -> list[ArmResult]:
    """The request's results, computed in this process; `said` gets the lines that a run says."""
    run = Run(layout, out, said=(said if said is not None else []).append)
    with LocalEngine(1) as engine:
        return reproduce(run, request.rows(), engine)
