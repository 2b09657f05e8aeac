"""MONAI's own checks of both bundles, from another folder and offline; the commands: tools/check_bundles.sh."""

import hashlib
import json
import shutil
import socket
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import tiny
import torch
from monai.bundle import ckpt_export, onnx_export, verify_metadata, verify_net_in_out
from small_bundle import make_small_bundle

from prostate_alm.bundle import Predictor, check_hashes, find_bundle
from prostate_alm.bundle.export import read_source

REPOSITORY = Path(__file__).parents[2]
SCHEMA = REPOSITORY / "tests" / "data" / "meta_schema_20240725.json"
CIFAR = find_bundle("cifar10_alm_classification")
BUNDLES = [tiny.BUNDLE, CIFAR]

pytestmark = pytest.mark.filterwarnings(
    "ignore:NvImgCodecPydicomReader:UserWarning"  # an optional codec that MONAI looks for
)


def name_of(bundle: Path) -> str:
    return bundle.name


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, without a network."""

    def refuse(*args: Any) -> None:
        raise AssertionError("a check wants the network")

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return folder


def meta(bundle: Path) -> dict[str, Any]:
    return json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))


def paths(bundle: Path, *names: str) -> list[str]:
    return [str(bundle / "configs" / f"{name}.json") for name in names]


# metadata


def verify(meta_file: Path, schema: Path) -> None:
    digest = hashlib.sha256(SCHEMA.read_bytes()).hexdigest()
    verify_metadata(meta_file=str(meta_file), filepath=str(schema), hash_val=digest, hash_type="sha256")


@pytest.mark.parametrize("bundle", BUNDLES, ids=name_of)
def test_metadata_passes_monai_s_check_with_the_schema_at_hand(bundle: Path, elsewhere: Path) -> None:
    schema = Path(shutil.copy(SCHEMA, elsewhere / "schema.json"))
    verify(bundle / "configs" / "metadata.json", schema)
    (elsewhere / "bad.json").write_text(json.dumps(meta(bundle) | {"task": 3}))
    with pytest.raises(ValueError, match="is not of type 'string'"):
        verify(elsewhere / "bad.json", schema)


@pytest.mark.parametrize("bundle", BUNDLES, ids=name_of)
def test_metadata_has_what_the_model_zoo_asks_for(bundle: Path) -> None:
    metadata = meta(bundle)
    assert metadata["name"]
    assert metadata["version"] in metadata["changelog"]
    pins = {"monai": metadata["monai_version"], "torch": metadata["pytorch_version"]}
    pins |= {"numpy": metadata["numpy_version"]} | metadata["required_packages_version"]
    assert {name: version(name).split("+")[0] for name in pins} == pins
    assert {"fire", "pytorch-ignite", "prostate-alm"} <= pins.keys()
    assert "Not a medical device" in metadata["intended_use"]
    for tensors in metadata["network_data_format"].values():
        for tensor in tensors.values():
            assert len(tensor["channel_def"]) == tensor["num_channels"]
            assert tensor["type"] != "probabilities"  # breaks MONAI Deploy's output


def test_the_prostate_bundle_s_value_range_holds_for_preprocessed_studies(tiny_run: tiny.Run) -> None:
    """Phantoms of all dialects and a real study lie between -2.1 and 3.8; this cohort is noise and a cube."""
    low, high = meta(tiny.BUNDLE)["network_data_format"]["inputs"]["image"]["value_range"]
    predictor = Predictor(tiny.BUNDLE, tiny.BUNDLE / "models" / "model.pt")
    images = torch.stack([predictor.image(case) for case in tiny_run.cohort.data()])
    assert low <= float(images.min()) < 0 < 1 < float(images.max()) <= high


# network


@pytest.mark.parametrize("bundle", BUNDLES, ids=name_of)
def test_the_network_s_input_and_output_are_as_the_metadata_says(bundle: Path) -> None:
    places = {"meta_file": str(bundle / "configs" / "metadata.json"), "config_file": paths(bundle, "inference")}
    verify_net_in_out(net_id="network_def", device="cpu", bundle_root=str(bundle), **places)
    channels = "_meta_::network_data_format::inputs::image::num_channels"
    with pytest.raises(RuntimeError, match="channels"):
        verify_net_in_out(net_id="network_def", device="cpu", **places, **{channels: 7})


# exports by MONAI's commands


def test_monai_s_torchscript_export_gives_the_ensemble_s_logits(tmp_path: Path) -> None:
    bundle = make_small_bundle(tmp_path / "bundle", members=2)
    ckpt_export(
        net_id="network_def",
        filepath="model.ts",
        ckpt_file=str(bundle / "models" / "model.pt"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        config_file=paths(bundle, "train", "inference"),  # the last one counts: its network is the ensemble
        bundle_root=str(bundle),
    )
    source, extra = read_source(bundle), {"metadata.json": "", "inference.json": "", "train.json": ""}
    script = torch.jit.load("model.ts", _extra_files=extra)
    torch.testing.assert_close(script(source.images), source.network(source.images), rtol=1e-5, atol=1e-5)
    assert all(json.loads(text) for text in extra.values())


@pytest.mark.slow  # torch tells of its own deprecations on the way of MONAI's export
@pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec:FutureWarning:copyreg")
@pytest.mark.filterwarnings("ignore:from_dynamic_axes_to_dynamic_shapes is deprecated:DeprecationWarning:torch.onnx")
@pytest.mark.filterwarnings("ignore:.*'dynamic_axes' is not recommended:UserWarning:monai.networks.utils")
def test_monai_s_onnx_export_gives_the_ensemble_s_logits(tmp_path: Path) -> None:
    bundle = make_small_bundle(tmp_path / "bundle", members=2)
    onnx_export(
        net_id="network_def",
        filepath="model.onnx",
        ckpt_file=str(bundle / "models" / "model.pt"),
        meta_file=str(bundle / "configs" / "metadata.json"),
        config_file=paths(bundle, "inference"),
        converter_kwargs={"dynamic_axes": {"x": {0: "batch"}}, "input_names": ["x"], "output_names": ["pred"]},
        bundle_root=str(bundle),
    )
    source = read_source(bundle)
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    for size in (1, 3):
        images = source.images[:size]
        (logits,) = session.run(["pred"], {"x": images.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), source.network(images).detach(), rtol=1e-5, atol=1e-5)


# the bundles as folders


@pytest.mark.parametrize("bundle", BUNDLES, ids=name_of)
def test_a_bundle_is_complete_and_recorded(bundle: Path) -> None:
    wanted = ["LICENSE", "hashes.json", "docs/README.md", "docs/data_license.txt", "configs/logging.conf"]
    wanted += [f"configs/{name}.json" for name in ("metadata", "train", "inference")]
    assert [name for name in wanted if not (bundle / name).is_file()] == []
    check_hashes(bundle)


def test_the_wheel_carries_every_file_of_the_bundles() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for source, target in included.items():
        assert (REPOSITORY / source).exists(), source
        assert target == source.replace("bundles/", "prostate_alm/_bundles/", 1)
    for bundle in BUNDLES:
        for entry in bundle.iterdir():
            if entry.name != "eval":
                assert entry.relative_to(REPOSITORY).as_posix() in included, entry
