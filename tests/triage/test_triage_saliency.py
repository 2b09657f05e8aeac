"""What the map shows is known beforehand: networks whose logit depends on one place only."""

import math

import nibabel
import numpy as np
import pytest
import torch
from torch import nn

from prostate_alm.bundle import Predictor, find_bundle
from prostate_alm.studies import Volume
from prostate_alm.triage import saliency as room
from prostate_alm.triage.saliency import image_affine, occlusion, passes, saliency

PLACE_MM = np.array([14.0, -9.0, 5.0])
"""Where the one bright spot of the diffusion is, RAS."""
NEAR_MM = 7.0
"""Half a diagonal of the boxes' steps of 8 mm; a wrong side or axis is 14 mm off at least."""


class Brightest(nn.Module):
    """The logit is the brightest voxel of b1000."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, image):
        self.seen += len(image)
        return image[:, 3].flatten(1).amax(dim=1, keepdim=True)


class Box(nn.Module):
    """The logit is the mean of one channel within a box."""

    def __init__(self, channel, box):
        super().__init__()
        self.channel, self.box = channel, box

    def forward(self, image):
        return image[:, self.channel][:, *self.box].flatten(1).mean(dim=1, keepdim=True)


class Negated(nn.Sequential):
    """Another network's logit, turned round."""

    def forward(self, image):
        return -super().forward(image)


def bright_box(shape, channel, box):
    image = torch.rand(4, *shape, generator=torch.Generator().manual_seed(0)) * 0.1
    image[channel][box] += 5
    return image


@pytest.mark.parametrize("channel", [0, 2])
@pytest.mark.parametrize("box", [(slice(3, 6), slice(12, 15), slice(2, 4)), (slice(13, 16), slice(0, 3), slice(6, 8))])
def test_the_map_is_highest_where_the_network_looks(channel, box):
    shape = (18, 16, 8)
    fall = occlusion(Box(channel, box), bright_box(shape, channel, box), (4, 4, 2))
    assert fall.shape == shape
    place = np.unravel_index(int(fall.argmax()), shape)
    assert all(side.start - 1 <= index <= side.stop for index, side in zip(place, box, strict=True))
    far = torch.ones(shape, dtype=torch.bool)
    far[tuple(slice(max(0, side.start - 4), side.stop + 4) for side in box)] = False
    assert float(fall[far].abs().max()) < 1e-5 < float(fall.max())


def test_what_speaks_against_dce_is_negative():
    box = (slice(6, 9), slice(6, 9), slice(2, 4))
    image, network = bright_box((16, 16, 6), 3, box), Box(3, box)
    fall = occlusion(Negated(network), image, (6, 6, 4))
    assert torch.allclose(fall, -occlusion(network, image, (6, 6, 4)), atol=1e-5)
    assert float(fall.min()) < -1
    assert float(fall.max()) < 0.5


def test_a_box_keeps_the_brightness_around_it():
    """The mean of a flat image does not change, whatever is blurred: nothing is set to zero."""
    flat = torch.full((4, 16, 16, 6), 3.0)
    inside = occlusion(Box(1, (slice(0, 16),) * 2 + (slice(0, 6),)), flat, (4, 4, 2))[4:-4, 4:-4, 2:-2]
    assert float(inside.abs().max()) < 0.02


@pytest.mark.parametrize(
    ("shape", "mask"), [((16, 16, 6), (4, 4, 2)), ((18, 15, 7), (5, 4, 3)), ((8, 8, 4), (8, 8, 4))]
)
def test_the_number_of_passes_is_known_beforehand(shape, mask):
    network = Brightest()
    occlusion(network, torch.rand(4, *shape), mask)
    assert network.seen - 1 == passes(shape, mask)  # and one of the whole image


@pytest.fixture(scope="module")
def predictor():
    return Predictor.load(find_bundle("prostate_dce_classification"))


def spot(shape, affine, height, width_mm=5.0):
    """A smooth body with a bright spot at PLACE_MM."""
    places = np.stack(np.meshgrid(*(np.arange(length) for length in shape), indexing="ij"), axis=-1)
    there = places @ affine[:3, :3].T + affine[:3, 3]
    distance = np.linalg.norm(there - PLACE_MM, axis=-1)
    return (100 + height * np.exp(-((distance / width_mm) ** 2))).astype(np.float32)


def placed(matrix, shape):
    """An affine whose grid has its middle in the middle of the patient."""
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine


def turned(degrees):
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


LAYOUTS = {
    "as DICOM has it": (np.diag([-1.0, -1.0, 3.0]), np.diag([-2.0, -2.0, 3.0])),
    "flipped": (np.diag([1.0, -1.0, -3.0]), np.diag([-2.0, 2.0, 3.0])),
    "oblique": (turned(12) @ np.diag([-1.0, -1.0, 3.0]), np.diag([-2.0, -2.0, 3.0])),
}


def volumes(layout):
    t2w_matrix, dwi_matrix = LAYOUTS[layout]
    shapes = {"t2w": (80, 72, 14)} | {f"dwi_b{b}": (44, 40, 14) for b in (100, 600, 1000)}
    noise = np.random.default_rng(0)
    made = {}
    for name, shape in shapes.items():
        affine = placed(t2w_matrix if name == "t2w" else dwi_matrix, shape)
        voxels = spot(shape, affine, 200 if name == "dwi_b1000" else 0)
        made[name] = Volume(voxels + noise.normal(0, 1, shape).astype(np.float32), affine)
    return made


def image_of(predictor, made, folder):
    return predictor.image({name: volume.save(folder / f"{name}.nii") for name, volume in made.items()})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_map_lies_on_t2_in_millimetres(predictor, tmp_path, monkeypatch, layout):
    monkeypatch.setattr(predictor, "network", Brightest())
    made = volumes(layout)
    shown = saliency(predictor, image_of(predictor, made, tmp_path), made)
    assert np.linalg.norm(np.array(shown.peak_mm) - PLACE_MM) < NEAR_MM
    t2w = made["t2w"]
    assert shown.volume.voxels.shape == t2w.voxels.shape
    assert np.array_equal(shown.volume.affine, t2w.affine)
    path = shown.volume.save(tmp_path / "map.nii.gz")
    stored = nibabel.load(path)
    index = np.unravel_index(int(np.argmax(stored.get_fdata())), stored.shape)
    assert np.linalg.norm((stored.affine @ [*index, 1])[:3] - PLACE_MM) < NEAR_MM
    assert shown.highest > 0.1


def test_outside_what_the_network_sees_the_map_is_zero(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(predictor, "network", Brightest())
    made = volumes("as DICOM has it")
    shown = saliency(predictor, image_of(predictor, made, tmp_path), made)
    far = np.abs(np.arange(80) - 39.5) > 34  # the bundle's image is 64 mm wide, the T2 80 mm
    assert np.all(shown.volume.voxels[far] == 0)


def test_neither_network_nor_image_is_changed(predictor, tmp_path):
    made = volumes("as DICOM has it")
    image = image_of(predictor, made, tmp_path)
    before, weights = image.clone(), {name: value.clone() for name, value in predictor.network.state_dict().items()}
    logit = predictor.logit(image)
    occlusion(predictor.network, image, (16, 16, 6))
    assert predictor.logit(image) == logit
    assert torch.equal(image, before)
    assert not predictor.network.training
    assert all(torch.equal(value, weights[name]) for name, value in predictor.network.state_dict().items())


def test_volumes_that_do_not_give_the_image_are_refused(predictor, tmp_path):
    made = volumes("as DICOM has it")
    image = image_of(predictor, made, tmp_path)
    with pytest.raises(ValueError, match="do not give this image"):
        image_affine(predictor, image + 1, made)


@pytest.mark.parametrize(
    ("shape", "expected"), [((32, 32, 12), 16.0), ((96, 96, 24), 16.0), ((128, 128, 24), 24.0), ((160, 160, 24), 32.0)]
)
def test_the_mask_is_as_fine_as_the_budget_allows(predictor, monkeypatch, shape, expected):
    """A convolution of 4 channels by 125 weights costs 1000 operations per voxel: one multiplication, one addition."""
    monkeypatch.setattr(predictor, "network", nn.Conv3d(4, 1, 5, padding=2))
    spacing = np.array([2.0, 2.0, 3.0])
    assert room._affordable_mask(predictor, torch.zeros(4, *shape), spacing) == expected
    costs = {
        mask: math.prod(shape) * 1000 * passes(shape, room._voxels(mask, torch.zeros(4, *shape), spacing))
        for mask in room.MASKS_MM
    }
    assert costs[expected] <= room.BUDGET["cpu"]
    assert all(cost > room.BUDGET["cpu"] for mask, cost in costs.items() if mask < expected)


def test_the_coarsest_mask_is_taken_whatever_it_costs(predictor, monkeypatch):
    monkeypatch.setattr(room, "BUDGET", {"cpu": 0.0})
    assert room._affordable_mask(predictor, torch.zeros(4, 32, 32, 12), np.array([2.0, 2.0, 3.0])) == 48.0


def test_the_peak_is_the_middle_of_its_plateau():
    voxels = np.zeros((12, 10, 8), np.float32)
    voxels[3:6, 2:7, 1:4], voxels[8:10, 2:7, 1:4] = 1.0, 0.9
    assert room._peak(Volume(voxels, np.diag([2.0, 1.0, 3.0, 1.0]))) == (8.0, 4.0, 6.0)
