"""Triage end to end, against the least that a decision can cost; and how soon the command line answers."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from bench_rows import Row, at_most, in_turn, seconds, within
from bench_studies import KEYS, SHAPE, SPACING_MM, decoded_and_resampled
from monai.bundle import ConfigParser

from prostate_alm.bundle import Predictor, find_bundle, write_hashes
from prostate_alm.operating_point import Threshold
from prostate_alm.phantom import write_cohort
from prostate_alm.triage import Judge, Options, triage_studies

BUNDLE = find_bundle("prostate_dce_classification")
MEMBERS, REPEATS, STARTS = 10, 7, 9
LONGEST_START_S = 0.5


def rows() -> list[Row]:
    """One study in a warm process, on the grid of the design and on the demo's; the start of `--help`."""
    design = {"spacing_mm": list(SPACING_MM), "spatial_shape": list(SHAPE), "members": MEMBERS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cohort(folder / "phantoms", studies=2, class_ratio="1:1", dialect="siemens", seed=1)
        study = folder / "phantoms" / "studies" / "study-0001"
        return [
            _triage(study, _bundle(folder / "design", design), "the design's grid, ensemble of 10"),
            _triage(study, _bundle(folder / "demo", {}), "the demo's coarse grid, ensemble of 5"),
            start(),
        ]


def start() -> Row:
    """`prostate-alm --help`, a process of its own each time."""
    command = [str(Path(sys.executable).with_name("prostate-alm")), "--help"]
    subprocess.run(command, capture_output=True, check=True)
    times = [seconds(lambda: subprocess.run(command, capture_output=True, check=True)) for _ in range(STARTS)]
    return within(LONGEST_START_S, "start of prostate-alm --help", times, "s")


def _triage(study: Path, bundle: Path, where: str) -> Row:
    predictor = Predictor.load(bundle)
    threshold = replace(Threshold.load(BUNDLE / "models" / "threshold.json"), model_sha256=predictor.sha256)
    judge = Judge(predictor, threshold, KEYS)
    ours, floor = in_turn(_ours(study, judge, bundle.parent), _floor(study, predictor), REPEATS)
    return at_most(1.3, f"triage of one study vs decoding, resampling, one forward: {where}", ours, floor, "s")


def _ours(study: Path, judge: Judge, folder: Path) -> Callable[[], object]:
    """Everything: index, selection, volumes, checks, preprocessing, ensemble, guards, result, audit log, worklist."""

    def run() -> object:
        (decision,) = triage_studies([study], judge, out=folder / "out", options=Options(force=True))
        assert decision.logit is not None, decision.reasons
        return decision

    return run


def _floor(study: Path, predictor: Predictor) -> Callable[[], object]:
    read, image = decoded_and_resampled(study), torch.randn(1, len(predictor.required_images), *_shape(predictor))

    def run() -> object:
        with torch.inference_mode():
            return read(), predictor.network(image)

    return run


def _shape(predictor: Predictor) -> list[int]:
    return json.loads((predictor.folder / "configs" / "inference.json").read_text(encoding="utf-8"))["spatial_shape"]


def _bundle(folder: Path, changes: dict[str, Any]) -> Path:
    """The bundle on another grid with weights of its own: what a decision costs does not depend on the numbers."""
    bundle = shutil.copytree(BUNDLE, folder / "bundle", ignore=shutil.ignore_patterns("eval", "*.pt2", "*.ts"))
    path = bundle / "configs" / "inference.json"
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content), encoding="utf-8")
    if changes:
        parser = ConfigParser(config=content)
        torch.manual_seed(0)
        torch.save(parser.get_parsed_content("network_def").state_dict(), bundle / "models" / "model.pt")
    write_hashes(bundle)
    return bundle
