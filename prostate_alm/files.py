"""Files that are written whole or not at all, and their hashes."""

import csv
import fcntl
import hashlib
import io
import json
import os
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from prostate_alm.errors import OutputError, UsageError


def output_folder(path: Path | str) -> Path:
    """Make a folder for outputs and prove that it can be written to.

    Args:
        path: the folder; parents are made as needed.

    Returns:
        The folder as a `Path`.

    Raises:
        OutputError: if the folder cannot be made or written to.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise OutputError(f"cannot write to {path}: {error.strerror}; choose another output folder") from error
    return path


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """What the file system refuses in the block becomes an OutputError that names the path.

    Example:
        >>> try:
        ...     with writing("/dev/null/x"):
        ...         Path("/dev/null/x").touch()
        ... except OutputError as error:
        ...     print(str(error).partition(";")[0])
        cannot write /dev/null/x: Not a directory
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}; is there space, and may you write there?") from error


def _reason(error: BaseException) -> str:
    """What the file system said, in one line: libraries wrap it into texts of their own."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, OSError) and below.strerror:
            return below.strerror
        below = below.__cause__ or below.__context__
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place on success and vanishes on failure.

    The temporary name keeps the suffixes, so that writers which look at the ending (`.nii.gz`) work.

    Raises:
        OutputError: if the file system refuses (read-only, full).
    """
    path = Path(path)
    part = path.with_name(f".{uuid.uuid4().hex[:12]}.part.{path.name}")  # two machines may share a process number
    try:
        with writing(path):
            yield part
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()


def discard_parts(folder: Path | str) -> None:
    """Remove what killed processes left half-written below a folder; call it only while holding the folder's lock."""
    with writing(folder):
        for part in Path(folder).rglob(".*.part.*"):
            if part.is_file():
                part.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> Path:
    """Write a UTF-8 text file whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def write_json(path: Path | str, content: Any) -> Path:
    """Write JSON whole or not at all; NaN and infinity are refused, since JSON has neither."""
    return write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """What `write_json` writes."""
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def write_csv(path: Path | str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write a table with a header whole or not at all; a row with an unknown column is a ValueError."""
    return write_text(path, csv_text(columns, rows))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """What `write_csv` writes."""
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def sha256(path: Path | str) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def lock_folder(folder: Path | str) -> Iterator[None]:
    """Hold a folder for this process alone; the lock ends with the process, however it ends.

    Raises:
        UsageError: if another process holds it.
    """
    path = Path(folder) / ".lock"
    try:
        handle = path.open("w")
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}; choose another output folder") from error
    with handle:
        try:
            _lock(handle)
        except OSError as error:
            raise UsageError(f"another process works in {folder}; wait for it, or choose another folder") from error
        yield


def is_locked(folder: Path | str) -> bool:
    """True while another process holds a folder; it is never kept from one by this."""
    try:
        with (Path(folder) / ".lock").open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock was ever taken there, or it is not ours to read
        return False
    return False


def _lock(handle: IO[str]) -> None:
    """Take the lock; `is_locked` may hold it for a moment."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(0.1)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
