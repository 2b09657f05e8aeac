"""Logits of a trained network, by the bundle's own definition of network and precision."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.bundle.config_parser import ConfigParser
from numpy.typing import NDArray

from prostate_alm.bundle import load_weights
from prostate_alm.cifar10.tensors import CifarDataset
from prostate_alm.training import one_thread

BATCH = 250


@torch.inference_mode()
def predict(bundle: Path, overrides: Mapping[str, Any], weights: Path, dataset: CifarDataset) -> NDArray[Any]:
    """Logits of every image, one thread.

    Args:
        bundle: folder of the bundle.
        overrides: config id -> value, as in the training.
        weights: of the network.
        dataset: the images, plain.

    Returns:
        float32 (N,), in the order of the dataset.
    """
    config = ConfigParser.load_config_file(str(bundle / "configs" / "train.json"))
    parser = ConfigParser(config=config | {"bundle_root": str(bundle)})
    parser.update(dict(overrides))
    device = parser.get_parsed_content("device")
    network = load_weights(parser.get_parsed_content("member_def"), weights).eval().to(device)
    inferer = parser.get_parsed_content("inferer")
    logits: list[torch.Tensor] = []
    with one_thread():
        for start in range(0, len(dataset), BATCH):
            places = list(range(start, min(start + BATCH, len(dataset))))
            image = dataset.__getitems__(places)["image"].to(device)
            logits.append(inferer(image, network).reshape(-1).cpu())
    return torch.cat(logits).numpy()
