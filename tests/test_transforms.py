"""One divisor for all b-values, and features that do not depend on the scale."""

import math
from collections.abc import Hashable

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from prostate_alm.transforms import CHANNELS, NormalizeDwid, image_features

KEYS = ("dwi_b100", "dwi_b600", "dwi_b1000")


def dwi(scale: float = 1.0) -> dict[Hashable, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    b100 = scale * (50 + 50 * torch.rand(1, 6, 5, 4, generator=generator))
    return {"dwi_b100": b100, "dwi_b600": 0.5 * b100, "dwi_b1000": 0.25 * b100, "label": torch.tensor(1.0)}


def test_all_b_values_are_divided_by_the_reference_s_percentile() -> None:
    data = dwi()
    scaled = NormalizeDwid(keys=KEYS, percentile=90.0)(data)
    divisor = float(np.percentile(data["dwi_b100"].numpy(), 90.0, method="nearest"))
    for key in KEYS:
        torch.testing.assert_close(scaled[key], data[key] / divisor)
    assert scaled["label"] is data["label"]
    assert float(data["dwi_b100"].max()) > 50  # the input stays as it was


@pytest.mark.parametrize("scale", [0.01, 3.0, 1000.0])
def test_the_scanner_s_scale_cancels_and_diffusion_survives(scale: float) -> None:
    transform = NormalizeDwid(keys=KEYS)
    plain, scaled = transform(dwi()), transform(dwi(scale))
    for key in KEYS:
        torch.testing.assert_close(scaled[key], plain[key])
    torch.testing.assert_close(scaled["dwi_b1000"] / scaled["dwi_b100"], torch.full((1, 6, 5, 4), 0.25))


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_a_reference_without_signal_is_refused(value: float) -> None:
    data = dwi() | {"dwi_b100": torch.full((1, 2, 2, 2), value)}
    with pytest.raises(ValueError, match="dwi_b100 holds no signal"):
        NormalizeDwid(keys=KEYS)(data)


def test_a_missing_b_value_is_refused() -> None:
    data = dwi()
    del data["dwi_b600"]
    with pytest.raises(KeyError, match="dwi_b600"):
        NormalizeDwid(keys=KEYS)(data)


def placed(moved_mm: float) -> dict[Hashable, torch.Tensor]:
    """b600 moved along x against the others."""
    images = dwi()
    for key in KEYS:
        affine = torch.diag(torch.tensor([2.0, 2.0, 3.0, 1.0], dtype=torch.float64))
        affine[0, 3] = moved_mm if key == "dwi_b600" else 0.0
        images[key] = MetaTensor(images[key], affine=affine)
    return images


def test_b_values_on_different_grids_are_refused() -> None:
    NormalizeDwid(keys=KEYS)(placed(0.0005))  # what single precision does to an affine
    with pytest.raises(ValueError, match="dwi_b600 and dwi_b100 lie on different grids"):
        NormalizeDwid(keys=KEYS)(placed(0.01))
    with pytest.raises(ValueError, match="dwi_b1000 and dwi_b100 lie on different grids"):
        NormalizeDwid(keys=KEYS)(dwi() | {"dwi_b1000": torch.ones(1, 6, 5, 3)})


def image(adc: float) -> torch.Tensor:
    b100 = torch.full((3, 3, 2), 0.8)
    return torch.stack([torch.randn(3, 3, 2), b100, b100 * math.exp(-0.5 * adc), b100 * math.exp(-0.9 * adc)])


@pytest.mark.parametrize("adc", [0.5, 1.2, 2.0])
def test_features_know_the_diffusion_coefficient(adc: float) -> None:
    features = image_features(image(adc))
    assert features["adc_median"] == pytest.approx(adc, rel=1e-5)
    assert features["adc_spread"] == pytest.approx(0.0, abs=1e-5)
    assert features["dwi_without_signal"] == 0.0


def test_features_of_t2_are_its_mean_and_spread() -> None:
    study = image(1.0)
    features = image_features(study)
    assert features["t2w_mean"] == pytest.approx(float(study[0].mean()), abs=1e-6)
    assert features["t2w_std"] == pytest.approx(float(study[0].std(unbiased=False)), abs=1e-6)


def test_a_study_without_diffusion_signal_has_no_diffusion_coefficient() -> None:
    study = image(1.0)
    study[1:] = 0
    features = image_features(study)
    assert features["dwi_without_signal"] == 1.0
    assert "adc_median" not in features
    assert all(math.isfinite(value) for value in features.values())


def test_the_channel_order_is_the_network_s() -> None:
    assert ("t2w", *KEYS) == CHANNELS
