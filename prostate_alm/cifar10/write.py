"""Write every table of a results folder: CSV for each set, one Markdown text and one page for all."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from prostate_alm.cifar10.gains import GAIN_COLUMNS
from prostate_alm.cifar10.hyperparameters import CHOICE_COLUMNS, CLASSES
from prostate_alm.cifar10.ledger import read_ledger, run_facts
from prostate_alm.cifar10.page import LEAD, page_html
from prostate_alm.cifar10.repeats import repeats
from prostate_alm.cifar10.sets import ResultSet, read_sets
from prostate_alm.cifar10.summary import choice_lines
from prostate_alm.cifar10.tables import COLUMNS
from prostate_alm.errors import NoInputError
from prostate_alm.files import output_folder, write_csv, write_text

DISCUSSION = "discussion.md"


def write_all(folder: Path | str) -> tuple[Path, Path]:
    """Make every table of a results folder and write them into it; all is made before anything is written.

    Each set gets `<set>/table<n>.csv` and `<set>/table<n>_gains.csv` in long form (`table8.csv`, and `table8_6-7.csv`
    of the other class pair, of the search alone); the folder gets `tables.md` and `index.html`. What `discussion.md` in
    the folder says stands after the summary.

    Returns:
        The paths of `tables.md` and `index.html`.

    Raises:
        NoInputError: if there are no results, or a result or the discussion cannot be read.
        UsageError: if results do not fit together.
        OutputError: if the folder cannot be written to.
    """
    folder = Path(folder)
    sets = read_sets(folder)
    discussion = _discussion(folder)
    facts = run_facts(read_ledger(folder))
    text, page = markdown(sets, discussion, facts), page_html(sets, discussion, facts)
    for part in sets:
        _write_csvs(output_folder(folder / part.name), part)
    return write_text(folder / "tables.md", text), write_text(folder / "index.html", page)


def markdown(sets: Sequence[ResultSet], discussion: str = "", facts: Sequence[tuple[str, str]] = ()) -> str:
    """The summary, the discussion, what the run took and every table as one Markdown text."""
    parts = ["# The paper's CIFAR10 tables beside ours\n", "Research software, not a medical device.\n"]
    parts += [f"{LEAD}\n", "## Summary\n", *(_summary(part) for part in sets)]
    if discussion.strip():
        parts += [] if discussion.lstrip().startswith("#") else ["## Discussion\n"]
        parts += [discussion.strip() + "\n"]
    parts += ["## The run\n", _listed(facts)] if facts else []
    again = repeats(sets)
    parts += ["## Trained twice\n", *(grid.markdown(3) for grid in again)] if again else []
    for part in sets:
        parts += [f"## {part.title}\n", *(grid.markdown(3) for grid in part.grids)]
        parts.append(_listed(part.facts()))
    return "\n".join(parts)


def _listed(facts: Sequence[tuple[str, str]]) -> str:
    return "".join(f"- {name}: {value}\n" for name, value in facts)


def _summary(part: ResultSet) -> str:
    lines = [f"### {part.title}\n"]
    for table in part.tables:
        lines.append(f"Table {table.number}, {table.summary.title}:\n")
        lines.append("".join(f"- {line}\n" for line in (*table.summary.lines(), *table.remarks)))
    if CLASSES in part.choices:
        lines.append("Table 8, hyper-parameters:\n")
        lines.append("".join(f"- {line}\n" for line in choice_lines(part.choices[CLASSES])))
    return "\n".join(lines)


def _write_csvs(folder: Path, part: ResultSet) -> None:
    for table in part.tables:
        write_csv(folder / f"table{table.number}.csv", COLUMNS, (asdict(row) for row in table.rows))
        write_csv(folder / f"table{table.number}_gains.csv", GAIN_COLUMNS, (asdict(gain) for gain in table.gains))
    for classes, rows in part.choices.items():
        name = "table8.csv" if classes == CLASSES else f"table8_{classes[0]}-{classes[1]}.csv"
        write_csv(folder / name, CHOICE_COLUMNS, (asdict(choice) for choice in rows))


def _discussion(folder: Path) -> str:
    path = folder / DISCUSSION
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise NoInputError(f"{path} cannot be read ({error}); write it as UTF-8 text") from error
