"""Plans driven to their end in a folder, and what is told on the way."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from prostate_alm.training.engine import Engine
from prostate_alm.training.plans import Job, Plan, PlanRunner, Tally

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


class Conductor(Generic[Product]):
    """Drives named plans over an engine, tells how far they are, and keeps what they give.

    Args:
        names: of the plans, for what is said.
        total: how many trainings all plans take.
        done: how many of them are finished, now or earlier.
        arrived: called with a job and its result, before the plan that asked for it is told.
        watch: called whenever the progress changes.
        said: called with one line when a plan ends or fails, and when the run is interrupted.

    Attributes:
        progress: the last one told.
    """

    def __init__(
        self,
        names: Sequence[str],
        total: int,
        done: Callable[[], int],
        *,
        arrived: Callable[[Job, Any], None] = lambda *_: None,
        watch: Callable[[Progress], None] = lambda _: None,
        said: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.names = names
        self.total = total
        self.done = done
        self.arrived = arrived
        self.watch = watch
        self.said = said
        self.progress = Progress()
        self._started = 0.0
        self._products: dict[int, Product] = {}

    def run(self, plans: Sequence[Plan[Product]], engine: Engine) -> list[Product]:
        """Carry the plans out.

        Args:
            plans: in order of precedence, as many as names.
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
                watch=self._watch,
                arrived=self.arrived,
                finished=self._finished,
                failed=lambda number, error: self.said(f"{self.names[number]} failed: {error}"),
                stopping=self._stopping,
            )
            .run()
            .errors
        )
        if errors:
            raise errors[min(errors)]
        return [self._products[number] for number in range(len(self.names))]

    def _finished(self, number: int, product: Product) -> None:
        self._products[number] = product
        self.said(f"{self.names[number]}: finished")

    def _stopping(self, running: int) -> None:
        if running:
            self.said(f"stopping: {running} tasks end first (Ctrl-C again: at once)")

    def _watch(self, tally: Tally) -> None:
        done = self.done()
        now = Progress(self.total, done, tally.running, tally.failed)
        if tally.done:
            now.seconds_left = (time.monotonic() - self._started) / tally.done * max(0, self.total - done)
        if now != self.progress:
            self.progress = now
            self.watch(now)
