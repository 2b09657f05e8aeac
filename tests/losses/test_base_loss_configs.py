"""The names of the base losses as a bundle and a user find them, and the counts of a training set."""

import copy
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

import prostate_alm
from prostate_alm import losses
from prostate_alm.losses import BASE_LOSSES, NEVER_CONSTRAINED, class_counts


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("bce", "BCELoss()"),
        ("s-ml", "SymmetricMarginLoss(margin=0.5)"),
        ("s-fl", "SymmetricFocalLoss(gamma=2.0)"),
        ("a-ml", "AsymmetricMarginLoss(margin=0.5)"),
        ("a-fl", "AsymmetricFocalLoss(gamma=2.0)"),
        ("w-bce", "WeightedBCELoss(weight=9.0)"),
        ("cb-bce", "ClassBalancedBCELoss(class_counts=(90, 10), beta=0.99)"),
        ("msfe", "MSFELoss()"),
        ("mbauc", "MBAUCLoss()"),
    ],
)
@pytest.mark.parametrize("counts", [[90, 10], "$prostate_alm.losses.class_counts([0] * 90 + [1] * 10)"])
def test_a_bundle_builds_every_loss(name: str, wanted: str, counts: Any) -> None:
    config = json.loads(json.dumps(BASE_LOSSES[name]))  # as a config file holds it
    parser = ConfigParser({"imports": ["$import prostate_alm"], "class_counts": counts, "base_loss": config})
    loss = parser.get_parsed_content("base_loss")
    assert repr(loss) == wanted
    assert bool(loss(torch.zeros(2, 1), torch.tensor([[1.0], [0.0]])).isfinite())


def test_the_names_are_the_paper_s() -> None:
    assert list(BASE_LOSSES) == ["bce", "s-ml", "s-fl", "a-ml", "a-fl", "w-bce", "cb-bce", "msfe", "mbauc"]
    assert {"mbauc"} == NEVER_CONSTRAINED


def test_an_override_in_a_copy_leaves_the_names_alone() -> None:
    before = copy.deepcopy(dict(BASE_LOSSES))
    parser = ConfigParser({"base_loss": dict(BASE_LOSSES["s-ml"])})
    parser["base_loss::margin"] = 4.0
    assert parser.get_parsed_content("base_loss").margin == 4.0
    assert before == BASE_LOSSES


def test_every_loss_is_found_at_the_top() -> None:
    classes = [name for name in losses.__all__ if name.endswith("Loss")]
    assert len(classes) == len(BASE_LOSSES) + 1  # and ALMLoss
    for name in classes:
        assert getattr(prostate_alm, name) is getattr(losses, name)
        assert name in dir(prostate_alm)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 0, 0, 1],
        (0.0, 1.0, 0.0, 0.0, 1.0),
        (label for label in (0, 1, 0, 0, 1)),
        [False, True, False, False, True],
        torch.tensor([0, 1, 0, 0, 1]),
        torch.tensor([[0.0], [1.0], [0.0], [0.0], [1.0]], requires_grad=True),
        torch.tensor([False, True, False, False, True]),
        list(torch.tensor([0, 1, 0, 0, 1])),
        np.array([0, 1, 0, 0, 1], dtype=np.uint8),
        np.array([[0.0], [1.0], [0.0], [0.0], [1.0]]),
        list(np.array([0, 1, 0, 0, 1])),
    ],
)
def test_a_training_set_is_counted(labels: Iterable[float]) -> None:
    counts = class_counts(labels)
    assert counts == (3, 2)
    assert all(type(count) is int for count in counts)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 0, 0], "a training set needs both classes, got 3 negatives and 0 positives"),
        (torch.ones(2), "a training set needs both classes, got 0 negatives and 2 positives"),
        ([], "a training set needs both classes, got 0 negatives and 0 positives"),
        ([0, 1, 2], "labels must be 0 or 1, got 2"),
        (np.array([0.0, np.nan, 1.0]), "labels must be 0 or 1, got nan"),
        (torch.tensor([0.5, -1.0, 1.0]), r"labels must be 0 or 1, got 0\.5, -1\.0"),
        (["0", "1", None], "labels must be 0 or 1, got 0, 1, None"),
        (range(9), "labels must be 0 or 1, got 2, 3, 4 and 4 more"),
    ],
)
def test_labels_that_cannot_be_counted_are_rejected(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        class_counts(labels)
