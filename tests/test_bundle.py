"""Bundles are found, checked by hash and run; weights never execute code."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import tiny
import torch
from torch import nn

from prostate_alm.bundle import (
    Predictor,
    check_hashes,
    find,
    find_bundle,
    load_weights,
    model_hash,
    run_workflow,
    write_hashes,
)
from prostate_alm.errors import IntegrityError, ModelError, UsageError


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tiny.Run:
    return tiny.shared_run(tmp_path_factory.getbasetemp())


@pytest.fixture
def copy(trained: tiny.Run, tmp_path: Path) -> Path:
    """A trained bundle that the test may spoil."""
    return shutil.copytree(trained.folder / "bundle", tmp_path / "copy")


# finding


def test_the_shipped_bundle_is_found_and_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # wherever one stands
    assert (find_bundle("prostate_dce_classification") / "configs" / "train.json").is_file()
    with pytest.raises(ModelError, match="the bundle other is not part of this installation"):
        find_bundle("other")


def test_a_bundle_in_a_wheel_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "prostate_alm"
    (package / "_bundles" / "b" / "configs").mkdir(parents=True)
    (package / "_bundles" / "b" / "configs" / "metadata.json").write_text("{}")
    monkeypatch.setattr(find, "__file__", str(package / "bundle" / "find.py"))
    assert find_bundle("b") == package / "_bundles" / "b"


# weights


class Evil:
    """Unpickling this makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def spoil_absent(path: Path) -> None:
    path.unlink()


def spoil_code(path: Path) -> None:
    path.write_bytes(pickle.dumps(Evil(path.with_name("executed"))))


def spoil_code_in_archive(path: Path) -> None:
    torch.save({"weight": Evil(path.with_name("executed"))}, path)


def spoil_shape(path: Path) -> None:
    torch.save(nn.Linear(3, 2).state_dict(), path)


def spoil_names(path: Path) -> None:
    torch.save({"other": torch.zeros(1)}, path)


def spoil_whole_module(path: Path) -> None:
    torch.save(nn.Linear(3, 1), path)


def spoil_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


SPOILT = [spoil_absent, spoil_code, spoil_code_in_archive, spoil_shape, spoil_names, spoil_whole_module, spoil_bytes]


@pytest.mark.parametrize("spoil", SPOILT)
def test_weights_that_do_not_fit_are_refused_and_nothing_is_executed(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    torch.save(nn.Linear(3, 1).state_dict(), path)
    spoil(path)
    with pytest.raises(ModelError, match=r"^weights .*model\.pt (are missing|do not load into Linear)") as caught:
        load_weights(nn.Linear(3, 1), path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()


def test_the_pickle_with_code_would_have_been_executed_by_pickle(tmp_path: Path) -> None:
    spoil_code(tmp_path / "model.pt")
    pickle.loads((tmp_path / "model.pt").read_bytes())  # noqa: S301
    assert (tmp_path / "executed").is_dir()


def test_weights_come_back(tmp_path: Path) -> None:
    source = nn.Linear(3, 1)
    torch.save(source.state_dict(), tmp_path / "model.pt")
    loaded = load_weights(nn.Linear(3, 1), str(tmp_path / "model.pt"))
    assert torch.equal(loaded.weight, source.weight)


# hashes


def change_config(folder: Path) -> None:
    path = folder / "configs" / "inference.json"
    path.write_text(path.read_text().replace('"imports"', '"imports" '))


def change_weights(folder: Path) -> None:
    torch.save({}, folder / "models" / "model.pt")


def add_a_config(folder: Path) -> None:
    (folder / "configs" / "extra.json").write_text("{}")


def remove_a_config(folder: Path) -> None:
    (folder / "configs" / "alm.json").unlink()


def remove_the_list(folder: Path) -> None:
    (folder / "hashes.json").unlink()


def break_the_list(folder: Path) -> None:
    (folder / "hashes.json").write_text("{")


def make_the_list_none(folder: Path) -> None:
    (folder / "hashes.json").write_text("[1, 2]")


SPOILT_BUNDLES = [
    change_config, change_weights, add_a_config, remove_a_config, remove_the_list, break_the_list, make_the_list_none
]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT_BUNDLES)
def test_a_bundle_that_was_changed_does_not_run(spoil: Callable[[Path], None], copy: Path) -> None:
    check_hashes(copy)
    spoil(copy)
    with pytest.raises(IntegrityError, match=r"^bundle copy"):
        Predictor.load(copy)


def test_the_threshold_may_change_and_a_new_list_is_valid(copy: Path) -> None:
    (copy / "models" / "threshold.json").write_text("{}")
    check_hashes(copy)
    add_a_config(copy)
    write_hashes(copy)
    check_hashes(copy)


def test_docs_are_no_part_of_the_list(copy: Path) -> None:
    recorded = json.loads((copy / "hashes.json").read_text())
    assert "models/model.pt" in recorded
    assert all(name.startswith(("configs/", "models/")) for name in recorded)


# the predictor


@pytest.mark.parametrize("part", ["", "bundle"])
def test_a_run_or_its_bundle_can_be_loaded(part: str, trained: tiny.Run) -> None:
    predictor = Predictor.load(trained.folder / part)
    metadata = json.loads((trained.folder / "bundle" / "configs" / "metadata.json").read_text())
    assert (predictor.name, predictor.version) == (metadata["name"], metadata["version"])
    weights = trained.folder / "bundle" / "models" / "model.pt"
    assert predictor.sha256 == model_hash(trained.folder / "bundle", weights)
    assert predictor.required_images == ("t2w", "dwi_b100", "dwi_b600", "dwi_b1000")
    assert predictor.threshold_file == trained.folder / "bundle" / "models" / "threshold.json"
    assert predictor.software == {name: version(name) for name in ("prostate-alm", "monai", "torch", "numpy")}
    assert not predictor.network.training


def test_an_image_is_preprocessed_and_scored_alone(
    trained: tiny.Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    predictor = Predictor.load(trained.folder)
    case = trained.cohort.data()[0]
    image = predictor.image({name: Path(case[name]) for name in predictor.required_images})
    assert (image.shape, image.dtype, type(image)) == ((4, 12, 12, 4), torch.float32, torch.Tensor)
    assert torch.equal(image, predictor.image(case))
    logit = predictor.logit(image)
    assert logit == predictor.logit(image)
    batch = predictor.network(torch.stack([image, image.flip(0)]))
    assert float(batch[0].detach()) == pytest.approx(logit, rel=1e-5, abs=1e-6)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_sequence_is_an_error(trained: tiny.Run) -> None:
    predictor, case = Predictor.load(trained.folder), trained.cohort.data()[0]
    del case["dwi_b600"]
    with pytest.raises(KeyError, match="dwi_b600"):
        predictor.image(case)


def test_a_bundle_without_ranges_says_so(copy: Path) -> None:
    (copy / "models" / "training_ranges.json").unlink()
    write_hashes(copy)
    assert Predictor.load(copy).training_ranges is None


@pytest.mark.parametrize("spoil", SPOILT)
def test_recorded_weights_that_do_not_fit_are_a_model_error(spoil: Callable[[Path], None], copy: Path) -> None:
    spoil(copy / "models" / "model.pt")
    write_hashes(copy)
    with pytest.raises(ModelError, match=r"model\.pt"):
        Predictor.load(copy)
    assert not (copy / "models" / "executed").exists()


def test_an_arm_that_was_not_trained_is_a_model_error(copy: Path) -> None:
    (copy / "models" / "model_base.pt").unlink()
    write_hashes(copy)
    with pytest.raises(ModelError, match=r"no weights models/model_base\.pt"):
        Predictor.load(copy, arm="base")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("network_def", {"_target_": "prostate_alm.networks.DualPathCN"}, "did you mean prostate_alm.*DualPathCNN"),
        ("inferer", "@no", "cannot be loaded: key inferer in configs/inference.json .* refers to @no"),
    ],
)
def test_a_config_that_cannot_be_built_is_a_model_error(name: str, value: object, says: str, copy: Path) -> None:
    path = copy / "configs" / "inference.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    write_hashes(copy)
    with pytest.raises(ModelError, match=says) as caught:
        Predictor.load(copy)
    assert "\n" not in str(caught.value)


def test_a_folder_without_bundle_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="neither a bundle nor a finished run"):
        Predictor.load(tmp_path)


# running


def test_the_package_s_own_error_comes_out_of_a_config(trained: tiny.Run, tmp_path: Path) -> None:
    overrides = {"dataset_dir": str(trained.cohort.folder), "output_dir": str(tmp_path), "class_ratio": "1:900"}
    with pytest.raises(UsageError, match="choose another ratio"):
        run_workflow(tiny.BUNDLE, ("train",), tiny.OVERRIDES | overrides)


def test_a_reference_to_nothing_is_named(trained: tiny.Run, tmp_path: Path) -> None:
    overrides = {"dataset_dir": str(trained.cohort.folder), "output_dir": str(tmp_path), "base_loss": "@nothing"}
    with pytest.raises(UsageError, match="key base_loss of the call refers to @nothing, which is not there"):
        run_workflow(tiny.BUNDLE, ("train",), tiny.OVERRIDES | overrides)


def test_another_preprocessing_is_another_model(trained: tiny.Run, tmp_path: Path) -> None:
    shutil.copytree(trained.folder / "bundle", tmp_path / "bundle")
    config = tmp_path / "bundle" / "configs" / "inference.json"
    weights = tmp_path / "bundle" / "models" / "model.pt"
    before = model_hash(tmp_path / "bundle", weights)
    config.write_text(json.dumps(json.loads(config.read_text())))  # the same content, written otherwise
    assert model_hash(tmp_path / "bundle", weights) == before
    config.write_text(config.read_text().replace("99.5", "99.0"))
    assert model_hash(tmp_path / "bundle", weights) != before
