"""A tiny CIFAR-10 in the official layout."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
PER_BATCH = 40


def batch_content(number: int, per_batch: int = PER_BATCH) -> dict[bytes, object]:
    """Every class equally often; the class decides the mean grey level."""
    generator = np.random.default_rng(number)
    labels = generator.permutation(np.arange(per_batch) % 10)
    noise = generator.integers(0, 20, (per_batch, 3072))
    return {
        b"batch_label": f"batch {number}".encode(),
        b"labels": [int(label) for label in labels],
        b"data": (noise + 20 * labels[:, None]).astype(np.uint8),
        b"filenames": [f"{number}_{row}.png".encode() for row in range(per_batch)],
    }


@pytest.fixture
def write_layout() -> Callable[..., Path]:
    """Writes `cifar-10-batches-py` into a folder and returns it."""

    def write(folder: Path, per_batch: int = PER_BATCH) -> Path:
        layout = folder / "cifar-10-batches-py"
        layout.mkdir(parents=True)
        for number, name in enumerate(NAMES):
            (layout / name).write_bytes(pickle.dumps(batch_content(number, per_batch), protocol=2))
        return layout

    return write


@pytest.fixture
def layout(tmp_path: Path, write_layout: Callable[..., Path]) -> Path:
    """The folder `cifar-10-batches-py` with 40 images a batch."""
    return write_layout(tmp_path)


@pytest.fixture(scope="session")
def real_layout(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 60,000 images, unpacked once a session (10 to 25 s): mark the tests `slow` and `shared_data`."""
    folder = tmp_path_factory.mktemp("cifar10")
    script = shared / "data" / "cifar10" / "to_batches.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder / "cifar-10-batches-py"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arms that were trained in this process, one by one."""
    from prostate_alm.cifar10 import lab  # seconds: for those tests alone that train

    arms: list[str] = []
    train_arm = lab.train_arm

    def noting(bundle: Path, arm: str, *arguments: Any) -> None:
        arms.append(arm)
        train_arm(bundle, arm, *arguments)

    monkeypatch.setattr(lab, "train_arm", noting)
    return arms
