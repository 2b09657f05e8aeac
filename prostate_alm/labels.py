"""The labels table of a cohort: which study is positive, and the groups that a report looks at one by one."""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prostate_alm.errors import NoInputError, UsageError

_SITE = re.compile(r"[^\W_](?:[^\W_]|[ .-]){0,39}")
_AGE = re.compile(r"[0-9]{1,3}")
_YOUNG, _OLD = 40, 80


@dataclass(frozen=True)
class LabelRow:
    """One row of the labels table; messages name its line, since `study` may identify a person.

    Args:
        line: where it stands, from 1.
        study: a StudyInstanceUID, an accession number or the study's folder.
        label: 1 (DCE needed) or 0.
        groups: `site` and `age band`, where the table has them.
    """

    line: int
    study: str = field(repr=False)
    label: int
    groups: dict[str, str] = field(default_factory=dict)


def read_labels(path: Path | str) -> dict[str, int]:
    """Read `labels.csv` as study -> label; see `read_label_rows`."""
    return {row.study: row.label for row in read_label_rows(path)}


def read_label_rows(path: Path | str) -> list[LabelRow]:
    """Read `labels.csv`, with the columns `study` and `label`, and if they are there `site` and `age` (in years).

    Reports show their figures for each site and age band; ages leave this function as bands of ten years alone.

    Raises:
        NoInputError: if the file is missing or not a table.
        UsageError: if a column is missing, a study stands twice, a label is not 0 or 1, a site is no short name, or an
            age no whole number of years.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            header = list(table.fieldnames or ())
            lines = [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NoInputError(
            f"labels file {path} cannot be read ({error}); give a CSV with the columns study,label"
        ) from error
    if header and not {"study", "label"} <= set(header):
        wrong = "separate them by a comma, not by ';'" if any(";" in name for name in header) else "give both"
        raise UsageError(f"{path.name} line 1: needs the columns study and label; {wrong}")
    rows: dict[str, LabelRow] = {}
    for line, content in lines:
        row = _label_row(f"{path.name} line {line}", line, content)
        if row.study in rows:
            raise UsageError(f"{path.name} line {line}: this study stands twice; keep one line per study")
        rows[row.study] = row
    if not rows:
        raise UsageError(f"{path.name} has no rows; give one line per study: study,label")
    return list(rows.values())


def _label_row(where: str, line: int, content: dict[str, Any]) -> LabelRow:
    study, label = (content["study"] or "").strip(), (content["label"] or "").strip()
    if not study:
        raise UsageError(f"{where}: needs the columns study and label, both filled in")
    if label not in {"0", "1"}:
        raise UsageError(f"{where}: this label is not allowed; use 1 (DCE needed) or 0")
    return LabelRow(line, study, int(label), _groups(where, content))


def _groups(where: str, content: dict[str, Any]) -> dict[str, str]:
    site, age = (content.get("site") or "").strip(), (content.get("age") or "").strip()
    if site and not _SITE.fullmatch(site):
        raise UsageError(f"{where}: this site is not allowed; use a name of letters and digits, 40 at most")
    if age and not _AGE.fullmatch(age):
        raise UsageError(f"{where}: this age is not allowed; use whole years, or leave it empty")
    return ({"site": site} if site else {}) | ({"age band": age_band(int(age))} if age else {})


def age_band(years: int) -> str:
    """Ten years; the youngest and the oldest share a band, since few patients have such an age.

    Example:
        >>> [age_band(years) for years in (38, 65, 90)]
        ['under 40', '60 to 69', '80 and older']
    """
    if years < _YOUNG:
        return f"under {_YOUNG}"
    if years >= _OLD:
        return f"{_OLD} and older"
    return f"{years // 10 * 10} to {years // 10 * 10 + 9}"
