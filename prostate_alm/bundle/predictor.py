"""A trained bundle as something that gives a logit."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from monai.bundle.config_parser import ConfigParser
from torch import Tensor, nn

from prostate_alm.bundle.graph import all_values
from prostate_alm.bundle.integrity import check_hashes, model_hash
from prostate_alm.bundle.mistakes import Explainer, network_key, telling_parser
from prostate_alm.bundle.origins import Origins
from prostate_alm.bundle.reading import read_config
from prostate_alm.bundle.static import check_static
from prostate_alm.bundle.weights import load_weights
from prostate_alm.bundle.workflow import without_monai_noise
from prostate_alm.errors import IntegrityError, ModelError
from prostate_alm.transforms import preprocess

MAIN_ARM = "alm"
PARTS = ("network_def", "inferer", "preprocessing")
"""What is evaluated of `inference.json`."""


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
        origins = Origins(folder, ["inference.json"], {})
        parser = telling_parser(ConfigParser())
        try:
            parser.read_config(read_config(folder / "configs" / "inference.json"))
            parser.read_meta(read_config(folder / "configs" / "metadata.json"))
            parser["bundle_root"] = str(folder)
            parser["device"] = device
            self._network_key, self._origins = network_key(all_values(parser.config))[0], origins
            network = self._weighted(parser.get_parsed_content("network_def"), weights)
            self.network = network.to(device).eval()
            self.inferer = parser.get_parsed_content("inferer")
            with without_monai_noise():
                self.preprocessing = parser.get_parsed_content("preprocessing")
        except ModelError:
            raise
        except Exception as error:
            mistake = Explainer(parser, origins, PARTS, ModelError).mistake_behind(error)
            reason = " ".join(str(mistake or error).split())
            raise ModelError(f"bundle {folder.name} cannot be loaded: {reason}") from error
        metadata = parser["_meta_"]
        self.device = device
        self.name: str = metadata["name"]
        self.version: str = metadata["version"]
        self.notice: str = metadata.get("weights", "")
        self.arm: str = metadata.get("arm", MAIN_ARM)
        self.sha256 = model_hash(folder, weights)
        self.required_images: tuple[str, ...] = tuple(parser["preprocessing"]["transforms"][0]["keys"])

    def _weighted(self, network: nn.Module, weights: Path) -> nn.Module:
        try:
            return load_weights(network, weights)
        except ModelError as error:
            place = self._origins.place(self._network_key)
            raise ModelError(f"{error} (the network is {place})") from error

    @classmethod
    def load(
        cls, model: Path | str, device: str = "cpu", arm: str | None = None, *, trusted: bool = False
    ) -> "Predictor":
        """Load a bundle folder, or a run folder that holds one, after checking its hashes and that it is safe to run.

        Args:
            model: bundle folder, or a folder with `bundle` in it.
            device: a torch device.
            arm: None is the ensemble that decides (`model.pt`); `other_arms` are kept for comparison.
            trusted: leave out the static check (not the hashes): a bundle that the caller wrote.

        Raises:
            ModelError: if there is no bundle, or its weights do not fit; names the key and the file.
            IntegrityError: if a file differs from its recorded hash, or the bundle is not safe to run (`check_static`).
        """
        folder = Path(model)
        if (folder / "bundle" / "configs").is_dir():
            folder = folder / "bundle"
        if not (folder / "configs" / "inference.json").is_file():
            raise ModelError(
                f"{model} is neither a bundle nor a finished run; give a folder made by 'prostate-alm train'"
            )
        check_hashes(folder)
        if not trusted:
            check_static(folder)
        main = read_config(folder / "configs" / "metadata.json").get("arm", MAIN_ARM)
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
        return self._table("training_ranges.json")

    @property
    def trained_patients(self) -> frozenset[str] | None:
        """Salted keys of the patients that the model was trained on; None if it does not say."""
        patients = self._table("patients.json")
        return None if patients is None else frozenset(patients)

    def _table(self, name: str) -> Any:
        path = self.folder / "models" / name
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        except ValueError as error:
            raise IntegrityError(f"bundle {self.folder.name}: models/{name} cannot be read; get it again") from error

    @property
    def software(self) -> dict[str, str]:
        """Versions that determine the numbers."""
        return {name: version(name) for name in ("prostate-alm", "monai", "torch", "numpy")}

    def image(self, images: Mapping[str, Path | str]) -> Tensor:
        """Preprocess the volumes of one case, by sequence name, into an image of shape (4, H, W, D).

        Raises:
            NoInputError: if a volume cannot be read or preprocessed.
        """
        case = {name: str(images[name]) for name in self.required_images}
        return preprocess(self.preprocessing, case | {"case_id": images.get("case_id", "")})["image"]

    @torch.inference_mode()
    def logit(self, image: Tensor) -> float:
        """The ensemble's mean logit of one image (4, H, W, D).

        Raises:
            ModelError: if the network does not fit the image.
        """
        try:
            logits = self.inferer(image.unsqueeze(0).to(self.device), self.network)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = f"does not fit an image of shape {tuple(image.shape)}: {' '.join(str(error).split())[:200]}"
            raise ModelError(f"{self._origins.place(self._network_key)} {reason}") from error
        return float(logits.reshape(()))
