"""Ensembles that two sets share, trained twice."""

from pathlib import Path

import numpy as np
import pytest
from cifar10.ensembles import drawn

from prostate_alm.cifar10.repeats import repeats
from prostate_alm.cifar10.results import ArmResult, save_result
from prostate_alm.cifar10.sets import read_sets
from prostate_alm.metrics import auc

FIRST = {"weights_sha256": ["a", "b"], "parameter": 1.0, "constraint": None, "environment": "e", "machine": "one"}
SECOND = FIRST | {"weights_sha256": ["c", "d"], "machine": "other"}


def sets_of(folder: Path, paper: list[ArmResult], search: list[ArmResult]):
    for name, results in (("paper", paper), ("search", search)):
        for number, result in enumerate(results):
            save_result(folder / name / f"{number}.npz", result, key="k")
    return read_sets(folder)


def test_both_figures_and_the_gain_of_the_second_are_told(tmp_path: Path):
    one, two = drawn("base", details=FIRST), drawn("base", details=SECOND, shift=2.5)
    assert not np.array_equal(one.test_logits, two.test_logits)
    (grid,) = repeats(sets_of(tmp_path, [one], [two]))
    assert grid.title == "Table 2, trained twice: airplane and automobile"
    ((heads, cells),) = grid.rows
    assert heads == ["1:2", "BCE", "base"]
    values = [100 * auc(*result.thinned()).value for result in (one, two)]
    assert cells[:3] == [f"{values[0]:.2f}", f"{values[1]:.2f}", f"{values[1] - values[0]:+.2f}"]
    assert float(cells[5]) == pytest.approx(float(cells[3]) - float(cells[4]), abs=0.11)  # a rate gains by falling
    assert cells[-2:] == ["one", "other"]
    assert (
        f"How much 1 arms (1 base) changed, without sign: AUC median {abs(values[1] - values[0]):.2f}, largest"
        in grid.note
    )
    assert "gains over base" not in grid.note
    assert "MBAUC" not in grid.note


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": ["a", "b"]},  # the same weights
        {"weights_sha256": ["c", "b"]},  # of one member
        {"weights_sha256": []},  # not known
        {"parameter": 2.0},
        {"constraint": {"penalty": 0.2, "growth": 3.0, "margin": 1.0}},
        {"common": {"max_epochs": 12}},
        {"environment": "f"},
        {"scale": {"training": 60, "validation": 100, "test": 1000}},
        {"constrained_epochs": 8},
    ],
)
def test_what_is_the_same_ensemble_or_another_training_is_no_repeat(tmp_path: Path, change: dict):
    assert repeats(sets_of(tmp_path, [drawn("base", details=FIRST)], [drawn("base", details=SECOND | change)])) == []


def test_arms_of_one_set_alone_are_passed_over(tmp_path: Path):
    first = [drawn("base", details=FIRST), drawn("alm", details=FIRST), drawn("base", "MSFE", details=FIRST)]
    second = [drawn("alm", details=SECOND), drawn("base", "S-ML", details=SECOND)]
    (grid,) = repeats(sets_of(tmp_path, first, second))
    assert [heads for heads, _ in grid.rows] == [["1:2", "BCE", "alm"]]
    assert repeats(sets_of(tmp_path / "alone", first, [])) == []


@pytest.mark.parametrize("change", [{"seed": 1}, {"member_aucs": (0.8,)}, {"classes": (6, 7)}])
def test_another_seed_size_or_class_pair_is_no_repeat(tmp_path: Path, change: dict):
    second = drawn("base", details=SECOND, **change)
    assert repeats(sets_of(tmp_path, [drawn("base", details=FIRST)], [second])) == []


def test_how_much_a_gain_changed_is_told_where_both_arms_were_trained_twice(tmp_path: Path):
    first = [drawn("base", details=FIRST), drawn("alm", details=FIRST), drawn("alm", "MSFE", details=FIRST)]
    second = [drawn(one.arm, one.loss, details=SECOND, shift=2.0 + place) for place, one in enumerate(first)]
    first.append(drawn("base", "MBAUC", details=FIRST))
    second.append(drawn("base", "MBAUC", details=SECOND, shift=0.0))  # far off, and not counted
    (grid,) = repeats(sets_of(tmp_path, first, second))
    assert len(grid.rows) == 4
    (base_one, alm_one), (base_two, alm_two) = (
        [100 * auc(*result.thinned()).value for result in both[:2]] for both in (first, second)
    )
    changed = abs((alm_two - base_two) - (alm_one - base_one))
    assert f"How much 1 gains over base changed, without sign: AUC median {changed:.2f}, largest {changed:.2f}" in (
        grid.note
    )
    assert "How much 3 arms (1 base, 2 alm) changed" in grid.note
    assert "MBAUC, which is never constrained, is not counted" in grid.note
