"""`prostate-alm demo`: the whole way on synthetic studies, from DICOM to a triaged patient."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from prostate_alm.cli import console


@dataclass(frozen=True)
class Part:
    """One synthetic cohort of the demo."""

    name: str
    studies: int
    class_ratio: str
    seed: int


@dataclass(frozen=True)
class Scale:
    """How large a demo is: cohorts, ensemble, epochs, and the promise of the threshold."""

    parts: tuple[Part, ...] = (
        Part("training", 60, "1:2", 1),
        Part("calibration", 27, "8:1", 2),
        Part("test", 42, "1:2", 3),
        Part("new", 2, "1:1", 4),
    )
    members: int = 3
    epochs: int = 30
    constrained_epochs: int = 12
    fn_rate: float = 0.2
    risk: float = 0.1


SALT = b"prostate_alm demo: nobody to protect"


def register(app: typer.Typer) -> None:
    """Add the command `demo`."""
    app.command()(demo)


def demo(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for everything; the same call goes on after a kill.")
    ] = Path("prostate_alm_demo"),
) -> None:
    """Go the whole way on synthetic studies: DICOM, cohort, training, report, triage. A few minutes on 2 cores.

    Example: prostate-alm demo --out demo/
    """
    run_demo(out, Scale())


def run_demo(out: Path, scale: Scale) -> None:
    """The demo at any scale; results on stdout."""
    from prostate_alm.cli.evaluating import Measurement, evaluate_run
    from prostate_alm.files import output_folder

    output_folder(out)
    started = time.monotonic()
    with _step("synthetic studies, written as DICOM, then read and prepared"):
        for part in scale.parts:
            _prepare(out, part)
    with _step("training: base, then continued and ALM from its best checkpoint"):
        _train(out, scale)
    with _step("a locked threshold from the calibration cohort"):
        threshold = _calibrate(out, scale)
    with _step("evaluation on the test cohort"):
        report, lines = evaluate_run(out / "run", out / "report", Measurement(out / "test" / "cohort", threshold))
    with _step("triage of a new study"):
        decision = _triage(out, threshold)
    for line in lines:
        console.result(line)
    console.result(f"report: {report}")
    console.result(decision)
    console.note(f"all of it in {time.monotonic() - started:.0f} s; everything is in {out}")


def _prepare(out: Path, part: Part) -> None:
    from prostate_alm.phantom import write_cohort
    from prostate_alm.prepare import prepare
    from prostate_alm.studies import Keys

    folder = out / part.name
    write_cohort(
        folder / "dicom", studies=part.studies, class_ratio=part.class_ratio, dialect="siemens", seed=part.seed
    )
    labels = folder / "dicom" / "labels.csv"
    with console.progress(f"reading the {part.name} studies") as advance:
        prepare(folder / "dicom" / "studies", labels, folder / "cohort", keys=Keys(SALT), progress=advance)
    console.note(f"{part.name}: {part.studies} studies")


def _train(out: Path, scale: Scale) -> None:
    from prostate_alm.bundle import find_bundle
    from prostate_alm.training import TrainingSettings, train

    settings = TrainingSettings(
        loss="a-fl", members=scale.members, epochs=scale.epochs, constrained_epochs=scale.constrained_epochs
    )
    bundle = find_bundle("prostate_dce_classification")
    train(out / "training" / "cohort", out / "run", bundle, settings, progress=console.note)


def _calibrate(out: Path, scale: Scale) -> Path:
    from prostate_alm.cohort import Cohort
    from prostate_alm.training import calibrate, save_threshold

    cohort = Cohort.load(out / "calibration" / "cohort")
    threshold = calibrate(out / "run", cohort, fn_rate=scale.fn_rate, risk=scale.risk)
    return save_threshold(threshold, out / "threshold.json")


def _triage(out: Path, threshold: Path) -> str:
    from prostate_alm.bundle import Predictor
    from prostate_alm.operating_point import Threshold
    from prostate_alm.studies import Keys
    from prostate_alm.triage import Judge, triage_studies

    study = sorted((out / "new" / "dicom" / "studies").iterdir())[0]
    judge = Judge(Predictor.load(out / "run"), Threshold.load(threshold), Keys(SALT))
    (decision,) = triage_studies([study], judge, out=out / "triage")
    reasons = "".join(f"; {reason}" for reason in decision.reasons)
    notice = f" ({decision.notice})" if decision.notice else ""
    return f"new study {decision.study_key}: {decision.outcome}, logit {decision.logit}{reasons}{notice}"


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    console.note(f"-- {what}")
    yield
    console.note(f"   done in {time.monotonic() - started:.0f} s")
