"""Where a run unpacks archives and hands volumes to the model: a folder, which the next run clears after a kill."""

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prostate_alm.errors import OutputError

_LOCK = ".lock"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@contextmanager
def scratch_folder(key: str) -> Iterator[Path]:
    """Make a private folder the one that `tempfile` uses, and remove it afterwards.

    Temporary files hold images of patients. A killed process cannot remove them, so that the names of all folders of
    one output folder begin alike: those that no living process holds by a lock are removed first.

    Args:
        key: the salted key of the output folder, which nobody else can guess.

    Raises:
        OutputError: if it cannot be made, or what a dead run left cannot be removed.
    """
    before = tempfile.gettempdir()
    try:
        for left in sorted(Path(before).glob(f"prostate-alm-{key}*")):
            _clear(left)
        folder, lock = _locked_folder(before, f"prostate-alm-{key}-")
    except OSError as error:
        raise OutputError(
            f"cannot make or clear {error.filename or before}: {error.strerror}; "
            "remove it, or set TMPDIR to another folder"
        ) from error
    tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def no_room(error: BaseException) -> OutputError | None:
    """The error to raise in place of one that says that temporary files cannot be written; None if it does not."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        if isinstance(cause, OSError) and cause.errno in _NO_ROOM:
            return OutputError(
                f"cannot write temporary files to {tempfile.gettempdir()}: {os.strerror(cause.errno or 0)}; "
                "make space, or set TMPDIR to another folder"
            )
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    return None


def _locked_folder(place: str, prefix: str) -> tuple[Path, int]:
    """A new folder, mode 0700, and its lock; anew if somebody took it for a dead one before it was locked."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        lock = _lock(folder)
        if lock is not None:
            return folder, lock


def _lock(folder: Path) -> int | None:
    """The lock of a folder, None if another process holds it or has removed it."""
    path = folder / _LOCK
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), path.lstat()):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None


def _clear(folder: Path) -> None:
    """Remove what a killed run left, if it is ours: never follow a link, never touch what another user put there."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        return
    lock = _lock(folder)
    if lock is None:
        return
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:  # its own process was removing it
        pass
    finally:
        os.close(lock)
