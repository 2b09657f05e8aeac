"""`prostate-alm triage`: a decision per study, JSON lines on stdout, the worklist in a folder."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prostate_alm.cli import console
from prostate_alm.cli.options import Harmonise, Rules
from prostate_alm.errors import ModelError

if TYPE_CHECKING:
    from prostate_alm.bundle import Predictor
    from prostate_alm.operating_point import Threshold
    from prostate_alm.triage import Decision

SOME_UNDECIDED = 3

Studies = Annotated[list[Path], typer.Argument(metavar="STUDY", help="Folders or zip archives of studies.")]
Out = Annotated[Path, typer.Option("--out", help="Folder for worklist.csv and one JSON per study.")]
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
Force = Annotated[bool, typer.Option("--force", help="Compute finished studies again.")]
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
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Decide by a locked threshold which studies need DCE.

    One JSON line per study on stdout; worklist.csv lists first what needs a person.

    Missing, unclear or unlike the training cohort: undecided, to be treated as "DCE required"; exit code 3.

    Example: prostate-alm triage incoming/ --model runs/prostate --out triage/ --keymap private/keymap.csv
    """
    from prostate_alm.files import output_folder
    from prostate_alm.studies import Keys, load_rules
    from prostate_alm.triage import WORKLIST, Judge, triage_studies

    site = load_rules(rules)
    output_folder(out)
    predictor = _predictor(model, console.torch_device(device))
    judge = Judge(predictor, _threshold(threshold, predictor), Keys.of_site(), harmonise, site)
    if predictor.notice:
        console.note(f"warning: {predictor.notice}")
    decisions = triage_studies(studies, judge, out=out, force=force, keymap=keymap, progress=_show)
    counts = Counter(str(decision.outcome) for decision in decisions)
    undecided = counts["undecided"]
    console.note(f"{_counted(counts)}; worklist: {out / WORKLIST}")
    if undecided:
        console.note(f"{undecided} undecided: treat as DCE required, the reasons are in the worklist")
    if predictor.notice:
        console.note(f"warning: {predictor.notice}")
    if undecided:
        raise typer.Exit(SOME_UNDECIDED)


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
    console.note(f"{where}: {decision.outcome}, {logit}{''.join(f'; {reason}' for reason in decision.reasons)}")


def _counted(counts: Counter[str]) -> str:
    parts = [f"{counts[name]} {name}" for name in ("undecided", "dce_required", "dce_not_required")]
    return f"{counts.total()} {'study' if counts.total() == 1 else 'studies'}: {', '.join(parts)}"
