"""One tiny run for all tests of training, in one thread; the tests copy what they change."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny

from prostate_alm.training.stages import one_thread


@pytest.fixture(scope="module", autouse=True)
def thread() -> Iterator[None]:
    """As members train: on a busy machine several threads wait for each other at every tiny step."""
    with one_thread():
        yield


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> tiny.Run:
    return tiny.shared_run(tmp_path_factory.getbasetemp())


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    return tmp_path / "run"
