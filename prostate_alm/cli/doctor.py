"""`prostate-alm doctor`: whether this installation, its model and this machine can be trusted with a study."""

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from prostate_alm.cli import console
from prostate_alm.errors import ModelError, UserError

PACKAGES = ("prostate-alm", "torch", "monai", "numpy", "pydicom", "highdicom", "nibabel", "SimpleITK")
LEAST_SPACE = 2 << 30
"""Bytes that unpacked archives and volumes of one study may need for a while."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        name: what.
        ok: whether it is as it must be.
        detail: what was found.
        exit_code: of the command if it is not.
    """

    name: str
    ok: bool
    detail: str
    exit_code: int = ModelError.exit_code


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    model: Annotated[
        Path | None, typer.Option("--model", metavar="RUN|BUNDLE", help="What to check. [default: the demo bundle]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The checks as JSON.")] = False,
) -> None:
    """Check versions, device, codecs, space, the site's salt, and the model with its locked threshold.

    Exit code 0 if all is well; else that of the first problem, for example 8 for a file that is not as it was made.

    Example: prostate-alm doctor --model runs/first
    """
    checks = [*_machine(), *_model(model)]
    if as_json:
        console.result(json.dumps([asdict(check) for check in checks]))
    else:
        for check in checks:
            console.result(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
    wrong = [check for check in checks if not check.ok]
    if wrong:
        console.note(f"{len(wrong)} of {len(checks)} checks failed, the first: {wrong[0].name}")
        raise typer.Exit(wrong[0].exit_code)


def _machine() -> Iterator[Check]:
    import torch

    from prostate_alm.studies import Keys, codecs

    yield Check("Python", True, f"{platform.python_version()}, {platform.system()} {platform.machine()}")
    yield Check("packages", True, ", ".join(f"{name} {version(name)}" for name in PACKAGES))
    gpus = [torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count())]
    yield Check(
        "device", True, f"{os.cpu_count()} processors, {', '.join(gpus) if gpus else 'no GPU that torch can use'}"
    )
    found = codecs()
    missing = [name for name, there in found.items() if not there]
    told = (
        f"no decoder for {', '.join(missing)}; install prostate-alm again"
        if missing
        else f"{len(found)} kinds of compression"
    )
    yield Check("codecs", not missing, told)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    yield Check("temporary space", free >= LEAST_SPACE, f"{free / 2**30:.1f} GiB free, {LEAST_SPACE >> 30} needed", 6)
    try:
        Keys.of_site()
        yield Check("site's salt", True, "there, and private")
    except UserError as error:
        yield Check("site's salt", False, str(error), error.exit_code)


def _model(model: Path | None) -> Iterator[Check]:
    from prostate_alm.bundle import Predictor, find_bundle, problems_of
    from prostate_alm.operating_point import Threshold

    try:
        predictor = Predictor.load(find_bundle("prostate_dce_classification") if model is None else model)
    except UserError as error:
        yield Check("model", False, str(error), error.exit_code)
        return
    yield Check("model", True, f"{predictor.name}, version {predictor.version}, SHA-256 {predictor.sha256[:12]}")
    problems = problems_of(predictor.folder)
    yield Check(
        "bundle", not problems, "; ".join(problems) or "files as recorded, safe to run, made with these versions"
    )
    if predictor.notice:
        yield Check("notice", True, predictor.notice)
    if not predictor.threshold_file.is_file():
        yield Check("threshold", True, "the model keeps none: triage needs --threshold; see 'prostate-alm calibrate'")
        return
    try:
        threshold = Threshold.load(predictor.threshold_file)
        fits = threshold.model_sha256 == predictor.sha256
        yield Check("threshold", fits, threshold.promise if fits else "made for another model; calibrate this one", 8)
    except UserError as error:
        yield Check("threshold", False, str(error), error.exit_code)
