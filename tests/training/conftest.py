"""One tiny run for all tests of training; the tests copy what they change."""

from pathlib import Path

import pytest
import tiny


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> tiny.Run:
    return tiny.shared_run(tmp_path_factory.getbasetemp())


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    return tmp_path / "run"
