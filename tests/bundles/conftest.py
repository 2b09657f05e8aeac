"""One tiny run for all tests of the bundle; the tests copy what they change."""

import pytest
import tiny


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> tiny.Run:
    return tiny.shared_run(tmp_path_factory.getbasetemp())
