"""SIGKILL at random moments, also while starting or writing: a training ends in the bits of an uninterrupted one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import forked
import pytest
import tiny
import torch

from prostate_alm.training import ARMS

KILLS = os.environ.get("PROSTATE_ALM_KILLS", "20")


def without_seconds(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "seconds"}


def flat(content: Any) -> Any:
    """With the bytes of every tensor, so that == means every bit."""
    if isinstance(content, torch.Tensor):
        return str(content.dtype), tuple(content.shape), content.contiguous().numpy().tobytes()
    if isinstance(content, dict):
        return {name: flat(value) for name, value in content.items()}
    return [flat(value) for value in content] if isinstance(content, list | tuple) else content


def kept(folder: Path) -> dict[str, Any]:
    """Everything that a run leaves, by file; of what it measures by the clock only that it is there."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.name == "result.json":
            found[name] = without_seconds(json.loads(path.read_text()))
        elif path.name == "train_state.pt":
            found[name] = flat(without_seconds(torch.load(path, weights_only=True)))
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def out(tiny_run: tiny.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills")
    done = subprocess.run(
        [sys.executable, "-c", "import kills; kills.main()", str(tiny_run.cohort.folder), str(folder), KILLS, "7"],
        env=os.environ | forked.ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout.split()[0]) >= int(KILLS)
    return folder


@pytest.mark.slow
def test_trainings_killed_at_random_moments_end_in_the_same_bits(out: Path) -> None:
    straight = kept(out / "straight")
    for arm in ARMS:
        assert straight[f"members/00/{arm}/train_state.pt"]["epoch"] == 2
    runs = sorted(out.glob("killed_*"))
    assert runs
    for run in runs:
        found = kept(run)
        assert found.keys() == straight.keys()
        assert [name for name in straight if found[name] != straight[name]] == []


@pytest.mark.slow
def test_a_stage_killed_at_any_of_its_files_ends_in_the_same_bits(out: Path) -> None:
    wanted = kept(out / "stage")
    stages = [kept(stage) for stage in sorted(out.glob("stage_*"))]
    assert len(stages) >= 3 + 1 + 1 + 1  # three states, weights once or more, the result, and one that was not killed
    for found in stages:
        parts = [name for name in found if ".part." in name]  # a run removes them, a stage alone does not
        assert {name: found[name] for name in found if name not in parts} == wanted
    assert sum(any(".part." in name for name in found) for found in stages) == len(stages) - 1  # all but it were killed
