"""A trained bundle as something that gives a logit."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from monai.bundle.config_parser import ConfigParser
from torch import Tensor

from prostate_alm.bundle.integrity import check_hashes, model_hash
from prostate_alm.bundle.weights import load_weights
from prostate_alm.bundle.workflow import without_monai_noise
from prostate_alm.errors import IntegrityError, ModelError, UserError
from prostate_alm.transforms import preprocess

MAIN_ARM = "alm"


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
            with without_monai_noise():
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
        self.sha256 = model_hash(folder, weights)
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
        """The ensemble's mean logit of one image (4, H, W, D)."""
        logits = self.inferer(image.unsqueeze(0).to(self.device), self.network)
        return float(logits.reshape(()))
