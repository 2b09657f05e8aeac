"""A run in a folder: plans over an engine, a ledger that grows, and how far it is."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10.dataset import read_batches
from prostate_alm.cifar10.environment import environment
from prostate_alm.cifar10.lab import BUNDLE, Lab, train
from prostate_alm.cifar10.ledger import read_ledger, write_ledger
from prostate_alm.files import discard_parts, lock_folder, output_folder
from prostate_alm.training import Conductor, Engine, Job, Plan, Progress

LEDGER_SECONDS = 60.0

Product = TypeVar("Product")


class Run:
    """Carries out plans in a folder, and goes on where an earlier run was stopped.

    Args:
        data: CIFAR10, the official python layout or its tar.gz.
        out: gets `trainings/`, `trainings.csv`, `work/` (weights) and the arms' results in `paper/` or `search/`.
        watch: called whenever the progress changes.
        said: called with one line when a plan ends or fails, and when the run is interrupted.

    Attributes:
        begun: whether the folder was free and fits: only then is anything in it changed.

    Raises:
        OutputError: if `out` cannot be written.
    """

    def __init__(
        self,
        data: Path,
        out: Path,
        *,
        watch: Callable[[Progress], None] = lambda _: None,
        said: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.data = data.resolve()
        self.out = output_folder(out).resolve()
        self.watch = watch
        self.said = said
        self.begun = False

    def carry_out(
        self,
        engine: Engine,
        plans: Callable[[Lab], Sequence[Plan[Product]]],
        *,
        named: Sequence[tuple[str, int]],
    ) -> list[Product]:
        """Compute what is missing; whatever ends it, all that is finished is kept.

        Args:
            engine: where trainings run.
            plans: given the lab, the plans in order of precedence.
            named: of each plan its name, for what is said, and how many trainings it takes.

        Returns:
            The product of every plan, in their order.

        Raises:
            NoInputError: if the images cannot be read.
            Exception: the first error of a plan; the others were carried on.
            KeyboardInterrupt: after Ctrl-C, when the running trainings are done.
        """
        with lock_folder(self.out):
            lab = self._lab()
            made = plans(lab)
            self.begun = True
            discard_parts(self.out)
            keeper = _Keeper(lab, self.said)
            conductor: Conductor[Product] = Conductor(
                named,
                lambda: len(lab.seen),
                counts=_is_training,
                arrived=keeper.arrived,
                watch=self.watch,
                said=self.said,
            )
            try:
                return conductor.run(made, engine)
            finally:
                keeper.close()

    def _lab(self) -> Lab:
        ledger, digest = read_ledger(self.out), read_batches(self.data).digest()
        return Lab(self.data, self.out, environment(digest, find_bundle(BUNDLE)), ledger)


def _is_training(job: Job) -> bool:
    return job.function is train


class _Keeper:
    """Notes every training as it comes and writes the ledger once a minute."""

    def __init__(self, lab: Lab, said: Callable[[str], None]) -> None:
        self.lab = lab
        self.said = said
        self._written = time.monotonic()

    def arrived(self, job: Job, result: Any) -> None:
        """Before the plan that asked for it is told."""
        if _is_training(job):
            self.lab.note(result)
        if time.monotonic() - self._written >= LEDGER_SECONDS:
            write_ledger(self.lab.out, self.lab.ledger)
            self._written = time.monotonic()

    def close(self) -> None:
        write_ledger(self.lab.out, self.lab.ledger)
        if self.lab.differing:
            self.said(f"made anew with other weights (another processor?): {len(self.lab.differing)} trainings")
