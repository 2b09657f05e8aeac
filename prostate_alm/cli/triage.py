"""`prostate-alm triage`: a decision per study, JSON lines on stdout, the worklist in a folder."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prostate_alm.cli import console
from prostate_alm.cli.options import Harmonise, Rules
from prostate_alm.errors import ModelError, UsageError

if TYPE_CHECKING:
    from prostate_alm.bundle import Predictor
    from prostate_alm.operating_point import Threshold
    from prostate_alm.triage import Decision, Judge, Options

Studies = Annotated[list[Path], typer.Argument(metavar="STUDY", help="Folders or zip archives of studies.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for worklist.csv, audit.jsonl and one JSON per study.")]
Model = Annotated[
    Path | None,
    typer.Option("--model", metavar="RUN|BUNDLE", help="A trained run or a bundle; without it, the demo bundle."),
]
ThresholdFile = Annotated[
    Path | None, typer.Option("--threshold", metavar="FILE", help="The locked threshold; without it, the model's own.")
]
KeyMap = Annotated[
    Path | None,
    typer.Option("--keymap", metavar="FILE", help="Write study key -> accession, UID, folder here (mode 0600)."),
]
Dicom = Annotated[
    bool, typer.Option("--dicom", help="Write a DICOM structured report and a PDF case report per study.")
]
Saliency = Annotated[bool, typer.Option("--saliency", help="Write a map of what moved the score, per study.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; compute no logit and write nothing.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Only go on with the run in --out, by the same model, threshold and settings.")
]
Force = Annotated[bool, typer.Option("--force", help="Compute finished studies again.")]
Watch = Annotated[bool, typer.Option("--watch", help="Go on deciding what arrives in the one folder STUDY.")]
Settle = Annotated[
    float, typer.Option("--settle", metavar="SECONDS", help="--watch: unchanged for so long, a delivery is complete.")
]
Device = Annotated[str, typer.Option("--device", metavar="cpu|cuda[:n]|auto", help="Where the network runs.")]


def register(app: typer.Typer) -> None:
    """Add the command `triage`."""
    app.command()(triage)


def triage(
    studies: Studies,
    out: Out,
    model: Model = None,
    threshold: ThresholdFile = None,
    harmonise: Harmonise = False,
    rules: Rules = None,
    keymap: KeyMap = None,
    dicom: Dicom = False,
    saliency: Saliency = False,
    dry_run: DryRun = False,
    resume: Resume = False,
    force: Force = False,
    watch: Watch = False,
    settle: Settle = 60.0,
    device: Device = "auto",
) -> None:
    """Decide by a locked threshold which studies need DCE.

    One JSON line per study on stdout; worklist.csv lists first what needs a person; audit.jsonl records every decision
    (see 'prostate-alm audit verify').

    Missing, unclear or unlike the training cohort: undecided, to be treated as "DCE required"; exit code 3.

    Example: prostate-alm triage incoming/ --model runs/prostate --out triage/ --keymap private/keymap.csv
    """
    from prostate_alm.files import output_folder
    from prostate_alm.studies import Keys, load_rules
    from prostate_alm.triage import Judge, Options

    if watch and (dry_run or len(studies) != 1):
        raise UsageError("--watch takes one folder and no --dry-run")
    options = Options(force, resume, keymap, dicom, saliency)
    missing = [] if watch else _missing(studies)
    site = load_rules(rules)
    if not dry_run and not resume:
        output_folder(out)
    predictor = _predictor(model, console.torch_device(device))
    judge = Judge(predictor, _threshold(threshold, predictor), Keys.of_site(), harmonise, site)
    if predictor.notice:
        console.note(f"warning: {predictor.notice}")
    with console.terminable():
        if dry_run:
            undecided = _preview(studies, judge, out, options)
        else:
            undecided = _decide(studies, judge, out, options, settle if watch else None)
    if predictor.notice:
        console.note(f"warning: {predictor.notice}")
    if undecided or missing:
        raise typer.Exit(console.SOME_UNDECIDED)


def _missing(studies: Sequence[Path]) -> list[Path]:
    """The paths at which there is nothing; each is named."""
    from prostate_alm.triage.inputs import absent

    missing = absent(studies)
    for path in missing:
        console.note(f"warning: {path} does not exist: nothing is decided for it")
    return missing


def _decide(studies: list[Path], judge: "Judge", out: Path, options: "Options", settle: float | None) -> int:
    """Decide what is there, or what arrives until an interrupt; gives the number of undecided studies."""
    from prostate_alm.triage import WORKLIST, triage_studies, watch_folder

    if settle is None:
        decisions = triage_studies(studies, judge, out=out, options=options, progress=_show, tell=console.note)
    else:
        console.note(f"watching {studies[0]}; Ctrl-C or SIGTERM ends")
        decisions = watch_folder(studies[0], judge, out=out, options=options, settle=settle, progress=_show)
    counts = Counter(str(decision.outcome) for decision in decisions)
    console.note(f"{_counted(counts)}; worklist: {out / WORKLIST}")
    if counts["undecided"]:
        console.note(f"{counts['undecided']} undecided: treat as DCE required, the reasons are in the worklist")
    return counts["undecided"]


def _preview(studies: Sequence[Path], judge: "Judge", out: Path, options: "Options") -> int:
    """Say what would be done; gives the number of studies that would be undecided."""
    from prostate_alm.triage import preview_studies

    rows = preview_studies(studies, judge, out=out, options=options, progress=_show_preview, tell=console.note)
    counts = Counter(row["would"] for row in rows)
    told = ", ".join(f"{counts[name]} {name}" for name in ("decide", "reuse", "undecided"))
    console.note(f"dry run, nothing was written: {told}")
    return counts["undecided"]


def _predictor(model: Path | None, device: str) -> "Predictor":
    from prostate_alm.bundle import Predictor, find_bundle

    return Predictor.load(find_bundle("prostate_dce_classification") if model is None else model, device=device)


def _threshold(path: Path | None, predictor: "Predictor") -> "Threshold":
    from prostate_alm.operating_point import Threshold

    if path is None and not predictor.threshold_file.is_file():
        raise ModelError(
            f"model {predictor.name} has no locked threshold ({predictor.threshold_file}); "
            "make one with 'prostate-alm calibrate' and give it with --threshold"
        )
    return Threshold.load(predictor.threshold_file if path is None else path)


def _show(decision: "Decision", where: Path) -> None:
    console.result(json.dumps(decision.to_json(), allow_nan=False))
    logit = "no logit" if decision.logit is None else f"logit {decision.logit:.3f}"
    console.note(f"{where}: {decision.outcome}, {logit}{_listed(decision.reasons)}")


def _show_preview(row: dict[str, Any], where: Path) -> None:
    console.result(json.dumps(row, allow_nan=False))
    console.note(f"{where}: {row['would']}{_listed(row['reasons'])}")


def _listed(reasons: Sequence[str]) -> str:
    return "".join(f"; {reason}" for reason in reasons)


def _counted(counts: Counter[str]) -> str:
    parts = [f"{counts[name]} {name}" for name in ("undecided", "dce_required", "dce_not_required")]
    return f"{counts.total()} {'study' if counts.total() == 1 else 'studies'}: {', '.join(parts)}"
