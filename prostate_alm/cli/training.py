"""`prostate-alm train`, `evaluate` and `calibrate`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from prostate_alm.cli import console
from prostate_alm.cli.engines import ADDRESS, ENGINE, GPUS, PROCESSES, engine_of
from prostate_alm.errors import UsageError

CohortFolder = Annotated[Path, typer.Argument(metavar="COHORT", help="Folder made by 'prostate-alm prepare'.")]
Model = Annotated[Path, typer.Argument(metavar="RUN", help="Folder made by 'prostate-alm train', or a bundle.")]
Members = Annotated[int, typer.Option("--members", help="Size of an ensemble.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Most epochs of the base stage.")]
ConstrainedEpochs = Annotated[int | None, typer.Option(help="Epochs of the continued and ALM stages.")]
Seed = Annotated[int, typer.Option("--seed", help="Of splits, weights and every draw.")]
Override = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=JSON", help="Another key of the bundle's train config.")
]
Device = Annotated[str, typer.Option("--device", metavar="cpu|cuda[:n]|auto", help="Where the network runs.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (train, evaluate, calibrate):
        app.command()(command)


def train(
    cohort: CohortFolder,
    out: Annotated[Path, typer.Option("--out", help="Run folder; the same call goes on after a kill.")],
    loss: Annotated[
        str,
        typer.Option(
            "--loss", help="Base loss: bce, s-ml, s-fl, a-ml, a-fl, w-bce, cb-bce, msfe; mbauc with --no-alm."
        ),
    ] = "bce",
    alm: Annotated[bool, typer.Option("--alm/--no-alm", help="Train the continued and ALM arms too.")] = True,
    aucm: Annotated[bool, typer.Option("--aucm/--no-aucm", help="Train MONAI's AUCMLoss too, to compare.")] = False,
    members: Members = 10,
    class_ratio: Annotated[
        str | None, typer.Option("--class-ratio", help="Thin the positives, for example 1:8.")
    ] = None,
    epochs: Epochs = None,
    constrained_epochs: ConstrainedEpochs = None,
    seed: Seed = 0,
    engine: ENGINE = "local",
    processes: PROCESSES = None,
    address: ADDRESS = None,
    gpus_per_task: GPUS = 0.0,
    device: Device = "auto",
    override: Override = None,
) -> None:
    """Train an ensemble in two stages: base, then ALM (and its control) from the base's best checkpoint.

    RUN/bundle is then a MONAI bundle of its own, ready for 'evaluate' and 'triage'.

    Example: prostate-alm train cohort/ --out runs/first --loss a-fl --members 10 --set batch_size=8
    """
    from prostate_alm.bundle import find_bundle
    from prostate_alm.training import TrainingSettings
    from prostate_alm.training import train as train_ensemble

    settings = TrainingSettings(
        loss=loss,
        alm=alm,
        aucm=aucm,
        members=members,
        seed=seed,
        class_ratio=class_ratio,
        epochs=epochs,
        constrained_epochs=constrained_epochs,
        device=console.torch_device(device),
        overrides=overrides_of(override or []),
    )
    bundle = find_bundle("prostate_dce_classification")
    spread = engine_of(engine, processes, address, gpus_per_task, tasks=members)
    made = train_ensemble(cohort, out, bundle, settings, engine=spread, progress=console.note)
    console.result(str(out / made.name))  # as it was given: an absolute path may name the user


def evaluate(
    run: Model,
    cohort: CohortFolder,
    out: Annotated[Path, typer.Option("--out", help="Folder for predictions.csv, metrics.json and report.html.")],
    threshold: Annotated[
        Path | None, typer.Option("--threshold", metavar="FILE", help="Locked threshold. [default: the model's own]")
    ] = None,
    class_ratio: Annotated[
        str | None,
        typer.Option(
            "--class-ratio",
            metavar="natural|1:8",
            help="Thin the test positives to it. [default: as the run's training was thinned]",
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure a run on a labelled cohort and write the report: FPR at 0 false negatives, with intervals.

    RUN may be a search, or another folder of runs: each run gets a folder of its own below --out.

    Example: prostate-alm evaluate runs/first test-cohort/ --out report/
    """
    from prostate_alm.cli.evaluating import Measurement, evaluate_all

    asked = Measurement(cohort, threshold, console.torch_device(device), class_ratio)
    for report, lines in evaluate_all(run, out, asked):
        for line in lines:
            console.result(line)
        console.result(f"report: {report}")


def calibrate(
    run: Model,
    cohort: CohortFolder,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The locked threshold.")],
    fn_rate: Annotated[float, typer.Option("--fn-rate", help="Largest share of positives missed.")] = 0.1,
    risk: Annotated[float, typer.Option("--risk", help="Probability that the promise fails.")] = 0.1,
    out_of_bag: Annotated[
        bool, typer.Option("--out-of-bag", help="COHORT trained RUN: judge each case by members that did not see it.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Lock a threshold on calibration cases: FN rate at most --fn-rate with confidence 1 - --risk, or a refusal.

    None of the cohort's patients may have trained the run. Without a cohort to spare, --out-of-bag takes the training
    cohort: that threshold is approximate and never called certified.

    Example: prostate-alm calibrate runs/first calibration-cohort/ --fn-rate 0.1 --risk 0.1 --out threshold.json
    """
    from prostate_alm.cohort import Cohort
    from prostate_alm.training import calibrate as certified
    from prostate_alm.training import calibrate_out_of_bag, save_threshold

    lock = calibrate_out_of_bag if out_of_bag else certified
    made = lock(run, Cohort.load(cohort), fn_rate=fn_rate, risk=risk, device=console.torch_device(device))
    save_threshold(made, out)
    console.result(f"threshold {made.value:.4f}: {made.promise}")
    console.result(f"written to {out}")


def overrides_of(pairs: list[str]) -> dict[str, Any]:
    """Config id -> value from `KEY=JSON`; what is no JSON is text.

    Raises:
        UsageError: if there is no key.
    """
    overrides: dict[str, Any] = {}
    for pair in pairs:
        key, found, value = pair.partition("=")
        if not found or not key:
            raise UsageError(f"--set {pair!r} is not of the form KEY=VALUE")
        try:
            overrides[key] = json.loads(value)
        except ValueError:
            overrides[key] = value
    return overrides
