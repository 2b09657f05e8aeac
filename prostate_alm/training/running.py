"""Plans driven to their end in a folder, and what is told on the way."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from prostate_alm.training.engine import Engine
from prostate_alm.training.plans import Job, Listeners, Plan, PlanRunner, Tally

Product = TypeVar("Product")


@dataclass
class Progress:
    """How far a run is.

    Args:
        total: trainings of all plans, without those that a plan that was given up leaves undone.
        done: of them finished, now or earlier.
        running: being computed.
        failed: ended in an error.
        seconds_left: for all that is not done, at the pace of this run; None until a training of it is done. Lost
            weights that will have to be made anew are not foreseen.
    """

    total: int = 0
    done: int = 0
    running: int = 0
    failed: int = 0
    seconds_left: float | None = None


class Conductor(Generic[Product]):
    """Drives named plans over an engine, tells how far they are, and keeps what they give.

    Args:
        plans: of each its name, for what is said, and how many trainings it takes.
        done: how many trainings are finished, now or earlier; it grows only while a plan decides or a job arrives.
        counts: whether a job is a training, for the time that is left.
        arrived: called with a job and its result, before the plan that asked for it is told.
        watch: called whenever the progress changes.
        said: called with one line when a plan ends or fails, and when the run is interrupted.

    Attributes:
        progress: the last one told.
    """

    def __init__(
        self,
        plans: Sequence[tuple[str, int]],
        done: Callable[[], int],
        *,
        counts: Callable[[Job], bool] = lambda _: True,
        arrived: Callable[[Job, Any], None] = lambda *_: None,
        watch: Callable[[Progress], None] = lambda _: None,
        said: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.names = [name for name, _ in plans]
        self.done = done
        self.counts = counts
        self.arrived = arrived
        self.watch = watch
        self.said = said
        self.progress = Progress()
        self._started = 0.0
        self._left = [trainings for _, trainings in plans]
        self._done = 0
        self._trained = 0
        self._pace: float | None = None  # seconds for a training, all that was done beside it among them
        self._products: dict[int, Product] = {}

    def run(self, plans: Sequence[Plan[Product]], engine: Engine) -> list[Product]:
        """Carry the plans out.

        Args:
            plans: in order of precedence, those that were named.
            engine: where jobs run; entered by the caller.

        Returns:
            The product of every plan, in their order.

        Raises:
            Exception: the first error of a plan; the others were carried on.
            KeyboardInterrupt: after Ctrl-C, when the running jobs are done.
        """
        self._started = time.monotonic()
        errors = (
            PlanRunner(
                plans,
                engine,
                Listeners(
                    watch=self._watch,
                    arrived=self._arrived,
                    finished=self._finished,
                    failed=lambda number, error: self.said(f"{self.names[number]} failed: {error}"),
                    moved=self._moved,
                    stopping=self._stopping,
                ),
            )
            .run()
            .errors
        )
        if errors:
            raise errors[min(errors)]
        return [self._products[number] for number in range(len(self.names))]

    def _arrived(self, job: Job, result: Any) -> None:
        if self.counts(job):
            self._trained += 1
            self._pace = (time.monotonic() - self._started) / self._trained
        self.arrived(job, result)

    def _moved(self, number: int) -> None:
        """What has been done since another plan moved was done for this one."""
        done = self.done()
        self._left[number] = max(0, self._left[number] - (done - self._done))
        self._done = done

    def _finished(self, number: int, product: Product) -> None:
        self._left[number] = 0
        self._products[number] = product
        self.said(f"{self.names[number]}: finished")

    def _stopping(self, running: int) -> None:
        if running:
            self.said(f"stopping: {running} tasks end first (Ctrl-C again: at once)")

    def _watch(self, tally: Tally) -> None:
        left = sum(trainings for number, trainings in enumerate(self._left) if number not in tally.errors)
        now = Progress(self._done + left, self._done, tally.running, tally.failed)
        if self._pace is not None:
            now.seconds_left = self._pace * left
        if now != self.progress:
            self.progress = now
            self.watch(now)
