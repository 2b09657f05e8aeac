"""A bundle's network in forms that run without this package: TorchScript, `torch.export` and ONNX."""

import io
import json
import logging
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from monai.bundle.config_parser import ConfigParser
from monai.data.torchscript_utils import save_net_with_metadata
from torch import Tensor, nn

from prostate_alm.bundle.integrity import EXPORTS, check_hashes, write_hashes
from prostate_alm.bundle.weights import load_weights
from prostate_alm.errors import ModelError
from prostate_alm.files import whole_file

TOLERANCE = 1e-5
"""Largest difference between a form's logits and the network's own, absolute or relative."""
BATCH_SIZES = (1, 3)
CONFIGS = ("inference.json", "train.json")
"""What MONAI Deploy, or whoever reads the file, finds inside it beside the metadata."""
FIRST_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Source:
    """What is exported.

    Args:
        network: the ensemble with its weights, on the CPU, in evaluation mode, without gradients.
        image: name of its input.
        pred: name of its output.
        images: examples (3, C, ...), by which the forms are checked.
        metadata: content of `metadata.json`.
        configs: `CONFIGS` by name, as JSON text.
    """

    network: nn.Module
    image: str
    pred: str
    images: Tensor
    metadata: dict[str, Any]
    configs: dict[str, str]

    @cached_property
    def program(self) -> torch.export.ExportedProgram:
        """The network as a graph, for any number of images."""
        batch = {0: torch.export.Dim("batch", min=1)}
        # two images: a batch of one would be taken for a constant
        program = torch.export.export(self.network, (self.images[:2],), dynamic_shapes=(batch,))
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # holds this machine's paths
        return program


@dataclass(frozen=True)
class Form:
    """A form of a network: how its bytes are made, and how they are run."""

    write: Callable[[Source], bytes]
    load: Callable[[bytes], Callable[[Tensor], Tensor]]


def export_bundle(folder: Path, *, onnx: bool = False) -> dict[str, float]:
    """Write `models/model.ts` and `models/model.pt2` (and `model.onnx`) from `models/model.pt`; record their hashes.

    Nothing is written before every form was checked against the network. The bytes carry no path of this machine; two
    runs in fresh processes with the same `PYTHONHASHSEED` give the same.

    Args:
        folder: the bundle's folder.
        onnx: whether to write ONNX as well; needs the extra `onnx`.

    Returns:
        File name -> largest difference from the network's own logits.

    Raises:
        IntegrityError: if a config or the weights differ from their recorded hash.
        ModelError: if the bundle does not load, or a form's logits differ by more than `TOLERANCE`.
    """
    check_hashes(folder, exports=False)  # old exports are about to be replaced
    source = read_source(folder)
    made: dict[str, bytes] = {}
    differences: dict[str, float] = {}
    for name in EXPORTS if onnx else EXPORTS[:2]:
        made[name] = FORMS[name].write(source)
        differences[name] = check_form(name, made[name], source)
    for name in EXPORTS:  # an old one that is not made again would be of other weights
        (folder / "models" / name).unlink(missing_ok=True)
    for name, content in made.items():
        with whole_file(folder / "models" / name) as part:
            part.write_bytes(content)
    write_hashes(folder)
    return differences


def read_source(folder: Path) -> Source:
    """The network of a bundle's `inference.json` with the weights of `models/model.pt`, and what goes with it.

    Raises:
        ModelError: if the weights are missing or do not fit.
    """
    parser = ConfigParser()
    parser.read_config(str(folder / "configs" / "inference.json"))
    parser["bundle_root"] = str(folder)
    network = load_weights(parser.get_parsed_content("network_def"), folder / "models" / "model.pt")
    network.eval().requires_grad_(False)  # an export is not trained: it runs in any mode of torch
    metadata = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
    formats = metadata["network_data_format"]
    (image, form), (pred, _) = next(iter(formats["inputs"].items())), next(iter(formats["outputs"].items()))
    shape = (max(BATCH_SIZES), form["num_channels"], *form["spatial_shape"])
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    configs = {name: (folder / "configs" / name).read_text(encoding="utf-8") for name in CONFIGS}
    return Source(network, image, pred, images, metadata, configs)


def check_form(name: str, content: bytes, source: Source) -> float:
    """Run a form on the example images, in batches of `BATCH_SIZES`.

    Returns:
        The largest difference from the network's own logits.

    Raises:
        ModelError: if it is more than `TOLERANCE`.
    """
    run = FORMS[name].load(content)
    largest = 0.0
    with torch.no_grad():
        for size in BATCH_SIZES:
            wanted, found = source.network(source.images[:size]), run(source.images[:size])
            largest = max(largest, float((found - wanted).abs().max()))
            if found.shape != wanted.shape or not torch.allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE):
                raise ModelError(f"{name} is not written: its logits differ from the network's by up to {largest:.1e}")
    return largest


def _write_torchscript(source: Source) -> bytes:
    content = io.BytesIO()
    extra = {name: text.encode() for name, text in source.configs.items()}
    with _quiet():
        script = torch.jit.script(source.network)
        save_net_with_metadata(
            script, content, include_config_vals=False, meta_values=source.metadata, more_extra_files=extra
        )
    return _without_debugging(content)


def _without_debugging(archive: io.BytesIO) -> bytes:
    """The archive without source positions, which hold this machine's paths, and with no random id."""
    stripped = io.BytesIO()
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(stripped, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            if not name.endswith((".debug_pkl", ".data/serialization_id")):
                new.writestr(zipfile.ZipInfo(name, FIRST_DATE), old.read(name))
    return stripped.getvalue()


def _load_torchscript(content: bytes) -> Callable[[Tensor], Tensor]:
    with _quiet():
        return torch.jit.load(io.BytesIO(content), map_location="cpu").eval()


def _write_exported(source: Source) -> bytes:
    content = io.BytesIO()
    extra = {"metadata.json": json.dumps(source.metadata), **source.configs}
    torch.export.save(source.program, content, extra_files=extra)
    return content.getvalue()


def _load_exported(content: bytes) -> Callable[[Tensor], Tensor]:
    return torch.export.load(io.BytesIO(content)).module()


def _write_onnx(source: Source) -> bytes:
    try:
        import onnx
        import onnxruntime  # noqa: F401  # the check will need it
        import onnxscript  # noqa: F401  # torch's exporter needs it
    except ImportError as error:
        raise ModelError(f"ONNX needs the package {error.name}: pip install 'prostate-alm[onnx]'") from error
    with _quiet():
        program = torch.onnx.export(
            source.program, dynamo=True, verbose=False, input_names=[source.image], output_names=[source.pred]
        )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        node.ClearField("metadata_props")  # holds this machine's paths
    props = {name: str(source.metadata.get(name, "")) for name in ("name", "version", "weights", "intended_use")}
    onnx.helper.set_model_props(model, props)
    return model.SerializeToString(deterministic=True)


def _load_onnx(content: bytes) -> Callable[[Tensor], Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    return lambda images: torch.from_numpy(session.run(None, {image.name: images.numpy()})[0])


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch telling of its own deprecations, and of torchvision, which is not needed."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".torch.jit.*is deprecated", category=DeprecationWarning)
            warnings.filterwarnings("ignore", message=".isinstance.treespec, LeafSpec", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)


FORMS = {
    "model.ts": Form(_write_torchscript, _load_torchscript),
    "model.pt2": Form(_write_exported, _load_exported),
    "model.onnx": Form(_write_onnx, _load_onnx),
}
