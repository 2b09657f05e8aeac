"""Where a run unpacks archives and hands volumes to the model: one folder, which the next run clears after a kill."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prostate_alm.errors import OutputError


@contextmanager
def scratch_folder(key: str) -> Iterator[Path]:
    """Make a private folder the one that `tempfile` uses, and remove it afterwards.

    Temporary files hold images of patients. A killed process cannot remove them, so that the folder's name is the same
    for every run of one output folder: what a dead run left is removed first. Call it only while holding the output
    folder's lock.

    Args:
        key: the salted key of the output folder, which nobody else can guess.

    Raises:
        OutputError: if it cannot be made, or somebody else has made it.
    """
    before = tempfile.gettempdir()
    folder = Path(before) / f"prostate-alm-{key}"
    try:
        _clear(folder)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise OutputError(
            f"cannot make {folder}: {error.strerror}; remove it, or set TMPDIR to another folder"
        ) from error
    tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def _clear(folder: Path) -> None:
    """Remove what a killed run left, if it is ours: never follow a link, never touch what another user put there."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise FileExistsError(0, "something that is not ours is there", str(folder))
    shutil.rmtree(folder)
