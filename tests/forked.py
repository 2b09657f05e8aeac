"""Processes forked by one that has imported everything: many short trainings for the price of one start.

`python -c "import forked; forked.main()"` reads a list of `Stage` as JSON from its standard input, and runs one
after the other, each in as many processes as it has ranks.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import tiny
import torch
import torch._dynamo  # an optimizer loads it with its first step: here once, for all children
from ignite.engine import Events
from monai.bundle import ConfigWorkflow
from monai.engines import Trainer

from prostate_alm.bundle.workflow import without_monai_noise

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(Path(__file__).parent)}


@dataclass(frozen=True)
class Stage:
    """One stage of the bundle.

    Args:
        configs: names, merged in order.
        overrides: config id -> value; `output_dir` is the stage's folder.
        ranks: number of processes, in a group if the configs ask for one.
        kill_when: path of a file; as soon as it is there, all processes get a SIGKILL.
    """

    configs: Sequence[str]
    overrides: dict[str, Any] = field(default_factory=dict)
    ranks: int = 1
    kill_when: str | None = None


class Record:
    """A handler that keeps what a rank saw of every iteration, as JSON in the stage's folder."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.rows: list[dict[str, Any]] = []

    def attach(self, engine: Trainer) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.note)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def note(self, engine: Trainer) -> None:
        batch = engine.state.batch
        padding = batch["padding"].tolist() if "padding" in batch else None
        loss = float(engine.state.output["loss"])
        self.rows.append({"loss": loss, "case_id": list(batch["case_id"]), "padding": padding})

    def write(self, engine: Trainer) -> None:
        (self.folder / f"rows_{engine.state.rank}.json").write_text(json.dumps(self.rows))


def rows(folder: Path, rank: int = 0) -> list[dict[str, Any]]:
    return json.loads((folder / f"rows_{rank}.json").read_text())


def run(stages: Sequence[Stage]) -> None:
    """Run them in a process of its own, which must end well."""
    done = subprocess.run(
        [sys.executable, "-c", "import forked; forked.main()"],
        input=json.dumps([asdict(stage) for stage in stages]),
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def main() -> None:
    torch.set_num_threads(1)
    for told in json.load(sys.stdin):
        run_here(Stage(**told))


def run_here(stage: Stage) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [fork(lambda rank=rank: train(stage, rank, port)) for rank in range(stage.ranks)]
    if stage.kill_when is not None:
        while not Path(stage.kill_when).exists():
            time.sleep(0.002)
        for child in children:
            os.kill(child, signal.SIGKILL)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    if ends != [-signal.SIGKILL if stage.kill_when else 0] * stage.ranks:
        sys.exit(f"{stage.configs}: {ends}")


def fork(work: Any) -> int:
    """Start a child that works and ends; its process number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(code)
    return child


def train(stage: Stage, rank: int, port: int) -> None:
    told = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": stage.ranks,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    os.environ.update({name: str(value) for name, value in told.items()})
    with without_monai_noise():
        workflow = ConfigWorkflow(
            config_file=[
                name if name.endswith(".json") else str(tiny.BUNDLE / "configs" / f"{name}.json")
                for name in stage.configs
            ],
            meta_file=str(tiny.BUNDLE / "configs" / "metadata.json"),
            logging_file=False,
            bundle_root=str(tiny.BUNDLE),
            **stage.overrides,
        )
        workflow.initialize()
        workflow.run()
        workflow.finalize()
