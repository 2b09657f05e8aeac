"""What is told of transforms: every setting, no draw, and nothing that differs between processes."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import Compose, RandFlip, RandGaussianNoise, ScaleIntensity
from torch import nn

from prostate_alm.training.identity import plain


class Held:
    """A transform that holds a part."""

    def __init__(self, part: Any) -> None:
        self.part = part


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (RandFlip(prob=0.1), RandFlip(prob=0.2)),
        (Compose([RandFlip(), ScaleIntensity()]), Compose([ScaleIntensity(), RandFlip()])),
        (ScaleIntensity(dtype=np.float32), ScaleIntensity(dtype=np.float64)),
        (Held(torch.tensor([1.0])), Held(torch.tensor([2.0]))),
        (Held(max), Held(min)),
        (Held({"a": 1}), Held({"a": 2})),
        (None, RandFlip()),
    ],
)
def test_another_setting_is_told_otherwise(one: Any, other: Any) -> None:
    assert json.dumps(plain(one)) != json.dumps(plain(other))
    assert plain(one) == plain(one)


def test_random_states_and_addresses_are_not_told() -> None:
    told = [plain(Compose([RandGaussianNoise()]).set_random_state(seed=seed)) for seed in (1, 2)]
    assert told[0] == told[1]
    assert "0x" not in json.dumps([*told, plain(Held(nn.Linear(1, 1))), plain(Held(lambda: 0))])


def test_the_order_of_a_set_is_not_told() -> None:
    assert plain({"b", "a", "c"}) == ["a", "b", "c"]


def test_a_part_that_holds_itself_is_told_once() -> None:
    held = Held(None)
    held.part = [held]
    assert plain(held) == ["Held", [["part", ["Held"]]]]
