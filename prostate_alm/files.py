"""Files that are written whole or not at all, and their hashes."""

import csv
import fcntl
import hashlib
import io
import json
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

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
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place on success and vanishes on failure.

    The temporary name keeps the suffixes, so that writers which look at the ending (`.nii.gz`) work.

    Raises:
        OutputError: if the file system refuses (read-only, full).
    """
    path = Path(path)
    part = path.with_name(f".{uuid.uuid4().hex[:12]}.part.{path.name}")  # two machines may share a process number
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; is there space, and may you write there?"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def discard_parts(folder: Path | str) -> None:
    """Remove what killed processes left half-written below a folder; call it only while holding the folder's lock."""
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
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another process works in {folder}; wait for it, or choose another folder") from error
        yield
