"""The bundle's augmentation: channels stay aligned, and the ratio of the b-values, the diffusion, survives."""

from typing import Any

import pytest
import tiny
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose

SEEDS = range(30)


def augmentation(**changes: Any) -> Compose:
    """As configured; `Name=value` sets the probability of all transforms of that name."""
    parser = ConfigParser()
    parser.read_config(str(tiny.BUNDLE / "configs" / "train.json"))
    for entry in parser["augmentation"]["transforms"]:
        entry |= {"prob": changes[entry["_target_"]]} if entry["_target_"] in changes else {}
    return parser.get_parsed_content("augmentation")


GEOMETRY_ALONE = {"RandScaleIntensityd": 0.0, "RandShiftIntensityd": 0.0, "RandGaussianNoised": 0.0}
NO_NOISE = {"RandFlipd": 0.0, "RandAffined": 0.0, "RandGaussianNoised": 0.0}


def augmented(transforms: Compose, image: torch.Tensor, seed: int) -> torch.Tensor:
    transforms.set_random_state(seed=seed)
    done: Any = transforms({"image": image.clone(), "label": 1.0, "case_id": "a"})
    assert set(done) == {"image", "label", "case_id"}
    assert type(done["image"]) is torch.Tensor
    assert done["image"].shape == image.shape
    assert done["image"].dtype == torch.float32
    return done["image"]


def blob(place: tuple[int, int, int], spatial_shape: tuple[int, ...] = (32, 32, 12)) -> torch.Tensor:
    axes = torch.meshgrid(*(torch.arange(float(size)) for size in spatial_shape), indexing="ij")
    return torch.exp(-sum((axis - at) ** 2 for axis, at in zip(axes, place, strict=True)) / 8)


def centre(channel: torch.Tensor) -> torch.Tensor:
    axes = torch.meshgrid(*(torch.arange(float(size)) for size in channel.shape), indexing="ij")
    return torch.stack([(axis * channel).sum() / channel.sum() for axis in axes])


def test_a_landmark_moves_alike_in_all_channels() -> None:
    image = torch.stack([scale * blob((20, 12, 6)) for scale in (2.0, 1.0, 0.6, 0.3)])
    places, transforms = [], augmentation(**GEOMETRY_ALONE)
    for seed in SEEDS:
        channels = augmented(transforms, image, seed)
        places.append(centre(channels[0]))
        for channel in channels[1:]:
            torch.testing.assert_close(centre(channel), places[-1], rtol=0, atol=1e-3)
    moved = torch.stack(places) - torch.tensor([20.0, 12.0, 6.0])
    assert float(moved[:, 2].abs().max()) < 1.1  # slices are thick
    flipped = moved[:, 0] < -4  # left-right: 20 becomes 11
    assert 5 < int(flipped.sum()) < 25
    assert float(moved[:, 1].abs().max()) < 6  # up and down stay what they are
    assert float(moved[~flipped].abs().max()) > 1


def dwi(adc: tuple[float, float]) -> torch.Tensor:
    """T2 of mean 0, and b-values over one divisor, with two halves of different ADC in 1e-3 mm2/s."""
    rates = torch.full((32, 32, 12), adc[0])
    rates[16:] = adc[1]
    t2w = torch.randn(32, 32, 12, generator=torch.Generator().manual_seed(0))
    return torch.stack([t2w, *(torch.exp(-b * rates) for b in (0.1, 0.6, 1.0))])


def fitted_adc(image: torch.Tensor) -> torch.Tensor:
    return (image[1].clamp_min(1e-3) / image[3].clamp_min(1e-3)).log() / 0.9


def test_intensity_changes_leave_every_diffusion_coefficient_as_it_was() -> None:
    image = dwi((0.8, 1.6))
    factors, t2w, transforms = [], [], augmentation(**NO_NOISE)
    for seed in SEEDS:
        changed = augmented(transforms, image, seed)
        torch.testing.assert_close(fitted_adc(changed), fitted_adc(image), rtol=1e-4, atol=1e-4)
        factors.append(float(changed[1].mean() / image[1].mean()))
        t2w.append((float(changed[0].mean() - image[0].mean()), float(changed[0].std() / image[0].std())))
    assert max(factors) > 1.03
    assert min(factors) < 0.97
    assert 0.89 < min(factors) < max(factors) < 1.11
    assert max(abs(shift) for shift, _ in t2w) > 0.05
    scales = [scale for _, scale in t2w]
    assert any(abs(scale - factor) > 0.02 for scale, factor in zip(scales, factors, strict=True))  # T2 on its own


@pytest.mark.parametrize("half", [0, 1])
def test_noise_blurs_diffusion_by_less_than_what_tells_the_halves_apart(half: int) -> None:
    image = dwi((0.8, 1.6))
    part = slice(16 * half, 16 * (half + 1))
    transforms = augmentation(RandFlipd=0.0, RandAffined=0.0, RandGaussianNoised=1.0)
    errors = [fitted_adc(augmented(transforms, image, seed)) - fitted_adc(image) for seed in SEEDS]
    assert max(float(error[part].median().abs()) for error in errors) < 0.02
    assert 0.005 < max(float(error[part].std()) for error in errors) < 0.16


def test_noise_is_drawn_for_every_channel_alone() -> None:
    only = {"RandFlipd": 0.0, "RandAffined": 0.0, "RandScaleIntensityd": 0.0, "RandShiftIntensityd": 0.0}
    noise = augmented(augmentation(**only, RandGaussianNoised=1.0), torch.zeros(4, 32, 32, 12), seed=3)
    table = torch.corrcoef(noise.reshape(4, -1))
    assert float((table - torch.eye(4)).abs().max()) < 0.05
    assert float(noise[0].std()) != pytest.approx(float(noise[1].std()), rel=0.2)


def test_augmentation_is_drawn_from_its_seed_alone() -> None:
    image = dwi((0.8, 1.6))
    first = augmented(augmentation(), image, 3)
    torch.manual_seed(9)
    assert torch.equal(augmented(augmentation(), image, 3), first)
    assert not torch.equal(augmented(augmentation(), image, 4), first)
