"""`inspect`, `prepare` and `phantom`: what is in a study, studies to a cohort, synthetic studies."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prostate_alm.cli import console
from prostate_alm.cli.options import Harmonise, Rules
from prostate_alm.errors import UsageError

if TYPE_CHECKING:
    from prostate_alm.studies import StudyFiles, StudyReading

SOME_BROKEN = 3

Study = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder or zip archive: DICOM, NIfTI, MHA, NRRD.")]
Studies = Annotated[Path, typer.Argument(metavar="STUDIES", help="Folder or zip archive with all studies.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per study instead of tables.")]
Labels = Annotated[
    Path | None,
    typer.Option("--labels", help="Table study,label[,site,age]: study is a StudyInstanceUID, accession or folder."),
]
Cohort = Annotated[Path, typer.Option("--out", metavar="COHORT", help="Folder for volumes, manifest and QC table.")]
Dialect = Annotated[
    str,
    typer.Option(
        "--dialect",
        help="Whose files they look like: siemens, siemens-mosaic, ge, philips, uih, standard, enhanced or j2k.",
    ),
]
Processes = Annotated[int | None, typer.Option("--processes", min=1, help="Studies at a time. [default: all cores]")]


def register(app: typer.Typer) -> None:
    """Add the commands `inspect`, `prepare` and `phantom`."""
    app.command()(inspect)
    app.command()(prepare)
    app.command()(phantom)


def inspect(study: Study, as_json: AsJson = False, harmonise: Harmonise = False, rules: Rules = None) -> None:
    """Show every series: what it is, its b-values, "used as" or "not used because". Decides nothing.

    Files that take no part are named on stderr. A folder with several studies shows one after the other.

    Example: prostate-alm inspect incoming/study42 --json
    """
    from prostate_alm.studies import Keys, load_rules, open_studies, read_isolated

    keys, site = Keys.of_site(), load_rules(rules)
    with open_studies(study, site) as studies:
        for found in studies:
            _name_skipped(found)
            reading = read_isolated(found, keys=keys, harmonise=harmonise, rules=site)
            if as_json:
                console.result(json.dumps(reading.as_json(), allow_nan=False))
            else:
                _show(reading)


def prepare(
    studies: Studies,
    out: Cohort,
    labels: Labels = None,
    harmonise: Harmonise = False,
    rules: Rules = None,
    processes: Processes = None,
) -> None:
    """Turn studies into a cohort: volumes on their native grids, manifest.json and qc.csv.

    Run again, it goes on where it stopped. Studies that cannot be used are listed with reasons and in qc.csv; the exit
    code is then 3.

    Example: prostate-alm prepare exports/ --labels labels.csv --out cohort/
    """
    from prostate_alm.prepare import QC_TABLE
    from prostate_alm.prepare import prepare as run
    from prostate_alm.studies import Keys, load_rules

    settings = {"keys": Keys.of_site(), "rules": load_rules(rules), "harmonise": harmonise}
    with console.progress("reading studies") as advance:
        done = run(studies, labels, out, **settings, processes=processes, progress=advance)
    for study_key, reasons in done.broken:
        console.note(f"not used: {study_key}: {'; '.join(reasons)}")
    ready = len(done.cohort.cases)
    console.result(f"{ready} of {ready + len(done.broken)} studies ready in {out}; figures of each in {out / QC_TABLE}")
    if done.broken:
        raise typer.Exit(SOME_BROKEN)


def phantom(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for studies/, labels.csv, ground_truth.json.")],
    studies: Annotated[int, typer.Option("--studies", min=2, help="How many studies.")] = 30,
    class_ratio: Annotated[str, typer.Option("--class-ratio", help="Positives:negatives.")] = "1:2",
    dialect: Dialect = "siemens",
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 0,
    b_values: Annotated[str, typer.Option("--b-values", help="Acquired b-values in s/mm2.")] = "100,600,1000",
    conspicuity: Annotated[float | None, typer.Option("--conspicuity", help="Factor on how findings show.")] = None,
    processes: Processes = None,
) -> None:
    """Write synthetic prostate MRI as the DICOM files of a scanner, with labels and ground truth.

    Example: prostate-alm phantom phantoms/ --studies 30 --class-ratio 1:2 --dialect siemens --seed 1
    """
    from prostate_alm.phantom import CONSPICUITY, write_cohort

    write_cohort(
        out,
        studies=studies,
        class_ratio=class_ratio,
        dialect=dialect,
        seed=seed,
        b_values=_b_values(b_values),
        conspicuity=CONSPICUITY if conspicuity is None else conspicuity,
        processes=processes,
    )
    console.result(f"{studies} studies in {out / 'studies'}, labels in {out / 'labels.csv'}")


def _b_values(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d{1,5}(,\d{1,5})*", text):
        raise UsageError(f"--b-values {text!r} is not a list such as 100,600,1000")
    return tuple(sorted({int(b) for b in text.split(",")}))


def _name_skipped(found: "StudyFiles") -> None:
    shown = 20
    for path, reason in found.unreadable[:shown]:
        console.note(f"skipped {path}: {reason}")
    if len(found.unreadable) > shown:
        console.note(f"skipped {len(found.unreadable) - shown} more files")


def _show(reading: "StudyReading") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    report: dict[str, Any] = reading.as_json()
    table = Table("series", "files", "grid", "mm", "plane", "b (s/mm2)", "role", "verdict", box=SIMPLE_HEAD)
    for row in report["series"]:
        table.add_row(
            row["description"] or "-",
            str(row["files"]),
            "x".join(map(str, row["shape"])),
            "x".join(f"{length:g}" for length in row["spacing_mm"]) if row["spacing_mm"] else "-",
            row["orientation"],
            " ".join(map(str, row["b_values"])) or "-",
            row["role"],
            row["reason"],
        )
    out = Console(markup=False, highlight=False)
    if not out.is_terminal:
        out = Console(markup=False, highlight=False, width=200)
    out.print(f"study {report['study_key']}")
    out.print(table)
    for name, volume in report["volumes"].items():
        source = f", b stated as {volume['b']:g} in {volume['source_tag']}" if volume["source_tag"] else ""
        out.print(f"{name}: {'x'.join(map(str, volume['shape']))}, {volume['description']}{source}")
    for problem in report["problems"]:
        out.print(f"problem: {problem}")
    out.print("a decision is possible" if reading.ready else "no decision is possible")
