"""The network in other forms: the same logits, the same bytes, recorded, and never written half."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import tiny
import torch
from small_bundle import make_small_bundle
from torch import Tensor

from prostate_alm.bundle import Predictor, check_hashes, export, write_hashes
from prostate_alm.bundle.export import Form, export_bundle, read_source
from prostate_alm.errors import IntegrityError, ModelError

FILES = ("model.ts", "model.pt2", "model.onnx")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two small members, not exported."""
    return make_small_bundle(tmp_path / "small", members=2)


def torchscript(bundle: Path, images: Tensor) -> Tensor:
    return torch.jit.load(str(bundle / "models" / "model.ts"))(images)


def exported(bundle: Path, images: Tensor) -> Tensor:
    return torch.export.load(bundle / "models" / "model.pt2").module()(images)


def onnx_runtime(bundle: Path, images: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(bundle / "models" / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["pred"], {"image": images.numpy()})
    return torch.from_numpy(logits)


@pytest.mark.slow
@pytest.mark.parametrize("run", [torchscript, exported, onnx_runtime])
def test_every_form_of_the_ensemble_gives_its_logits(run: Any, exported_bundle: Path) -> None:
    source = read_source(exported_bundle)
    images = 2 * torch.randn(source.images.shape, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        for size in (1, 3):
            found, wanted = run(exported_bundle, images[:size]), source.network(images[:size])
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        assert len(set(found.flatten().tolist())) == 3
        assert not torch.allclose(found, source.network.members[0](images), atol=1e-4)  # not one member's


@pytest.mark.slow
def test_the_forms_carry_the_metadata_and_the_configs(exported_bundle: Path) -> None:
    configs = ("inference.json", "train.json", "metadata.json")
    content = {name: json.loads((exported_bundle / "configs" / name).read_text()) for name in configs}
    for name in FILES[:2]:
        assert inside(name, (exported_bundle / "models" / name).read_bytes()) == content
    props = {prop.key: prop.value for prop in onnx.load(exported_bundle / "models" / "model.onnx").metadata_props}
    assert props["weights"] == "demo weights, trained on synthetic phantoms: not for any clinical use"
    assert props["intended_use"] == "Research. Not a medical device."


def inside(name: str, content: bytes) -> dict[str, Any]:
    """The metadata and configs inside a form."""
    files = dict.fromkeys(("inference.json", "train.json", "metadata.json"), "")
    if name == "model.ts":
        torch.jit.load(io.BytesIO(content), _extra_files=files)
    else:
        torch.export.load(io.BytesIO(content), extra_files=files)
    return {name: json.loads(text) for name, text in files.items()}


@pytest.mark.slow
def test_the_forms_name_no_place_of_this_machine(exported_bundle: Path) -> None:
    places = {str(Path(__file__).parents[2]), sys.prefix, sys.base_prefix, str(Path.home()), str(exported_bundle)}
    for name in FILES:
        content = (exported_bundle / "models" / name).read_bytes()
        assert not [place for place in places - {"/"} if place.encode() in content], name


@pytest.mark.slow
def test_the_same_weights_give_the_same_bytes_and_the_same_model(
    exported_bundle: Path, export_in_a_process: Callable[..., None], tmp_path: Path
) -> None:
    other = shutil.copytree(exported_bundle, tmp_path / "other" / "place", ignore=shutil.ignore_patterns(*FILES))
    write_hashes(other)
    before = Predictor.load(other).sha256
    export_in_a_process(other, "2")
    recorded, wanted = (json.loads((folder / "hashes.json").read_text()) for folder in (other, exported_bundle))
    assert {f"models/{name}" for name in FILES[:2]} <= recorded.keys()
    assert recorded == {name: digest for name, digest in wanted.items() if name != "models/model.onnx"}
    assert Predictor.load(other).sha256 == before


@pytest.mark.slow
def test_the_exports_in_the_checkout_are_of_its_weights_and_configs() -> None:
    """After a change of either: python tools/export_bundle.py"""
    source = read_source(tiny.BUNDLE)
    wanted = {name: json.loads(text) for name, text in source.configs.items()} | {"metadata.json": source.metadata}
    for name in FILES[:2]:
        content = (tiny.BUNDLE / "models" / name).read_bytes()
        assert export.check_form(name, content, source) <= 1e-5
        assert inside(name, content) == wanted
    assert sum(path.stat().st_size for path in (tiny.BUNDLE / "models").iterdir()) < 5_000_000


# guards: with forms that cost nothing


def plain(number: float, shift: float = 0.0) -> Form:
    """A form whose file is one number, and whose logits are the network's plus a shift."""

    def load(content: bytes) -> Any:
        assert content == str(number).encode()
        return lambda images: _network(images) + shift

    _network = None

    def write(source: export.Source) -> bytes:
        nonlocal _network
        _network = source.network
        return str(number).encode()

    return Form(write, load)


def test_a_form_with_other_logits_is_refused_and_nothing_is_written(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FILES:
        monkeypatch.setitem(export.FORMS, name, plain(1))
    assert export_bundle(small, onnx=True) == dict.fromkeys(FILES, 0.0)
    before = (small / "hashes.json").read_bytes()
    monkeypatch.setitem(export.FORMS, "model.ts", plain(2))
    monkeypatch.setitem(export.FORMS, "model.pt2", plain(2, shift=1e-4))
    with pytest.raises(ModelError, match=r"^model\.pt2 is not written: its logits differ .* by up to 1\.0e-04$"):
        export_bundle(small)
    assert [(small / "models" / name).read_text() for name in FILES] == ["1", "1", "1"]
    assert (small / "hashes.json").read_bytes() == before


def test_an_old_form_does_not_stay_beside_new_ones(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FILES:
        monkeypatch.setitem(export.FORMS, name, plain(1))
    export_bundle(small, onnx=True)
    (small / "models" / "model.ts").write_text("damaged")
    with pytest.raises(IntegrityError, match=r"models/model\.ts differs"):
        check_hashes(small)
    export_bundle(small)
    check_hashes(small)
    assert [(small / "models" / name).exists() for name in FILES] == [True, True, False]


def test_an_export_that_is_not_recorded_stops_the_bundle(small: Path) -> None:
    (small / "models" / "model.ts").write_text("from elsewhere")
    with pytest.raises(IntegrityError, match=r"models/model\.ts is not recorded"):
        Predictor.load(small)


def test_a_changed_bundle_is_not_exported(small: Path) -> None:
    config = small / "configs" / "inference.json"
    config.write_text(config.read_text() + " ")
    with pytest.raises(IntegrityError, match=r"configs/inference\.json differs"):
        export_bundle(small)
    assert not (small / "models" / "model.ts").exists()


def test_a_bundle_without_weights_is_one_line(small: Path) -> None:
    (small / "models" / "model.pt").unlink()
    write_hashes(small)
    with pytest.raises(ModelError, match=r"model\.pt are missing"):
        export_bundle(small)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_onnx_without_its_packages_says_what_to_install(
    package: str, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FILES[:2]:
        monkeypatch.setitem(export.FORMS, name, plain(1))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModelError, match=rf"needs the package {package}: pip install 'prostate-alm\[onnx\]'"):
        export_bundle(small, onnx=True)
    assert not (small / "models" / "model.ts").exists()
