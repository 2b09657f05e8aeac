"""The bundle's configs as MONAI sees them."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import tiny
from jsonschema import Draft7Validator
from monai.bundle import ConfigWorkflow, verify_net_in_out

from prostate_alm.bundle import Predictor, find_bundle
from prostate_alm.operating_point import Threshold
from prostate_alm.training.assemble import SHARED

CONFIGS = tiny.BUNDLE / "configs"
SCHEMA = Path(__file__).parents[1] / "data" / "meta_schema_20240725.json"


def content(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def workflow(kind: str, names: list[str], run: tiny.Run, **overrides: Any) -> ConfigWorkflow:
    return ConfigWorkflow(
        config_file=[str(CONFIGS / f"{name}.json") for name in names],
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        workflow_type=kind,
        bundle_root=str(tiny.BUNDLE),
        dataset_dir=str(run.cohort.folder),
        **overrides,
    )


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")  # an optional codec that MONAI looks for
@pytest.mark.parametrize("names", [["train"], ["train", "continued"], ["train", "continued", "alm"]])
def test_training_has_every_property_that_monai_asks_for(names: list[str], tiny_run: tiny.Run, tmp_path: Path) -> None:
    start = {"start_from": str(tiny_run.folder / "members/00/base/model.pt")} if len(names) > 1 else {}
    flow = workflow("train", names, tiny_run, output_dir=str(tmp_path / "out"), **tiny.OVERRIDES, **start)
    flow.initialize()
    assert flow.check_properties() == []


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")
def test_inference_has_every_property_that_monai_asks_for(tiny_run: tiny.Run, tmp_path: Path) -> None:
    flow = workflow("infer", ["inference"], tiny_run, output_dir=str(tmp_path / "out"))
    flow.initialize()
    assert flow.check_properties() == []


def test_training_and_inference_share_one_definition() -> None:
    train, inference = content(CONFIGS / "train.json"), content(CONFIGS / "inference.json")
    for name in SHARED:
        assert train[name] == inference[name], name


def test_continued_and_alm_differ_by_the_loss_and_its_handler_alone() -> None:
    own = {"output_dir", "margin", "penalty", "growth", "penalty_cap", "loss", "+train::handlers"}
    assert set(content(CONFIGS / "alm.json")) == own


def test_metadata_is_valid() -> None:
    schema, metadata = content(SCHEMA), content(CONFIGS / "metadata.json")
    Draft7Validator.check_schema(schema)
    assert [error.message for error in Draft7Validator(schema).iter_errors(metadata)] == []
    assert metadata["schema"].endswith(SCHEMA.name)
    del metadata["task"]
    assert list(Draft7Validator(schema).iter_errors(metadata))  # the validator can fail


def test_a_run_s_metadata_is_valid(tiny_run: tiny.Run) -> None:
    metadata = content(tiny_run.folder / "bundle" / "configs" / "metadata.json")
    assert list(Draft7Validator(content(SCHEMA)).iter_errors(metadata)) == []


def test_metadata_pins_what_is_installed() -> None:
    metadata = content(CONFIGS / "metadata.json")
    pinned = {
        name: metadata[f"{key}_version"] for name, key in (("monai", "monai"), ("torch", "pytorch"), ("numpy", "numpy"))
    }
    pinned |= metadata["required_packages_version"]
    assert {name: version(name).split("+")[0] for name in pinned} == pinned
    assert metadata["version"] in metadata["changelog"]


def test_metadata_describes_the_network_s_input() -> None:
    image = content(CONFIGS / "metadata.json")["network_data_format"]["inputs"]["image"]
    assert image["spatial_shape"] == content(CONFIGS / "inference.json")["spatial_shape"]
    assert len(image["channel_def"]) == image["num_channels"]


def verify(**overrides: Any) -> None:
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(CONFIGS / "metadata.json"),
        config_file=str(CONFIGS / "inference.json"),
        device="cpu",
        bundle_root=str(tiny.BUNDLE),
        **overrides,
    )


def test_the_network_s_input_and_output_are_as_described() -> None:
    verify()
    with pytest.raises((RuntimeError, ValueError)):
        verify(spatial_shape=[64, 64, 24])


def test_no_config_names_a_place_or_downloads() -> None:
    for path in CONFIGS.glob("*.json"):
        text = path.read_text()
        assert "/work/" not in text
        assert "/home/" not in text
        assert "http" not in text.replace("https://project-monai.github.io/schema", "")


def test_the_demo_weights_are_small_whole_and_say_what_they_are() -> None:
    folder = find_bundle("prostate_dce_classification")
    assert sum(path.stat().st_size for path in (folder / "models").iterdir()) < 5_000_000
    predictor = Predictor.load(folder)  # checks the hashes
    assert predictor.notice == "demo weights, trained on synthetic phantoms: not for any clinical use"
    threshold = Threshold.load(predictor.threshold_file)
    assert threshold.model_sha256 == predictor.sha256
    assert threshold.notice == predictor.notice
    assert predictor.notice in threshold.promise
    assert predictor.trained_patients is not None
    assert not predictor.trained_patients & set(threshold.patients)
