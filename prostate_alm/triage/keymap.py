"""The site's private table from study key to accession number and folder; it never lies beside the results."""

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from prostate_alm.errors import UsageError
from prostate_alm.files import output_folder, whole_file

if TYPE_CHECKING:
    from prostate_alm.triage.inputs import Found

COLUMNS: tuple[str, ...] = ("study_key", "accession", "study_instance_uid", "folder")
WITHOUT_FOLDER = COLUMNS[:-1]
"""The columns of a key map that an earlier version wrote; it is added to as well."""


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
            rows = {row["study_key"]: row for row in table}
            if tuple(table.fieldnames or ()) not in (COLUMNS, WITHOUT_FOLDER):
                raise ValueError("other columns")
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise UsageError(f"{path} exists and is no key map ({','.join(COLUMNS)}); choose another file") from error
    return rows


def write_keymap(path: Path, found: Iterable["Found"]) -> Path:
    """Add studies to the key map; only its owner may read it (mode 0600), from the first byte on.

    Raises:
        OutputError: if it cannot be written.
        UsageError: if something else is there.
    """
    rows = read_keymap(path)
    for item in found:
        rows[item.study_key] = {
            "study_key": item.study_key,
            "accession": item.accession or rows.get(item.study_key, {}).get("accession", ""),
            "study_instance_uid": item.uid,
            "folder": str(item.where.resolve()),
        }
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(COLUMNS), lineterminator="\n")
    table.writeheader()
    table.writerows(rows[key] for key in sorted(rows))
    with whole_file(path) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        # a folder's name need not be UTF-8, and Python then gives it half characters
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(text.getvalue())
    return path
