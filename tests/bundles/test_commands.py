"""The bundle from MONAI's own command line, from another folder."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

from prostate_alm.bundle import Predictor


def monai_bundle(folder: Path, bundle: Path, config: str, *options: str) -> None:
    """`python -m monai.bundle run`, standing in `folder`."""
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(bundle / "configs" / f"{config}.json")]
    command += ["--meta_file", str(bundle / "configs" / "metadata.json"), "--bundle_root", str(bundle), *options]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]


def options_of(overrides: dict[str, object]) -> list[str]:
    return [text for name, value in overrides.items() for text in (f"--{name}", json.dumps(value))]


@pytest.mark.slow
def test_training_runs_from_another_folder(tiny_run: tiny.Run, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    places = ["--dataset_dir", str(tiny_run.cohort.folder), "--output_dir", str(tmp_path / "out"), "--max_epochs", "2"]
    monai_bundle(elsewhere, tiny.BUNDLE, "train", *places, *options_of(tiny.OVERRIDES))
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["epochs"] == len(result["history"]) == 2
    assert (tmp_path / "out" / "model.pt").is_file()
    assert list(elsewhere.iterdir()) == []
    assert not (tiny.BUNDLE / "eval").exists()


@pytest.mark.slow
def test_inference_runs_from_another_folder_and_gives_the_predictor_s_logits(
    tiny_run: tiny.Run, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    places = ["--dataset_dir", str(tiny_run.cohort.folder), "--output_dir", str(tmp_path / "out")]
    monai_bundle(elsewhere, tiny_run.folder / "bundle", "inference", *places)
    with (tmp_path / "out" / "logits.csv").open(newline="") as file:
        logits = {row[0]: float(row[1]) for row in csv.reader(file)}
    predictor = Predictor.load(tiny_run.folder)
    wanted = {case["case_id"]: predictor.logit(predictor.image(case)) for case in tiny_run.cohort.data()}
    assert logits == pytest.approx(wanted, rel=1e-5, abs=1e-5)
    assert len(set(logits.values())) > 1
    assert list(elsewhere.iterdir()) == []
