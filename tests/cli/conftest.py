"""The whole command line, run in this process."""

from collections.abc import Callable

import pytest

from prostate_alm.cli import console
from prostate_alm.cli.app import app


@pytest.fixture
def prostate_alm(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run a command line; gives the exit code, stdout and stderr."""
    monkeypatch.setenv("PROSTATE_ALM_SALT", "a salt for the tests")

    def run(*arguments: object) -> tuple[int, str, str]:
        code = console.guarded(lambda: app([str(argument) for argument in arguments]))
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run
