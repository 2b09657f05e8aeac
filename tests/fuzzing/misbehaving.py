"""A worker that does what no reading may do, to see that it is noticed."""

import os
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from fuzzing import verdict
from fuzzing.prints import Reading
from fuzzing.sources import Source
from fuzzing.worker import MEMORY_BYTES, Outcome, confine

WAITS, WORKS, DIES, HUNGRY, GOOD = range(5)


def misbehave(connection: Connection, folder: Path, sources: Sequence[Source], baselines: dict[str, Reading]) -> None:
    """Take seeds, each of which stands for a misdeed."""
    confine(folder)
    while (seed := connection.recv()) is not None:
        connection.send(("kind", "source"))
        if seed == WAITS:
            time.sleep(1000)
        elif seed == WORKS:
            while True:
                pass
        elif seed == DIES:
            os.abort()
        outcome = verdict.SAME
        if seed == HUNGRY:
            try:
                bytearray(2 * MEMORY_BYTES)
            except MemoryError:
                outcome = verdict.MEMORY
        connection.send(Outcome(seed, "kind", "source", outcome))
