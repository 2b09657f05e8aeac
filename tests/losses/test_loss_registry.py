"""The names that a bundle's config uses, and the counts that it hands over."""

import math
from collections.abc import Iterable
from copy import deepcopy

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from torch.nn.modules.loss import _Loss

from prostate_alm import losses
from prostate_alm.losses import BASE_LOSSES, NEVER_CONSTRAINED, class_counts


def resolved(name: str) -> _Loss:
    parser = ConfigParser({"class_counts": [300, 150], "base_loss": deepcopy(BASE_LOSSES[name])})
    return parser.get_parsed_content("base_loss")


@pytest.mark.parametrize("name", BASE_LOSSES)
def test_the_config_gives_a_loss(name: str) -> None:
    value = resolved(name)(torch.tensor([[0.5], [-1.0], [2.0]]), torch.tensor([[1.0], [0.0], [0.0]]))
    assert value.shape == ()
    assert bool(value.isfinite() & (value > 0))


def test_the_config_takes_its_parameters_from_the_class_counts() -> None:
    assert repr(resolved("w-bce")) == "WeightedBCELoss(weight=2.0)"
    assert repr(resolved("cb-bce")) == "ClassBalancedBCELoss(class_counts=(300, 150), beta=0.99)"


def test_every_base_loss_has_one_name() -> None:
    classes = [f"prostate_alm.losses.{name}" for name in losses.__all__ if name.endswith("Loss") and name != "ALMLoss"]
    assert sorted(entry["_target_"] for entry in BASE_LOSSES.values()) == sorted(classes)
    assert len(classes) == 9


def test_only_known_losses_are_never_constrained() -> None:
    assert frozenset(BASE_LOSSES) >= NEVER_CONSTRAINED == {"mbauc"}


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 0, 0],
        (False, True, False, False),
        iter([0.0, 1.0, 0.0, 0.0]),
        {"a": 0, "b": 1, "c": 0, "d": 0}.values(),
        np.array([0, 1, 0, 0], dtype=np.uint8),
        np.array([[0.0], [1.0], [0.0], [0.0]]),
        torch.tensor([0, 1, 0, 0]),
        torch.tensor([[False], [True], [False], [False]]),
        torch.tensor([0, 1, 0, 0], dtype=torch.bfloat16),
        list(torch.tensor([0, 1, 0, 0])),
    ],
)
def test_class_counts_of_anything_that_holds_labels(labels: Iterable[float]) -> None:
    counts = class_counts(labels)
    assert counts == (3, 1)
    assert [type(count) for count in counts] == [int, int]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "a training set needs both classes, got 0 negatives and 0 positives"),
        ([0, 0], "a training set needs both classes, got 2 negatives and 0 positives"),
        (np.ones(3), "a training set needs both classes, got 0 negatives and 3 positives"),
        (torch.zeros(0), "a training set needs both classes, got 0 negatives and 0 positives"),
        ([0, 1, 2, 3, 2, -1, 5], "labels must be 0 or 1, got 2, 3, -1 and 1 more"),
        (torch.tensor([0, 1, math.nan, 0.5]), "labels must be 0 or 1, got nan, 0.5$"),
        (np.array([math.inf, 0, 1]), "labels must be 0 or 1, got inf$"),
    ],
)
def test_labels_that_cannot_be_counted_are_rejected(labels: Iterable[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_counts(labels)
