"""Transforms of prostate MRI that MONAI lacks, and the intensity features that a study is checked by."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch import Tensor

from prostate_alm.errors import NoInputError

CHANNELS = ("t2w", "dwi_b100", "dwi_b600", "dwi_b1000")
"""Channel order of the network's one input tensor."""

GRID_TOLERANCE_MM = 1e-3
"""How far affines of one grid may differ, per element: what single precision in a file's header does to them."""


class NormalizeDwid(MapTransform):
    """Divide every b-value by ONE number, a high percentile of the reference b-value.

    No mean is subtracted and no b-value is scaled by itself, so that their ratio, the diffusion, survives. The b-values
    lie on one grid, voxel by voxel: whoever puts them together afterwards relies on it.

    Args:
        keys: the b-values' keys.
        reference: key of the lowest b-value, whose percentile is the divisor.
        percentile: in percent.

    Raises:
        ValueError: if the percentile is not positive: the reference holds no signal. If a b-value has another shape or,
            where MONAI's metadata tell it, another affine than the reference.

    Example:
        >>> dwi = {"dwi_b100": torch.full((1, 2, 2, 2), 50.0), "dwi_b1000": torch.full((1, 2, 2, 2), 10.0)}
        >>> scaled = NormalizeDwid(keys=["dwi_b100", "dwi_b1000"])(dwi)
        >>> round(float(scaled["dwi_b1000"].max()), 3)
        0.2
    """

    def __init__(self, keys: KeysCollection, reference: str = "dwi_b100", percentile: float = 99.5) -> None:
        super().__init__(keys)
        self.reference = reference
        self.percentile = percentile

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the b-values divided."""
        scaled = dict(data)
        divisor = _percentile(torch.as_tensor(scaled[self.reference]), self.percentile)
        if not divisor > 0:
            raise ValueError(f"{self.reference} holds no signal: its {self.percentile} percentile is {divisor:g}")
        for key in self.key_iterator(scaled):
            if not _on_one_grid(scaled[key], scaled[self.reference]):
                raise ValueError(f"{key} and {self.reference} lie on different grids")
            scaled[key] = scaled[key] / divisor
        return scaled


def _on_one_grid(image: Any, other: Any) -> bool:
    affines = [getattr(each, "affine", None) for each in (image, other)]
    told = [torch.as_tensor(affine, dtype=torch.float64) for affine in affines if affine is not None]
    return image.shape == other.shape and (len(told) < 2 or torch.allclose(*told, rtol=0, atol=GRID_TOLERANCE_MM))


def _percentile(image: Tensor, percent: float) -> float:
    voxels = image.flatten().float()  # kthvalue counts NaN as the largest, as sort does, at a tenth of its cost
    return float(voxels.kthvalue(1 + round(percent / 100 * (voxels.numel() - 1))).values)


def preprocess(transform: Callable[[dict[str, Any]], Any], case: Mapping[str, Any]) -> dict[str, Any]:
    """A case through a preprocessing; whatever goes wrong names the case.

    Args:
        transform: the deterministic preprocessing of a bundle.
        case: paths of the volumes by sequence name, and `case_id`.

    Raises:
        NoInputError: if a volume cannot be read or preprocessed.
    """
    try:
        return dict(transform(dict(case)))
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        name = case.get("case_id") or "of this study"
        raise NoInputError(f"the volumes of case {name} cannot be preprocessed: {cause}; prepare it again") from error


def image_features(image: Tensor) -> dict[str, float]:
    """Scale-free intensity features of one preprocessed study, by which an unusual one is known.

    The means and spreads of the channels, the share of voxels without signal, and the median apparent diffusion
    coefficient where there is signal.

    Args:
        image: shape (4, H, W, D): T2 after z-score, b100, b600 and b1000 over one divisor.

    Returns:
        Feature name -> value; ADC in 1e-3 mm2/s.

    Example:
        >>> image = torch.stack([torch.zeros(2, 2, 2), *(torch.full((2, 2, 2), v) for v in (0.9, 0.5, 0.3))])
        >>> round(image_features(image)["adc_median"], 2)
        1.22
    """
    t2w, b100, b600, b1000 = image.as_subclass(Tensor).double()
    signal = b100 > 0.05
    features = {
        "t2w_mean": float(t2w.mean()),
        "t2w_std": float(t2w.std(unbiased=False)),
        "t2w_p95": _percentile(t2w, 95),
        "dwi_without_signal": float((~signal).double().mean()),
    }
    for name, channel in (("dwi_b100", b100), ("dwi_b600", b600), ("dwi_b1000", b1000)):
        features[f"{name}_mean"] = float(channel.mean())
        features[f"{name}_p95"] = _percentile(channel, 95)
    if bool(signal.any()):
        adc = (b100[signal] / b1000[signal].clamp_min(1e-3)).clamp_min(1e-3).log() / 0.9
        features["adc_median"] = float(adc.median())
        features["adc_spread"] = _percentile(adc, 90) - _percentile(adc, 10)
    return features
