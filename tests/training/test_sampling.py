"""Draws are a function of seed, stage and epoch; ranks share them; balanced ones are balanced."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prostate_alm.errors import UsageError
from prostate_alm.training import CaseDataset, CaseSampler, RankSampler
from prostate_alm.training.data import Draw


def labelled(negatives: int, positives: int) -> Any:
    """As the bundle's data lists are: labels as floats."""
    data = [{"label": 0.0}] * negatives + [{"label": 1.0}] * positives

    class Labelled(SimpleNamespace):
        def __len__(self) -> int:
            return len(data)

    return Labelled(data=data)


def order(epoch: int, seed: int = 1, stage: int = 1, balanced: bool = False) -> list[Any]:
    sampler = CaseSampler(labelled(13, 7), seed=seed, stage=stage, balanced=balanced)
    sampler.set_epoch(epoch)
    return list(sampler)


@pytest.mark.parametrize("balanced", [False, True])
def test_the_sampler_shuffles_by_seed_stage_and_epoch_and_says_which(balanced: bool) -> None:
    assert order(2, balanced=balanced) == order(2, balanced=balanced)
    assert {key[0] for key in order(2, balanced=balanced)} == {2}
    others = [order(3, balanced=balanced), order(2, seed=2, balanced=balanced), order(2, stage=2, balanced=balanced)]
    for other in others:
        assert [key[1] for key in other] != [key[1] for key in order(2, balanced=balanced)]


def test_natural_draws_are_every_case_once() -> None:
    assert sorted(order(2)) == [(2, place) for place in range(20)]


@given(negatives=st.integers(1, 30), positives=st.integers(1, 30), epoch=st.integers(1, 50))
def test_balanced_draws_are_as_many_of_either_class_and_take_turns(negatives: int, positives: int, epoch: int) -> None:
    sampler = CaseSampler(labelled(negatives, positives), seed=3, stage=1, balanced=True)
    sampler.set_epoch(epoch)
    draws = list(sampler)
    assert len(draws) == len(sampler) == (negatives + positives) // 2 * 2
    times = Counter(draw[1] for draw in draws)
    for places in (range(negatives), range(negatives, negatives + positives)):
        counts = [times[place] for place in places]
        assert sum(counts) == len(draws) / 2
        assert max(counts) - min(counts) <= 1
    assert len({(draw[1], draw[2]) for draw in draws}) == len(draws)  # every repeat has a number of its own


def test_a_class_without_cases_cannot_be_balanced() -> None:
    with pytest.raises(UsageError, match="has 3 negatives and 0 positives: set balanced to false"):
        CaseSampler(labelled(3, 0), seed=0, stage=1, balanced=True)


def noisy(case: dict[str, Any]) -> dict[str, Any]:
    return {**case, "image": torch.zeros(1)}


class Noise:
    """An augmentation that shows its seed."""

    def set_random_state(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, case: dict[str, Any]) -> dict[str, Any]:
        return {**case, "seed": self.seed}


def test_a_case_that_is_drawn_again_is_augmented_anew_and_keeps_its_id() -> None:
    data = CaseDataset([{"case_id": "a"}], noisy, Noise())  # pyright: ignore[reportArgumentType]
    first, again, later = data[Draw(1, 0)], data[Draw(1, 0, repeat=1)], data[Draw(2, 0, repeat=1)]
    assert data[1, 0] == first
    assert len({first["seed"], again["seed"], later["seed"]}) == 3
    assert first["case_id"] == again["case_id"]


def test_only_a_draw_with_a_mark_puts_one_into_the_batch() -> None:
    data = CaseDataset([{"case_id": "a"}], noisy)
    assert "padding" not in data[1, 0]
    assert [data[Draw(1, 0, padding=mark)]["padding"] for mark in (True, False)] == [True, False]


@given(
    cases=st.integers(1, 40),
    ranks=st.integers(1, 5),
    share=st.integers(1, 4),
    balanced=st.booleans(),
    epoch=st.integers(1, 9),
)
def test_ranks_together_draw_the_batches_of_one_process(
    cases: int, ranks: int, share: int, balanced: bool, epoch: int
) -> None:
    data, size = labelled(cases, 2), ranks * share
    whole = CaseSampler(data, 1, 1, balanced)
    whole.set_epoch(epoch)
    wanted = list(whole)
    samplers = [RankSampler(CaseSampler(data, 1, 1, balanced), size, ranks, rank) for rank in range(ranks)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    parts = [list(sampler) for sampler in samplers]
    assert [len(part) for part in parts] == [len(sampler) for sampler in samplers]
    assert len({len(part) for part in parts}) == 1
    for number, start in enumerate(range(0, len(wanted), size)):
        batch = [draw for part in parts for draw in part[number * share : (number + 1) * share]]
        kept = [draw[:2] for draw in batch if not draw.padding]
        assert kept == [key[:2] for key in wanted[start : start + size]]
        assert {draw[:2] for draw in batch} == set(kept)  # padding is of the same batch
    assert sum(draw.padding or False for part in parts for draw in part) == -len(wanted) % size % ranks


def test_ranks_that_cannot_share_a_batch_are_refused() -> None:
    with pytest.raises(UsageError, match="3 ranks cannot share a batch of 16 evenly: make batch_size"):
        RankSampler(CaseSampler(range(40), 1, 1), 16, ranks=3, rank=0)
