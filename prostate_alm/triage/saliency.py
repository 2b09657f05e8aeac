"""What moved a study's logit, by occlusion: where the detail is blurred away, how far does the logit fall?

The map explains the score, not the disease: a high value says that the network used the place, not that a lesion is
there, and a lesion that the network did not use leaves no trace.
"""

import math
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import torch
from monai.networks.layers import GaussianFilter
from monai.visualize import OcclusionSensitivity
from nibabel.processing import resample_from_to
from scipy.ndimage import label
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from prostate_alm.studies import Volume

if TYPE_CHECKING:
    from prostate_alm.bundle import Predictor

_EXPLANATION = (
    "Saliency: inside the line, the logit falls most when the detail in a soft cube of {mask_mm:.0f} mm is blurred "
    "away. It explains the score, not the disease, and is no statement that a lesion is there."
)
MASKS_MM = (16.0, 24.0, 32.0, 48.0)
"""Sides of the soft cube that is blurred; the first that the budget allows is taken."""

BUDGET = {"cpu": 1.5e12, "cuda": 1e14}
"""Floating-point operations that a map may cost, about a minute on one core; only the coarsest may cost more.

Counted, not timed: a busy machine must not change the map.
"""

_OVERLAP = 0.5
_BATCH = 8
_TIE = 0.02
_BLUR = 0.5  # of the cube's side: what is left is what surrounds it


@dataclass(frozen=True)
class SaliencyMap:
    """A map on the grid of T2.

    Args:
        volume: by how much the logit falls, in logits; positive speaks for DCE. 0 where the network sees nothing.
        peak_mm: the middle of the highest place, RAS mm.
        mask_mm: side of the cube that was blurred.
    """

    volume: Volume
    peak_mm: tuple[float, float, float]
    mask_mm: float

    @property
    def highest(self) -> float:
        """The largest fall, in logits; 0 or less if no place speaks for DCE."""
        return float(self.volume.voxels.max())

    @property
    def explanation(self) -> str:
        """What an outline of the map shows, in words."""
        return _EXPLANATION.format(mask_mm=self.mask_mm)


def saliency(predictor: "Predictor", image: Tensor, volumes: Mapping[str, Volume]) -> SaliencyMap:
    """The saliency of one study; the decision is not touched.

    Args:
        predictor: the model.
        image: its preprocessed image (4, H, W, D).
        volumes: the volumes that the image was made from, by sequence name.

    Raises:
        ValueError: if the volumes do not give this image again.
    """
    affine = image_affine(predictor, image, volumes)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    mask_mm = _affordable_mask(predictor, image, spacing)
    fall = occlusion(predictor.network, image.to(predictor.device), _voxels(mask_mm, image, spacing)).cpu().numpy()
    t2w = volumes["t2w"]
    on_t2 = resample_from_to(nib.Nifti1Image(fall, affine), (t2w.voxels.shape, t2w.affine), order=1, cval=0.0)
    shown = Volume(np.asarray(on_t2.dataobj, np.float32), t2w.affine)
    return SaliencyMap(shown, _peak(shown), mask_mm)


def _peak(volume: Volume) -> tuple[float, float, float]:
    """The middle of the highest place, RAS mm: boxes that overlap leave it flat."""
    highest = np.unravel_index(int(volume.voxels.argmax()), volume.voxels.shape)
    parts = np.empty(volume.voxels.shape, np.int32)
    label(volume.voxels >= volume.voxels[highest] - _TIE * np.ptp(volume.voxels), output=parts)
    x, y, z = (volume.affine @ [*np.argwhere(parts == parts[highest]).mean(axis=0), 1.0])[:3]
    return float(x), float(y), float(z)


def occlusion(network: nn.Module, image: Tensor, mask: tuple[int, ...]) -> Tensor:
    """By how much the logit falls where a box of the image is blurred away, voxel by voxel.

    The box is soft: blurred whole in its middle, not at all at its edge. It keeps the brightness of what surrounds it,
    in each channel: a box of zeros would be an edge and air, which no network was trained on.

    Args:
        network: image (B, C, H, W, D) -> logits (B, 1).
        image: (C, H, W, D).
        mask: size of the box, voxels.

    Shapes:
        output: (H, W, D).
    """
    background = GaussianFilter(3, [max(1.0, _BLUR * side) for side in mask]).to(image.device)(image[None])
    detail = image[None] - background
    # in evaluation mode already, or MONAI would put the network into training mode afterwards
    detailed = _Detailed(network, background).eval()
    occluder = OcclusionSensitivity(detailed, mask, n_batch=_BATCH, verbose=False, overlap=_OVERLAP, activate=False)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using a non-tuple sequence", UserWarning)  # MONAI 1.6 indexes by lists
        logits = torch.as_tensor(occluder(detail)[0])[0, 0]
        return network(image[None]).reshape(()) - logits


class _Detailed(nn.Module):
    """A network on an image that comes without its background."""

    def __init__(self, network: nn.Module, background: Tensor) -> None:
        super().__init__()
        self.network = network
        self.background = background

    def forward(self, detail: Tensor) -> Tensor:
        return self.network(torch.as_tensor(detail) + self.background)


def image_affine(predictor: "Predictor", image: Tensor, volumes: Mapping[str, Volume]) -> np.ndarray:
    """Index -> RAS mm of a preprocessed image, as MONAI's transforms track it on T2 (the image itself forgets it).

    Raises:
        ValueError: if the volumes do not give this image again.
    """
    affine = None
    with tempfile.TemporaryDirectory(prefix="prostate-alm-") as folder:
        case: Any = {name: str(volumes[name].save(Path(folder) / f"{name}.nii")) for name in predictor.required_images}
        for transform in predictor.preprocessing.transforms:
            case = transform(case)
            affine = getattr(case.get("t2w"), "affine", affine)
    if affine is None or not torch.allclose(torch.as_tensor(case["image"]), image, atol=1e-4):
        raise ValueError("the volumes do not give this image")
    return np.asarray(affine, np.float64)


def _affordable_mask(predictor: "Predictor", image: Tensor, spacing: np.ndarray) -> float:
    """The finest mask whose passes are within the budget."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        predictor.network(image[None].to(predictor.device))
    budget = BUDGET.get(torch.device(predictor.device).type, BUDGET["cpu"])
    for mask_mm in MASKS_MM:
        if passes(image.shape[1:], _voxels(mask_mm, image, spacing)) * counter.get_total_flops() <= budget:
            return mask_mm
    return MASKS_MM[-1]


def passes(shape: "tuple[int, ...] | torch.Size", mask: tuple[int, ...]) -> int:
    """How many forward passes a map takes.

    Example:
        >>> passes((32, 32, 12), (8, 8, 4))
        245
    """
    steps = [max(1, int(side * (1 - _OVERLAP))) for side in mask]
    return math.prod(
        math.ceil((length - side) / step) + 1 for length, side, step in zip(shape, mask, steps, strict=True)
    )


def _voxels(mask_mm: float, image: Tensor, spacing: np.ndarray) -> tuple[int, ...]:
    sides = [max(2, round(mask_mm / float(step))) for step in spacing]
    return tuple(min(side, length) for side, length in zip(sides, image.shape[1:], strict=True))
