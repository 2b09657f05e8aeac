"""A training that is killed at random moments and started again until it ends.

`python -c "import kills; kills.main()" COHORT OUT KILLS SEED` trains one member with all its arms: `OUT/straight` at
one go, `OUT/killed_0`, `OUT/killed_1`, ... with a SIGKILL again and again, until there were KILLS of them. Every second
kill comes by the clock, the others while a file is written: just before or just after it takes its place. Then a base
stage alone: `OUT/stage` at one go, `OUT/stage_1`, `OUT/stage_2`, ... killed once, before its n-th file takes its place.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import forked
import tiny
import torch

from prostate_alm.training import train
from prostate_alm.training.stages import train_arm


def main() -> None:
    torch.set_num_threads(1)
    cohort, out, kills, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    generator, number = random.Random(seed), 0
    killed: list[str] = []
    started = time.monotonic()
    run(cohort, out / "straight")  # here, so that children find everything imported
    whole = time.monotonic() - started
    while len(killed) < kills:
        folder = out / f"killed_{number}"
        while not ended(folder, cohort, generator, whole, writing=len(killed) % 2 == 1):
            killed.append(reached(folder))
        number += 1
    sys.stdout.write(f"{len(killed)} kills in {number} trainings of {whole:.2f} s: {', '.join(killed)}\n")
    kill_at_every_file(cohort, out)


def kill_at_every_file(cohort: Path, out: Path) -> None:
    """A stage for each file that it writes."""
    given = tiny.OVERRIDES | {
        "dataset_dir": str(cohort),
        "cache_dir": str(out / "straight" / "cache"),
        "max_epochs": 3,
        "learning_rate": 0.03,
    }
    train_arm(tiny.BUNDLE, "base", out / "stage", given)
    file, ended = 0, False
    while not ended:
        file += 1
        stage = partial(train_arm, tiny.BUNDLE, "base", out / f"stage_{file}", given)
        ended = wait_for(forked.fork(partial(run_until, file, True, stage)), seconds=120.0)
        if not ended:
            wait_for(forked.fork(stage), seconds=120.0)


def ended(folder: Path, cohort: Path, generator: random.Random, whole: float, writing: bool) -> bool:
    """Whether a training ends before it is killed."""
    if not writing:
        return wait_for(forked.fork(lambda: run(cohort, folder)), generator.uniform(0, whole / 2))
    file, before = generator.randint(1, 9), generator.random() < 0.5
    return wait_for(forked.fork(lambda: run_until(file, before, partial(run, cohort, folder))), seconds=120.0)


def run_until(file: int, before: bool, work: Callable[[], None]) -> None:
    """Work until so many files were written whole, and die before or after the last one takes its place."""
    replace, left = Path.replace, file

    def dying(part: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if before and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        placed = replace(part, target)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return placed

    with patch.object(Path, "replace", dying):
        work()


def reached(folder: Path) -> str:
    """How far a run has come: finished arms, and epochs of the next."""
    finished = len(list(folder.glob("members/00/*/result.json")))
    states = folder.glob("members/00/*/train_state.pt")
    epochs = [
        torch.load(state, weights_only=True)["epoch"] for state in states if not (state.parent / "result.json").exists()
    ]
    return f"{finished}+{sum(epochs)}"


def run(cohort: Path, folder: Path) -> None:
    changed = {"cosine_schedule": True, "accumulation_steps": 2}
    settings = tiny.settings(members=1, epochs=2, constrained_epochs=2, aucm=True, overrides=tiny.OVERRIDES | changed)
    train(cohort, folder, tiny.BUNDLE, settings, processes=1)


def wait_for(child: int, seconds: float) -> bool:
    """Whether a child ends well, rather than by a SIGKILL: its own, or ours after some seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            if code not in (0, -signal.SIGKILL):
                sys.exit("a training did not end well")
            return code == 0
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False
