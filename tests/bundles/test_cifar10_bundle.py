"""The CIFAR10 bundle stands alone: MONAI's properties, the pictures of the tables, the members' mean logit."""

import csv
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10.data import balanced_test_data
from prostate_alm.cifar10.pictures import pictures_to_test
from prostate_alm.cifar10.predict import predict
from prostate_alm.cifar10.protocol import Protocol, Scale
from prostate_alm.training.assemble import join_members

BUNDLE = find_bundle("cifar10_alm_classification")
CONFIGS = BUNDLE / "configs"
SCALE = Scale(8, 4, 6)
OVERRIDES = {
    "scale": {"_target_": "prostate_alm.cifar10.protocol.Scale", "training": 8, "validation": 4, "test": 6},
    "device": "cpu",
}


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A small CIFAR10 in the official layout: 20 images a file, the two classes in turn."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for number, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 3072)).astype(np.uint8)
        content = {b"data": pixels, b"labels": [place % 2 for place in range(20)]}
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder


def workflow(kind: str, names: list[str], **overrides: Any) -> ConfigWorkflow:
    flow = ConfigWorkflow(
        config_file=[str(CONFIGS / f"{name}.json") for name in names],
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        workflow_type=kind,
        bundle_root=str(BUNDLE),
        **overrides,
    )
    flow.initialize()
    return flow


def preprocessing() -> Any:
    return workflow("infer", ["inference"]).parser.get_parsed_content("preprocessing")


def save_member(path: Path, seed: int) -> Path:
    member = workflow("infer", ["inference"]).parser.get_parsed_content("member_def")
    generator = torch.Generator().manual_seed(seed)
    for parameter in member.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=generator)
    torch.save(member.state_dict(), path)
    return path


def test_inference_has_every_property_without_any_weights(layout: Path) -> None:
    assert not (BUNDLE / "models").exists()
    assert workflow("infer", ["inference"], dataset_dir=str(layout), **OVERRIDES).check_properties() == []


@pytest.mark.parametrize("arm", [[], ["continued"], ["continued", "alm"], ["continued", "aucm"]])
def test_training_has_every_property(arm: list[str], layout: Path, tmp_path: Path) -> None:
    start = {"start_from": str(save_member(tmp_path / "start.pt", 0))} if arm else {}
    places = {"dataset_dir": str(layout), "output_dir": str(tmp_path / "out")}
    assert workflow("train", ["train", *arm], **places, **OVERRIDES, **start).check_properties() == []


def test_inference_sees_the_pictures_as_training_and_tables_do(layout: Path) -> None:
    tables = balanced_test_data(str(layout), Protocol(scale=SCALE))
    listed = pictures_to_test(str(layout), scale=SCALE)
    assert [case["case_id"] for case in listed] == [str(case_id) for case_id in tables.case_ids]
    assert [case["label"] for case in listed] == [label for _, label in tables.cases]
    transform = preprocessing()
    found = torch.stack([transform(case)["image"] for case in listed])
    assert (found.dtype, found.shape) == (torch.float32, (12, 3, 32, 32))
    wanted = tables.__getitems__(list(range(len(tables))))["image"]
    torch.testing.assert_close(found, wanted, rtol=0, atol=2e-6)


def test_the_value_range_is_that_of_black_and_white() -> None:
    image = preprocessing()({"image": torch.tensor([0, 255]).reshape(1, 2, 1).expand(3, 2, 1)})["image"]
    metadata = json.loads((CONFIGS / "metadata.json").read_text())
    found = [round(float(image.min()), 2), round(float(image.max()), 2)]
    assert metadata["network_data_format"]["inputs"]["image"]["value_range"] == found


def logits_of(folder: Path) -> list[float]:
    with (folder / "logits.csv").open(newline="") as file:
        return [float(row[1]) for row in csv.reader(file)]


def test_inference_gives_the_mean_of_the_members_logits(layout: Path, tmp_path: Path) -> None:
    members = [save_member(tmp_path / f"{seed}.pt", seed) for seed in range(2)]
    torch.save(join_members(members), tmp_path / "model.pt")
    both = {"checkpoint": str(tmp_path / "model.pt"), "members": 2, "output_dir": str(tmp_path / "both")}
    alone = {"checkpoint": str(members[1]), "network_def": "@member_def", "output_dir": str(tmp_path / "alone")}
    for overrides in (both, alone):
        workflow("infer", ["inference"], dataset_dir=str(layout), **OVERRIDES, **overrides).run()
    data = balanced_test_data(str(layout), Protocol(scale=SCALE))
    wanted = [predict(BUNDLE, {"device": "cpu"}, path, data) for path in members]
    assert logits_of(tmp_path / "alone") == pytest.approx(wanted[1].tolist(), abs=1e-5)
    assert logits_of(tmp_path / "both") == pytest.approx(np.mean(wanted, axis=0).tolist(), abs=1e-5)
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-3


def test_training_and_inference_share_one_definition() -> None:
    train, inference = (json.loads((CONFIGS / f"{name}.json").read_text()) for name in ("train", "inference"))
    for name in ("member_def", "inferer", "classes", "scale", "seed"):
        assert train[name] == inference[name], name
