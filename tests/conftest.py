"""What every test can ask for."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# every law is tried on at least this many examples; timing is never asserted. CI tries the same ones each time, so that
# a change is judged by what it changed; at a desk every run looks for new ones
settings.register_profile("house", max_examples=200, deadline=None, derandomize="CI" in os.environ)
settings.load_profile("house")

# a job in the background of a script inherits that Ctrl-C is ignored, and so would the processes that tests interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared data folder; the test is skipped where it is absent, as in an outsider's checkout."""
    folder = Path(os.environ.get("PROSTATE_ALM_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the shared data, looked in {folder}; set PROSTATE_ALM_SHARED")
    return folder
