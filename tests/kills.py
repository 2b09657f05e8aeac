"""A training that is killed at random moments and started again until it ends.

`python -c "import kills; kills.main()" COHORT OUT KILLS SEED` trains one member with all its arms: `OUT/straight` at
one go, `OUT/killed_0`, `OUT/killed_1`, ... with a SIGKILL again and again, until there were KILLS of them.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import forked
import tiny
import torch

from prostate_alm.training import train


def main() -> None:
    torch.set_num_threads(1)
    cohort, out, kills, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    run(cohort, out / "straight")  # here, so that children find everything imported
    generator, number = random.Random(seed), 0
    killed: list[str] = []
    started = time.monotonic()
    wait_for(forked.fork(lambda: run(cohort, out / "warm")), seconds=120.0)
    whole = time.monotonic() - started
    while len(killed) < kills:
        folder = out / f"killed_{number}"
        while not wait_for(forked.fork(lambda folder=folder: run(cohort, folder)), generator.uniform(0, whole / 2)):
            killed.append(reached(folder))
        number += 1
    sys.stdout.write(f"{len(killed)} kills in {number} trainings of {whole:.2f} s: {', '.join(killed)}\n")


def reached(folder: Path) -> str:
    """How far a run has come: finished arms, and epochs of the next."""
    finished = len(list(folder.glob("members/00/*/result.json")))
    states = folder.glob("members/00/*/train_state.pt")
    epochs = [
        torch.load(state, weights_only=True)["epoch"] for state in states if not (state.parent / "result.json").exists()
    ]
    return f"{finished}+{sum(epochs)}"


def run(cohort: Path, folder: Path) -> None:
    settings = tiny.settings(members=1, overrides=tiny.OVERRIDES | {"cosine_schedule": True})
    train(cohort, folder, tiny.BUNDLE, settings, processes=1)


def wait_for(child: int, seconds: float) -> bool:
    """Whether a child ends by itself, and well; after some seconds it is killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            if os.waitstatus_to_exitcode(status) != 0:
                sys.exit("a training did not end well")
            return True
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False
