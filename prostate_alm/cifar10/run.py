"""A run in a folder: plans over an engine, a ledger that grows, and how far it is."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10.dataset import read_batches
from prostate_alm.cifar10.environment import environment
from prostate_alm.cifar10.lab import BUNDLE, Lab, train
from prostate_alm.cifar10.ledger import read_ledger, write_ledger
from prostate_alm.files import discard_parts, lock_folder, output_folder
from prostate_alm.training import Engine, Job, Plan, PlanRunner, Tally

LEDGER_SECONDS = 60.0

Product = TypeVar("Product")


@dataclass
class Progress:
    """How far a run is.

    Args:
        total: trainings of all plans.
        done: of them finished, now or earlier.
        running: being computed.
        failed: ended in an error.
        seconds_left: None until a training of this run is done.
    """

    total: int = 0
    done: int = 0
    running: int = 0
    failed: int = 0
    seconds_left: float | None = None


class Run:
    """Carries out plans in a folder, and goes on where an earlier run was stopped.

    Args:
        data: CIFAR10, the official python layout or its tar.gz.
        out: gets `trainings/`, `trainings.csv`, `work/` (weights) and the arms' results in `paper/` or `search/`.
        watch: called whenever the progress changes.
        said: called with one line when a plan ends or fails, and when the run is interrupted.

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
        self.progress = Progress()
        self._started = 0.0

    def carry_out(
        self,
        engine: Engine,
        plans: Callable[[Lab], Sequence[Plan[Product]]],
        *,
        names: Sequence[str],
        trainings: int,
    ) -> list[Product]:
        """Compute what is missing; whatever ends it, all that is finished is kept.

        Args:
            engine: where trainings run.
            plans: given the lab, the plans in order of precedence.
            names: of the plans, for what is said.
            trainings: how many all plans take.

        Returns:
            The product of every plan, in their order.

        Raises:
            NoInputError: if the images cannot be read.
            Exception: the first error of a plan; the others were carried on.
            KeyboardInterrupt: after Ctrl-C, when the running trainings are done.
        """
        with lock_folder(self.out):
            discard_parts(self.out)
            lab = self._lab()
            keeper = _Keeper(lab, names, self.said)
            self._started = time.monotonic()
            runner = PlanRunner(
                plans(lab),
                engine,
                watch=lambda tally: self._watch(tally, len(lab.seen), trainings),
                arrived=keeper.arrived,
                finished=keeper.finished,
                failed=keeper.failed,
                stopping=self._stopping,
            )
            try:
                errors = runner.run().errors
            finally:
                keeper.close()
        if errors:
            raise errors[min(errors)]
        return [keeper.products[number] for number in range(len(names))]

    def _lab(self) -> Lab:
        ledger, digest = read_ledger(self.out), read_batches(self.data).digest()
        return Lab(self.data, self.out, environment(digest, find_bundle(BUNDLE)), ledger)

    def _stopping(self, running: int) -> None:
        if running:
            self.said(f"stopping: {running} tasks end first (Ctrl-C again: at once)")

    def _watch(self, tally: Tally, done: int, total: int) -> None:
        now = Progress(total, done, tally.running, tally.failed)
        if tally.done:
            now.seconds_left = (time.monotonic() - self._started) / tally.done * max(0, total - done)
        if now != self.progress:
            self.progress = now
            self.watch(now)


class _Keeper(Generic[Product]):
    """Notes every training as it comes, writes the ledger once a minute, keeps the products."""

    def __init__(self, lab: Lab, names: Sequence[str], said: Callable[[str], None]) -> None:
        self.lab = lab
        self.names = names
        self.said = said
        self.products: dict[int, Product] = {}
        self._written = time.monotonic()

    def arrived(self, job: Job, result: Any) -> None:
        """Before the plan that asked for it is told."""
        if job.function is train:
            self.lab.note(result)
        if time.monotonic() - self._written >= LEDGER_SECONDS:
            write_ledger(self.lab.out, self.lab.ledger)
            self._written = time.monotonic()

    def finished(self, number: int, product: Product) -> None:
        self.products[number] = product
        self.said(f"{self.names[number]}: finished")

    def failed(self, number: int, error: Exception) -> None:
        self.said(f"{self.names[number]} failed: {error}")

    def close(self) -> None:
        write_ledger(self.lab.out, self.lab.ledger)
        if self.lab.differing:
            self.said(f"{len(self.lab.differing)} trainings, made anew, have other weights (another processor?)")
