"""A training as a value: its key, its start and the bundle's overrides."""

from dataclasses import replace

import pytest

from prostate_alm.cifar10.protocol import Scale
from prostate_alm.cifar10.trainings import Constraint, Training

ENVIRONMENT = {"data": "a", "code": "b"}
BASE = Training("S-ML", "1:9", member=3, parameter=0.5, common=(("max_epochs", 7), ("patience", 2)))
ALM = replace(BASE, arm="alm", constraint=Constraint(0.3, 4.0, 1.5), constrained_epochs=5)


def test_a_base_starts_from_nothing_and_every_other_arm_from_its_base():
    assert BASE.start is None
    start = ALM.start
    assert start is not None
    assert start.key(ENVIRONMENT) == BASE.key(ENVIRONMENT)
    assert replace(BASE, arm="continued").start == BASE


@pytest.mark.parametrize(
    "other",
    [
        replace(ALM, loss="A-ML"),
        replace(ALM, class_ratio="1:2"),
        replace(ALM, member=4),
        replace(ALM, arm="continued", constraint=None),
        replace(ALM, classes=(6, 7)),
        replace(ALM, seed=1),
        replace(ALM, scale=Scale(20, 10, 40)),
        replace(ALM, parameter=2.0),
        replace(ALM, constraint=Constraint(0.3, 4.0, 1.0)),
        replace(ALM, common=()),
        replace(ALM, constrained_epochs=6),
    ],
)
def test_whatever_determines_the_numbers_changes_the_key(other: Training):
    assert other.key(ENVIRONMENT) != ALM.key(ENVIRONMENT)
    assert ALM.key(ENVIRONMENT | {"code": "c"}) != ALM.key(ENVIRONMENT)


def test_the_length_of_the_second_stage_does_not_change_a_base():
    assert replace(BASE, constrained_epochs=9).key(ENVIRONMENT) == BASE.key(ENVIRONMENT)


def test_overrides_name_the_loss_its_parameter_and_the_lengths():
    told = BASE.overrides()
    assert told["base_loss"] == {"_target_": "prostate_alm.losses.SymmetricMarginLoss", "margin": 0.5}
    assert (told["max_epochs"], told["patience"], told["member"]) == (7, 2, 3)
    assert "penalty" not in told


def test_the_second_stage_is_never_stopped_early_and_has_its_own_length():
    told = ALM.overrides()
    assert (told["max_epochs"], told["patience"]) == (5, None)
    assert (told["penalty"], told["growth"], told["margin"]) == (0.3, 4.0, 1.5)
    assert "max_epochs" not in replace(ALM, constrained_epochs=None).overrides()
