"""Weights are loaded without pickle."""

from pathlib import Path
from textwrap import shorten
from typing import TypeVar

import torch
from torch import nn

from prostate_alm.errors import ModelError

Network = TypeVar("Network", bound=nn.Module)


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
        told = " ".join(str(error).split()).removeprefix(
            f"Error(s) in loading state_dict for {type(network).__name__}: "
        )
        reason = shorten(told, 240, placeholder=" ...")
        raise ModelError(f"weights {path} do not load into {type(network).__name__}: {reason}") from error
    return network
