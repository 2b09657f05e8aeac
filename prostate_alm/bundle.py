"""Find, check, run and load a MONAI bundle: the one definition of training and inference."""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from monai.bundle.config_parser import ConfigParser
from monai.bundle.workflows import ConfigWorkflow
from torch import Tensor, nn

from prostate_alm.errors import IntegrityError, ModelError, UserError
from prostate_alm.files import sha256, write_json

HASHES = "hashes.json"
MAIN_ARM = "alm"
Network = TypeVar("Network", bound=nn.Module)


def find_bundle(name: str) -> Path:
    """The folder of a bundle that comes with the package, in a checkout or installed from a wheel.

    Raises:
        ModelError: if there is no such bundle.
    """
    package = Path(__file__).resolve().parent
    for folder in (package.parent / "bundles" / name, package / "_bundles" / name):
        if (folder / "configs" / "metadata.json").is_file():
            return folder
    raise ModelError(f"the bundle {name} is not part of this installation; install prostate-alm again")


def load_weights(network: Network, path: Path | str) -> Network:
    """Load a state dict into a network, without pickle and onto the CPU.

    Raises:
        ModelError: if the file is missing, holds more than weights, or is of another architecture.
    """
    path = Path(path)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise ModelError(f"weights {path} are missing; train the model or name another") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"weights {path} do not load into {type(network).__name__}: {reason}") from error
    return network


def _hashed_files(folder: Path) -> list[Path]:
    parts = (folder / "configs", folder / "models")
    return sorted(
        path for part in parts for path in part.rglob("*") if path.is_file() and path.name != "threshold.json"
    )


def write_hashes(folder: Path) -> Path:
    """Record the SHA-256 of every file under `configs` and `models` in `hashes.json`.

    The threshold is left out: it is changed by calibration, and carries the model's hash itself.
    """
    hashes = {path.relative_to(folder).as_posix(): sha256(path) for path in _hashed_files(folder)}
    return write_json(folder / HASHES, hashes)


def check_hashes(folder: Path) -> None:
    """Compare a bundle's files with its `hashes.json`: a bundle is code, so only recorded files may run.

    Raises:
        IntegrityError: if the list is missing or unreadable, or a file was changed, added or removed.
    """
    if not (folder / HASHES).is_file():
        raise IntegrityError(f"bundle {folder.name} has no {HASHES}: only a bundle whose files are recorded may run")
    try:
        recorded: dict[str, str] = dict(json.loads((folder / HASHES).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"bundle {folder.name}: {HASHES} cannot be read; get the bundle again") from error
    found = {path.relative_to(folder).as_posix(): path for path in _hashed_files(folder)}
    differing = sorted(recorded.keys() ^ found.keys())
    differing += [name for name, path in found.items() if name in recorded and sha256(path) != recorded[name]]
    if differing:
        raise IntegrityError(
            f"bundle {folder.name}: {differing[0]} differs from the recorded hash; get the bundle again, or train anew"
        )


def run_workflow(folder: Path, configs: Sequence[str], overrides: Mapping[str, Any]) -> None:
    """Run configs of a bundle, merged in order, as `python -m monai.bundle run` does.

    Args:
        folder: the bundle's folder.
        configs: names under `configs`, without `.json`.
        overrides: config id -> value.

    Raises:
        UserError: what the package itself raised while the config was resolved.
    """
    with _without_monai_noise():
        workflow = ConfigWorkflow(
            config_file=[str(folder / "configs" / f"{name}.json") for name in configs],
            meta_file=str(folder / "configs" / "metadata.json"),
            logging_file=False,
            workflow_type="train",
            bundle_root=str(folder),
            **overrides,
        )
        try:
            workflow.initialize()
            workflow.run()
            workflow.finalize()
        except Exception as error:
            raise user_error_behind(error) or error from None


@contextmanager
def _without_monai_noise() -> Iterator[None]:
    """Keep MONAI from telling, at every start, of an optional codec that nobody asked for."""
    loggers = [logging.getLogger(name) for name in ("monai.bundle.workflows", "monai.data.nvimgcodec_pydicom_plugin")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def user_error_behind(error: BaseException) -> UserError | None:
    """The package's own error among the causes of one that MONAI's config parser wrapped, if any."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return cause
        cause = cause.__cause__ or cause.__context__
    return None


class Predictor:
    """A trained bundle, ready for one case after another.

    It evaluates only what stands alone in `inference.json` (preprocessing, network, inferer), as MONAI Deploy does.

    Args:
        folder: the bundle's folder.
        weights: file of the ensemble's weights.
        device: a torch device.

    Raises:
        ModelError: if a config or the weights do not fit.
    """

    def __init__(self, folder: Path, weights: Path, device: str = "cpu") -> None:
        self.folder = folder
        parser = ConfigParser()
        try:
            parser.read_config(str(folder / "configs" / "inference.json"))
            parser.read_meta(str(folder / "configs" / "metadata.json"))
            parser["bundle_root"] = str(folder)
            parser["device"] = device
            network = load_weights(parser.get_parsed_content("network_def"), weights)
            self.network = network.to(device).eval()
            self.inferer = parser.get_parsed_content("inferer")
            with _without_monai_noise():
                self.preprocessing = parser.get_parsed_content("preprocessing")
        except UserError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"bundle {folder.name} cannot be loaded: {reason}") from error
        metadata = parser["_meta_"]
        self.device = device
        self.name: str = metadata["name"]
        self.version: str = metadata["version"]
        self.notice: str = metadata.get("weights", "")
        self.arm: str = metadata.get("arm", MAIN_ARM)
        self.sha256 = sha256(weights)
        self.required_images: tuple[str, ...] = tuple(parser["preprocessing"]["transforms"][0]["keys"])

    @classmethod
    def load(cls, model: Path | str, device: str = "cpu", arm: str | None = None) -> "Predictor":
        """Load a bundle folder, or a run folder that holds one, after checking its hashes.

        Args:
            model: bundle folder, or a folder with `bundle` in it.
            device: a torch device.
            arm: None is the ensemble that decides (`model.pt`); `other_arms` are kept for comparison.

        Raises:
            ModelError: if there is no bundle, or its weights do not fit.
            IntegrityError: if a file differs from its recorded hash.
        """
        folder = Path(model)
        if (folder / "bundle" / "configs").is_dir():
            folder = folder / "bundle"
        if not (folder / "configs" / "inference.json").is_file():
            raise ModelError(
                f"{model} is neither a bundle nor a finished run; give a folder made by 'prostate-alm train'"
            )
        check_hashes(folder)
        main = json.loads((folder / "configs" / "metadata.json").read_text(encoding="utf-8")).get("arm", MAIN_ARM)
        weights = folder / "models" / ("model.pt" if arm in (None, main) else f"model_{arm}.pt")
        if not weights.is_file():
            raise ModelError(f"bundle {folder.name} has no weights models/{weights.name}; train the model first")
        return cls(folder, weights, device)

    @property
    def other_arms(self) -> tuple[str, ...]:
        """Arms whose ensembles are kept beside the one that decides."""
        return tuple(path.stem.removeprefix("model_") for path in sorted((self.folder / "models").glob("model_*.pt")))

    @property
    def threshold_file(self) -> Path:
        """Where the bundle keeps its locked threshold; the file may be absent."""
        return self.folder / "models" / "threshold.json"

    @property
    def training_ranges(self) -> dict[str, Any] | None:
        """Vendors, models, field strengths and feature ranges of the training cohort; None if unknown."""
        path = self.folder / "models" / "training_ranges.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    @property
    def software(self) -> dict[str, str]:
        """Versions that determine the numbers."""
        return {name: version(name) for name in ("prostate-alm", "monai", "torch", "numpy")}

    def image(self, images: Mapping[str, Path | str]) -> Tensor:
        """Preprocess the volumes of one case, by sequence name, into an image of shape (4, H, W, D)."""
        case = {name: str(images[name]) for name in self.required_images}
        return self.preprocessing(case)["image"]

    @torch.inference_mode()
    def logit(self, image: Tensor) -> float:
        """The ensemble's mean logit of one image (4, H, W, D)."""
        logits = self.inferer(image.unsqueeze(0).to(self.device), self.network)
        return float(logits.reshape(()))
