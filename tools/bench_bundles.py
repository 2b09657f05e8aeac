"""The prostate bundle: the exported ensemble, the memory of a triage, waiting for data in training."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from bench_rows import Row, at_most, in_turn, within
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser, ConfigWorkflow
from torch import nn

from prostate_alm.bundle import Predictor, find_bundle, write_hashes
from prostate_alm.bundle.export import FORMS, Source
from prostate_alm.operating_point import Threshold
from prostate_alm.phantom import write_cohort
from prostate_alm.prepare import prepare
from prostate_alm.studies import Keys

BUNDLE = find_bundle("prostate_dce_classification")
KEYS = Keys(b"only for the benchmark")
MEMBERS, REPEATS, CALLS = 10, 15, 10
STUDIES = 48
LARGEST_GB = 2.0
REAL_STUDY = Path(__file__).parents[2] / "shared" / "data" / "mri" / "prostatex-0000" / "dicom"
TRIAGE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
assert done.returncode in (0, 3), done.stderr
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""
"""Runs a command and prints the peak memory of its processes, in bytes (Linux counts in KiB)."""


def rows() -> list[Row]:
    """Exports, memory, waiting."""
    return [*exported(), memory(), *waiting()]


# exports


def exported() -> list[Row]:
    """One image through the ensemble as one exported module, against ten separate calls of ten networks.

    Triage runs the eager ensemble; of the exports it would take `.pt2`, since torch keeps that one.
    """
    network, image = ensemble()
    members = [member.eval() for member in network.members]  # type: ignore[union-attr]
    source = Source(network, "image", "pred", torch.cat([image] * 3), {}, {})

    def apart() -> torch.Tensor:
        return torch.stack([member(image) for member in members]).mean(dim=0)

    made: list[Row] = []
    for name in ("model.pt2", "model.ts"):
        one = FORMS[name].load(FORMS[name].write(source))
        assert torch.allclose(one(image), apart(), atol=1e-5)
        ours, reference = in_turn(repeated(lambda one=one: one(image)), repeated(apart), REPEATS)
        title = f"ensemble of {MEMBERS} as one {name}, against {MEMBERS} separate eager calls"
        made.append(at_most(1.05, title, ours, reference, f"s per {CALLS} images"))
    return made


def ensemble() -> tuple[nn.Module, torch.Tensor]:
    """The bundle's ensemble of ten, and one image."""
    parser = ConfigParser()
    parser.read_config(str(BUNDLE / "configs" / "inference.json"))
    parser["members"] = MEMBERS
    torch.manual_seed(0)
    network = parser.get_parsed_content("network_def").eval().requires_grad_(False)
    return network, torch.randn(1, 4, *parser["spatial_shape"])


def repeated(run: Callable[[], object]) -> Callable[[], None]:
    """A run of several calls, without gradients."""

    def calls() -> None:
        with torch.inference_mode():
            for _ in range(CALLS):
                run()

    return calls


# memory


def memory() -> Row:
    """Peak memory of `prostate-alm triage` of one study: a real one where there is one, else a phantom."""
    with tempfile.TemporaryDirectory() as folder:
        study = REAL_STUDY
        if not study.is_dir():
            write_cohort(Path(folder, "phantoms"), studies=2, class_ratio="1:1", dialect="siemens", seed=1)
            study = Path(folder, "phantoms", "studies", "study-0001")
        command = [str(Path(sys.executable).with_name("prostate-alm")), "triage", str(study), "--harmonise"]
        command += ["--model", str(with_own_threshold(Path(folder))), "--device", "cpu"]
        peaks: list[float] = []
        for repeat in range(3):
            run = [sys.executable, "-c", TRIAGE, *command, "--out", str(Path(folder, f"out{repeat}"))]
            environment = os.environ | {"PROSTATE_ALM_SALT": "only for the benchmark"}
            done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
            peaks.append(int(done.stdout) / 1e9)
    kind = "a real study" if study == REAL_STUDY else "a phantom study"
    return within(LARGEST_GB, f"peak memory of triage of {kind}", peaks, "GB")


def with_own_threshold(folder: Path) -> Path:
    """A copy of the bundle whose threshold is certainly its own: memory does not depend on the number."""
    bundle = shutil.copytree(BUNDLE, folder / "bundle", ignore=shutil.ignore_patterns("eval"))
    write_hashes(bundle)
    predictor = Predictor.load(bundle)
    replace(Threshold.load(predictor.threshold_file), model_sha256=predictor.sha256).save(predictor.threshold_file)
    return bundle


# waiting


class Waiting:
    """Seconds spent in fetching batches, and in whole steps (fetching, transfer, network, optimizer)."""

    def __init__(self, engine: Engine) -> None:
        self.fetching: list[float] = []
        self.steps: list[float] = []
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._start)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self._fetched)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._done)

    def _start(self) -> None:
        self._started = time.perf_counter()

    def _fetched(self) -> None:
        self._got = time.perf_counter()

    def _done(self) -> None:
        self.fetching.append(self._got - self._started)
        self.steps.append(time.perf_counter() - self._started)


def waiting() -> list[Row]:
    """Epochs of the base stage on cached phantom studies, by the bundle's own trainer; one process loads ahead.

    An epoch waits for its first batch, so its length counts: every training case is drawn six times, which makes some
    230 cases, as many as the paper's epoch has (240).
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_cohort(place / "phantoms", studies=STUDIES, class_ratio="1:2", dialect="siemens", seed=1)
        prepare(place / "phantoms" / "studies", place / "phantoms" / "labels.csv", place / "cohort", keys=KEYS)
        told = {"num_workers": 1, "train::dataset::data": "$@split['training'] * 6"}
        return [waiting_at(place, "32x32x12, one process loads ahead", told, epochs=3)]


def waiting_at(place: Path, grid: str, overrides: dict[str, Any], epochs: int) -> Row:
    """The share of a step that waits, by epoch; the first epoch fills the cache and does not count."""
    workflow = ConfigWorkflow(
        [str(BUNDLE / "configs" / "train.json")],
        meta_file=str(BUNDLE / "configs" / "metadata.json"),
        logging_file=False,
        bundle_root=str(BUNDLE),
        dataset_dir=str(place / "cohort"),
        output_dir=str(place / grid),
        max_epochs=epochs + 1,
        **overrides,
    )
    workflow.initialize()
    trainer = workflow.parser.get_parsed_content("train::trainer")
    watch = Waiting(trainer)
    trainer.run()
    length = len(watch.steps) // (epochs + 1)
    by_epoch = [slice(length * epoch, length * (epoch + 1)) for epoch in range(1, epochs + 1)]
    fetching, steps = ([sum(times[part]) / length for part in by_epoch] for times in (watch.fetching, watch.steps))
    return at_most(0.1, f"waiting for data of a training step, cached phantoms, {grid}", fetching, steps, "s per step")
