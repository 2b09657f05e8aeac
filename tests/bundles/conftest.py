"""What several tests of the bundles share and none may change: a tiny run, and a bundle with its exports."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from small_bundle import make_small_bundle

TOOL = Path(__file__).parents[2] / "tools" / "export_bundle.py"


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> tiny.Run:
    return tiny.shared_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def export_in_a_process() -> Callable[..., None]:
    """Exports a bundle by the tool, in a process whose hashes of strings begin at a seed."""

    def export(bundle: Path, seed: str, *options: str) -> None:
        command = [sys.executable, str(TOOL), str(bundle), *options]
        environment = os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=bundle.parent, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-1000:]
        assert done.stdout.count("logits differ by at most") == 2 + len(options)

    return export


@pytest.fixture(scope="session")
def exported_bundle(tmp_path_factory: pytest.TempPathFactory, export_in_a_process: Callable[..., None]) -> Path:
    """Three small members, with every export."""
    folder = make_small_bundle(tmp_path_factory.mktemp("exported") / "bundle", members=3)
    export_in_a_process(folder, "1", "--onnx")
    return folder
