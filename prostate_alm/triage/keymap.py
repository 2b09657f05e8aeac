"""The site's private table from study key to accession number and folder; it never lies beside the results."""

import csv
import fcntl
import io
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from prostate_alm.errors import OutputError, UsageError
from prostate_alm.files import output_folder, whole_file

if TYPE_CHECKING:
    from prostate_alm.triage.inputs import Found

COLUMNS: tuple[str, ...] = ("study_key", "accession", "study_instance_uid", "folder")
WITHOUT_FOLDER = COLUMNS[:-1]
"""The columns of a key map that an earlier version wrote; it is added to as well."""
_FORMULA = re.compile(r"'*(\s*[=+\-@]|[\t\r\n])")
_ESCAPED = re.compile(r"'+(\s*[=+\-@]|[\t\r\n])")


def check_keymap(path: Path, out: Path) -> None:
    """Refuse a place that would give the identities away, or overwrite something else, before any work is done.

    Raises:
        UsageError: if the file would lie inside the output folder, is a folder, or is no key map.
        OutputError: if its folder cannot be written to.
    """
    refuse_inside(path, out)
    read_keymap(path)
    output_folder(path.resolve().parent)


def refuse_inside(path: Path, out: Path) -> None:
    """Refuse a key map in the output folder.

    Raises:
        UsageError: if the file would lie there.
    """
    if path.resolve().is_relative_to(out.resolve()):
        raise UsageError(
            f"the key map {path} lies inside the output folder {out}: results are passed on, identities are not"
        )


def refuse_among(path: Path | None, studies: Sequence[Path]) -> None:
    """Refuse a key map among the studies: it would be a delivery itself, again with every study.

    Args:
        path: the key map, None if there is none.
        studies: the given paths, or the watched folder.

    Raises:
        UsageError: if it lies below one of them.
    """
    place = None if path is None else path.resolve()
    above = set() if place is None else {place, *place.parents}
    for study in studies:
        if study.resolve() in above:
            raise UsageError(f"the key map {path} lies inside {study}, where studies are looked for; choose another")


def read_keymap(path: Path) -> dict[str, dict[str, str]]:
    """Study key -> row; empty if there is no such file yet.

    Raises:
        UsageError: if something else is there.
    """
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            rows = {row["study_key"]: {name: _bare(row.get(name) or "") for name in COLUMNS} for row in table}
            if tuple(table.fieldnames or ()) not in (COLUMNS, WITHOUT_FOLDER):
                raise ValueError("other columns")
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise UsageError(f"{path} exists and is no key map ({','.join(COLUMNS)}); choose another file") from error
    return rows


def write_keymap(path: Path, found: Iterable["Found"]) -> Path:
    """Add studies to the key map; only its owner may read it (mode 0600), from the first byte on.

    Several runs may share one: each waits until the one before has written. What begins like a formula of a spreadsheet
    gets an apostrophe, which `read_keymap` takes away again. A key map in which nothing changes is not written again.

    Raises:
        OutputError: if it cannot be written.
        UsageError: if something else is there.
    """
    with _held(path):
        before = read_keymap(path)
        rows = _added(before, found)
        if rows != before or not _private(path):
            _write(path, rows)
    return path


def _added(before: dict[str, dict[str, str]], found: Iterable["Found"]) -> dict[str, dict[str, str]]:
    rows = dict(before)
    for item in found:
        rows[item.study_key] = {
            "study_key": item.study_key,
            "accession": item.accession or rows.get(item.study_key, {}).get("accession", ""),
            "study_instance_uid": item.uid,
            # a folder's name need not be UTF-8, and Python then gives it half characters
            "folder": str(item.where.resolve()).encode(errors="backslashreplace").decode(),
        }
    return rows


def _write(path: Path, rows: dict[str, dict[str, str]]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(COLUMNS), lineterminator="\n")
    table.writeheader()
    table.writerows({name: _safe(cell) for name, cell in rows[key].items()} for key in sorted(rows))
    with whole_file(path) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text.getvalue())


def _private(path: Path) -> bool:
    return path.exists() and stat.S_IMODE(path.stat().st_mode) == 0o600


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Wait for the lock beside the key map; the key map itself is replaced, so that a lock on it would hold nobody."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        file = os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise _unwritable(path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise _unwritable(path, error) from error
        yield


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write the key map {path}: {error.strerror}; choose another file")


def _safe(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _bare(cell: str) -> str:
    return cell[1:] if _ESCAPED.match(cell) else cell
