"""evaluate.json: the metrics of a member's validation split, by MONAI's own command from another folder."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from monai.bundle import ConfigWorkflow

from prostate_alm.bundle import run_workflow
from prostate_alm.bundle.workflow import without_monai_noise
from prostate_alm.cohort import load_split
from prostate_alm.errors import ModelError
from prostate_alm.metrics import FPRAtFNMetric

CONFIGS = tiny.BUNDLE / "configs"


def given(run: tiny.Run, member: int) -> dict[str, Any]:
    """A member's settings: its split and network."""
    return tiny.OVERRIDES | {"dataset_dir": str(run.cohort.folder), "seed": run.settings.seed, "member": member}


def metrics(folder: Path) -> dict[str, float]:
    with (folder / "metrics.csv").open(newline="") as file:
        return {row[0]: float(row[1]) for row in csv.reader(file, delimiter=",")}


@pytest.mark.slow
def test_evaluate_runs_from_another_folder(tiny_run: tiny.Run, tmp_path: Path) -> None:
    member = tiny_run.folder / "members/01/alm"
    before = sorted(path.name for path in member.iterdir())
    overrides = given(tiny_run, 1) | {"output_dir": str(member), "metrics_dir": str(tmp_path / "out")}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "monai.bundle", "run", "--bundle_root", str(tiny.BUNDLE)]
    command += ["--config_file", str([str(CONFIGS / f"{name}.json") for name in ("train", "evaluate")])]
    command += ["--meta_file", str(CONFIGS / "metadata.json")]
    command += [text for name, value in overrides.items() for text in (f"--{name}", json.dumps(value))]
    done = subprocess.run(
        command, cwd=elsewhere, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads((member / "result.json").read_text())
    assert metrics(tmp_path / "out")["val_auc"] == pytest.approx(result["best_metric"])
    assert list(elsewhere.iterdir()) == []
    assert sorted(path.name for path in member.iterdir()) == before  # nothing else was written


def test_the_figures_are_those_of_the_validation_cases(tiny_run: tiny.Run, tmp_path: Path) -> None:
    weights = tiny_run.folder / "members/00/base/model.pt"
    overrides = given(tiny_run, 0) | {"output_dir": str(tmp_path), "checkpoint": str(weights)}
    run_workflow(tiny.BUNDLE, ["train", "evaluate"], overrides)
    found = metrics(tmp_path / "evaluation")
    assert set(found) == {"val_auc", "val_fpr_at_0fn"}
    logits, labels = logits_of(tiny_run, weights)
    positives, negatives = logits[labels == 1], logits[labels == 0]
    pairs = (positives[:, None] > negatives).double() + 0.5 * (positives[:, None] == negatives).double()
    assert found["val_auc"] == pytest.approx(float(pairs.mean()))
    assert found["val_fpr_at_0fn"] == pytest.approx(float((negatives >= positives.min()).double().mean()))
    metric = FPRAtFNMetric(0)
    metric(logits[:, None], labels[:, None])
    assert found["val_fpr_at_0fn"] == pytest.approx(float(metric.aggregate()))


def logits_of(run: tiny.Run, weights: Path) -> tuple[torch.Tensor, torch.Tensor]:
    with without_monai_noise():
        parser = workflow(run, ["train"], given(run, 0)).parser
        network, preprocessing = parser.get_parsed_content("network"), parser.get_parsed_content("preprocessing")
    network.load_state_dict(torch.load(weights, weights_only=True))
    network.eval()
    cases = load_split(str(run.cohort.folder), member=0, seed=run.settings.seed)["validation"]
    with torch.no_grad():
        logits = [float(network(preprocessing(dict(case))["image"][None])) for case in cases]
    return torch.tensor(logits), torch.tensor([case["label"] for case in cases])


def workflow(run: tiny.Run, names: list[str], overrides: dict[str, Any]) -> ConfigWorkflow:
    return ConfigWorkflow(
        config_file=[str(CONFIGS / f"{name}.json") for name in names],
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        workflow_type="train",
        bundle_root=str(tiny.BUNDLE),
        **overrides,
    )


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")  # an optional codec that MONAI looks for
def test_evaluate_has_every_property_that_monai_asks_for(tiny_run: tiny.Run, tmp_path: Path) -> None:
    weights = str(tiny_run.folder / "members/00/base/model.pt")
    flow = workflow(
        tiny_run, ["train", "evaluate"], given(tiny_run, 0) | {"output_dir": str(tmp_path), "checkpoint": weights}
    )
    flow.initialize()
    assert flow.check_properties() == []


@pytest.mark.parametrize("names", [["train"], ["train", "evaluate"], ["train", "multi_gpu_train"]])
def test_configs_have_what_the_model_zoo_asks_for_besides(names: list[str], tiny_run: tiny.Run) -> None:
    flow = workflow(tiny_run, names, {})
    wanted = ["output_dir", "val_interval", "train::dataset::data", "train::handlers", "validate::evaluator"]
    wanted += ["validate::handlers", "validate::dataset", "validate::dataset::data"]
    assert [name for name in wanted if name not in flow.parser] == []
    assert "train::nothing" not in flow.parser


def test_missing_weights_and_an_ensemble_s_are_one_line(tiny_run: tiny.Run, tmp_path: Path) -> None:
    overrides = given(tiny_run, 0) | {"output_dir": str(tmp_path)}
    with pytest.raises(ModelError, match=r"weights .*model\.pt are missing"):
        run_workflow(tiny.BUNDLE, ["train", "evaluate"], overrides)
    ensemble = str(tiny_run.folder / "bundle/models/model.pt")
    with pytest.raises(ModelError, match="do not load into DualPathCNN"):
        run_workflow(tiny.BUNDLE, ["train", "evaluate"], overrides | {"checkpoint": ensemble})
