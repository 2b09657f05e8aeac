from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency, chisquare
from torch.utils.data import DataLoader

from prostate_alm.cifar10.protocol import Selection
from prostate_alm.cifar10.tensors import MEAN, STD, Augmentation, CifarDataset, standardise, whole_batch

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 3, 32, 32), dtype=np.uint8)
ROWS = np.arange(5, 45)
SELECTION = Selection(ROWS + 50_000, ROWS, (ROWS % 3 == 0).astype(np.int64))


def dataset(seed: int = 1, stage: int = 1, max_shift: int = 3) -> CifarDataset:
    return CifarDataset(IMAGES, SELECTION, Augmentation(seed, stage, max_shift))


def moved(image: torch.Tensor, flip: int, down: int, right: int) -> torch.Tensor:
    """The oracle: pixel by pixel, the flip first."""
    out = torch.zeros_like(image)
    for y in range(32):
        for x in range(32):
            from_y, from_x = y - down, x - right
            if 0 <= from_y < 32 and 0 <= from_x < 32:
                out[:, y, x] = image[:, from_y, 31 - from_x if flip else from_x]
    return out


def test_plain_keys_give_the_scaled_images() -> None:
    plain = dataset().__getitems__([7, 0, 7])
    for channel in range(3):
        expected = (IMAGES[ROWS[[7, 0, 7]], channel] / 255 - MEAN[channel]) / STD[channel]
        np.testing.assert_allclose(plain["image"][:, channel], expected, atol=1e-6)
    assert plain["case_id"].tolist() == [50_012, 50_005, 50_012]
    assert plain["case_id"].dtype == torch.int64
    assert plain["label"].tolist() == [1.0, 0.0, 1.0]
    assert torch.equal(plain["image"], CifarDataset(IMAGES, SELECTION).__getitems__([7, 0, 7])["image"])


def test_a_batch_is_float32_contiguous_and_its_own() -> None:
    data = dataset()
    for keys in ([3, 4], [(1, 3), (1, 4)]):
        batch = data.__getitems__(keys)
        assert batch["image"].shape == (2, 3, 32, 32)
        assert batch["image"].dtype == torch.float32
        assert batch["image"].is_contiguous()
        before = batch["image"].clone()
        batch["image"].zero_()
        assert torch.equal(data.__getitems__(keys)["image"], before)


def test_augmented_image_is_its_image_flipped_and_moved_by_its_draws() -> None:
    data = dataset()
    keys = [(epoch, place) for epoch in (0, 1, 2) for place in (0, 3, 39, 12)]
    batch = data.__getitems__(keys)["image"]
    draws = Augmentation(1, 1).draws(np.array([e for e, _ in keys]), SELECTION.case_ids[[p for _, p in keys]])
    assert {tuple(draw) for draw in np.stack(draws, 1)} != {(0, 0, 0)}
    for row, (_, place) in enumerate(keys):
        plain = data.__getitems__([place])["image"][0]
        assert torch.equal(batch[row], moved(plain, *(int(draw[row]) for draw in draws)))


def test_batch_equals_element_by_element_in_any_company() -> None:
    data = dataset()
    keys = [(epoch, place) for epoch in (0, 9) for place in range(40)]
    batch = data.__getitems__(keys)
    for row, key in enumerate(keys):
        one = data[key]
        assert all(torch.equal(one[name], batch[name][row]) for name in ("image", "label", "case_id"))
    order = np.random.default_rng(3).permutation(len(keys))
    shuffled = data.__getitems__([keys[row] for row in order])
    assert torch.equal(shuffled["image"], batch["image"][order])


def test_draws_follow_the_case_and_not_its_place() -> None:
    places = np.array([30, 2, 11])
    fewer = CifarDataset(IMAGES, SELECTION.take(places), Augmentation(1, 1))
    some = fewer.__getitems__([(4, 0), (4, 1), (4, 2)])["image"]
    assert torch.equal(some, dataset().__getitems__([(4, 2), (4, 11), (4, 30)])["image"])


@pytest.mark.parametrize("other", [{"seed": 2}, {"stage": 2}])
def test_another_seed_stage_or_epoch_draws_anew(other: dict[str, int]) -> None:
    keys = [(0, place) for place in range(40)]
    ours = dataset().__getitems__(keys)["image"]
    assert torch.equal(ours, dataset().__getitems__(keys)["image"])
    changed = (ours != dataset(**other).__getitems__(keys)["image"]).flatten(1).any(1)
    later = (ours != dataset().__getitems__([(1, place) for _, place in keys])["image"]).flatten(1).any(1)
    # one draw in 98 repeats itself by chance
    assert changed.sum() > 35
    assert later.sum() > 35


def test_draws_are_uniform_and_independent() -> None:
    flip, down, right = Augmentation(5, 1).draws(np.repeat(np.arange(100), 500), np.tile(np.arange(500), 100))
    assert set(flip) == {0, 1}
    assert set(down) == set(right) == set(range(-3, 4))
    cells = np.bincount(flip * 49 + (down + 3) * 7 + right + 3, minlength=98)
    assert chisquare(cells).pvalue > 1e-3


@pytest.mark.parametrize("words", [((0, 1), (0, 2)), ((0, 1), (1, 1))])
def test_draws_of_neighbouring_stages_seeds_and_epochs_are_independent(words: Any) -> None:
    ids = np.arange(50_000)
    choices = []
    for (seed, stage), epoch in zip(words, (3, 4), strict=True):
        flip, down, _ = Augmentation(seed, stage).draws(epoch, ids)
        choices.append(flip * 7 + down + 3)
    table = np.bincount(choices[0] * 14 + choices[1], minlength=196).reshape(14, 14)
    assert chi2_contingency(table).pvalue > 1e-3


def test_no_generator_is_touched() -> None:
    before, ours = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    dataset().__getitems__([(0, 1), (0, 2)])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], ours)


def test_no_shift_leaves_the_flip() -> None:
    data = dataset(max_shift=0)
    plain = data.__getitems__(list(range(40)))["image"]
    augmented = data.__getitems__([(0, place) for place in range(40)])["image"]
    same = [torch.equal(a, p) for a, p in zip(augmented, plain, strict=True)]
    mirrored = [torch.equal(a, p.flip(-1)) for a, p in zip(augmented, plain, strict=True)]
    assert all(s != m for s, m in zip(same, mirrored, strict=True))
    assert 5 < sum(same) < 35


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_fetches_whole_batches(workers: int) -> None:
    data = dataset()
    batches = [[(2, 5), (2, 6), (2, 1)], [(2, 0)]]
    loader = DataLoader(data, batch_sampler=batches, collate_fn=whole_batch, num_workers=workers)
    for batch, keys in zip(loader, batches, strict=True):
        assert torch.equal(batch["image"], data.__getitems__(keys)["image"])
        assert batch["case_id"].tolist() == [50_005 + place for _, place in keys]
    assert len(data) == 40


def test_scaling_is_by_channel() -> None:
    grey = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1).repeat(3, 1)
    np.testing.assert_allclose(standardise(grey)[0, :, 0, 0], -np.array(MEAN) / STD, rtol=1e-6)
    np.testing.assert_allclose(standardise(grey)[1, :, 0, 0], (1 - np.array(MEAN)) / STD, rtol=1e-6)


def test_keys_with_an_epoch_need_an_augmentation() -> None:
    with pytest.raises(ValueError, match="no augmentation"):
        CifarDataset(IMAGES, SELECTION).__getitems__([(0, 1)])


def test_wrong_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="inhomogeneous"):
        dataset().__getitems__([(0, 1), 2])
    with pytest.raises(IndexError):
        dataset().__getitems__([(0, 40)])


@pytest.mark.parametrize("shift", [-1, 32])
def test_shift_out_of_range_is_refused(shift: int) -> None:
    with pytest.raises(ValueError, match="max_shift"):
        Augmentation(1, 1, shift)
