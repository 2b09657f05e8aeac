"""A bundle with a network so small that exporting it takes seconds."""

import json
import shutil
from pathlib import Path
from typing import Any

import tiny
import torch
from monai.bundle import ConfigParser
from torch import nn

from prostate_alm.bundle import write_hashes


def make_small_bundle(folder: Path, members: int) -> Path:
    """The prostate bundle with the tests' tiny network; every member has random weights of its own."""
    shutil.copytree(tiny.BUNDLE, folder, ignore=shutil.ignore_patterns("models", "eval"))
    shutil.rmtree(folder / "docs")
    change(folder / "configs" / "inference.json", tiny.OVERRIDES | {"members": members})
    change(
        folder / "configs" / "metadata.json",
        {"network_data_format::inputs::image::spatial_shape": tiny.OVERRIDES["spatial_shape"]},
    )
    (folder / "models").mkdir()
    torch.save(network_of(folder).state_dict(), folder / "models" / "model.pt")
    write_hashes(folder)
    return folder


def network_of(folder: Path, seed: int = 0) -> nn.Module:
    """The network of a bundle's `inference.json`, with random weights."""
    parser = ConfigParser()
    parser.read_config(str(folder / "configs" / "inference.json"))
    network = parser.get_parsed_content("network_def")
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return network.eval()


def change(path: Path, changes: dict[str, Any]) -> None:
    """Set config ids of a JSON file that it has."""
    parser = ConfigParser(config=json.loads(path.read_text(encoding="utf-8")))
    for name, value in changes.items():
        if name in parser:
            parser[name] = value
    path.write_text(json.dumps(parser.get()), encoding="utf-8")
