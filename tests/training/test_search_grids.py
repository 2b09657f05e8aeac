"""The grids of a search: the paper's, and what a file may say."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from prostate_alm.cifar10.candidates import Searched
from prostate_alm.errors import NoInputError, UsageError
from prostate_alm.losses import BASE_LOSSES
from prostate_alm.training.parameters import named, own_parameter, share_expression
from prostate_alm.training.search.choice import best
from prostate_alm.training.search.grids import Grids, load_grids


def read(tmp_path: Path, text: str) -> Grids:
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    return load_grids(path)


def test_the_reproduction_searches_the_same_grids() -> None:
    ours = Grids()
    for loss in BASE_LOSSES:
        theirs = Searched().parameters(loss.upper(), "1:9")
        if own_parameter(loss) == "weight":
            assert theirs == (3.0, 6.0, 9.0)  # the shares of N = 9
        else:
            assert theirs == ours.values(loss)
    constraints = [(one.penalty, one.growth, one.margin) for one in Searched().constraints("BCE", "1:9")]
    assert constraints == [tuple(one.values()) for one in ours.constraints()]


def test_candidates_are_overrides_of_the_bundle() -> None:
    assert Grids().parameters("bce") == [{}]
    assert Grids().parameters("a-ml") == [{"base_loss::margin": value} for value in (0.1, 0.5, 2.0, 4.0)]
    assert Grids().constraints()[0] == {"penalty": 0.2, "growth": 3.0, "margin": 1.0}
    assert [named(one["base_loss::weight"]) for one in Grids().parameters("w-bce")] == ["N/3", "2N/3", "N"]


def test_a_weight_of_n_is_the_bundle_s_own() -> None:
    """The expression is what the bundle itself says, so a share of 1 is no other training."""
    assert share_expression(Fraction(1)) == BASE_LOSSES["w-bce"]["weight"]


def test_a_file_replaces_the_grids_that_it_names(tmp_path: Path) -> None:
    text = "margin: [1, 0.5]\nweight: [2N/3, 4.5, N]\npenalty_and_growth: [[0.1, 2]]\ndelta: [2]\n"
    grids = read(tmp_path, text)
    assert grids.margin == (1.0, 0.5)
    assert grids.weight == (Fraction(2, 3), 4.5, Fraction(1))
    assert grids.constraints() == [{"penalty": 0.1, "growth": 2.0, "margin": 2.0}]
    assert (grids.gamma, grids.beta) == (Grids().gamma, Grids().beta)
    assert read(tmp_path, '{"beta": [0.9]}').beta == (0.9,)


@pytest.mark.parametrize(
    ("text", "named_there"),
    [
        ("gama: [1]", "gama is no grid"),
        ("gamma: []", "gamma is a list of at least one value"),
        ("gamma: 2", "gamma is a list of at least one value"),
        ("gamma: [two]", "'two' is not a number"),
        ("gamma: [-1]", "-1 is not a number of 0 or more"),
        ("gamma: [true]", "True is not a number"),
        ("gamma: [1, 2, 1.0]", "gamma holds a value twice"),
        ("weight: [N, 2N/2]", "weight holds a value twice"),
        ("penalty_and_growth: [[0.2, 3], [0.2, 3.0]]", "penalty_and_growth holds a value twice"),
        ("gamma: [.inf]", "inf is not a number"),
        ("weight: [N/0]", "'N/0' is not a number"),
        ("penalty_and_growth: [0.2, 3]", "list of pairs"),
        ("penalty_and_growth: [[0.2, x]]", "'x' is not a number"),
        ("[1, 2]", "holds no grids"),
        ("", "holds no grids"),
    ],
)
def test_a_grid_that_is_none_is_refused(text: str, named_there: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"grid\.yaml") as told:
        read(tmp_path, text)
    assert named_there in str(told.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match="cannot be read"):
        load_grids(tmp_path / "absent.yaml")
    with pytest.raises(NoInputError, match="cannot be read"):
        read(tmp_path, "a: [")


@pytest.mark.parametrize(
    ("aucs", "chosen"),
    [
        ({"a": [0.7], "b": [0.9], "c": [0.8]}, "b"),
        ({"a": [0.8, 0.8], "b": [0.9, 0.7], "c": [0.7, 0.9]}, "a"),  # means tie: the first
        ({"a": [0.5], "b": [0.5 + 4e-7], "c": [0.5 + 2e-6]}, "c"),  # a millionth is told apart, less is not
        ({"a": [0.5], "b": [0.5 + 4e-7]}, "a"),
    ],
)
def test_the_highest_mean_is_chosen_ties_to_the_first(aucs: dict[str, Any], chosen: str) -> None:
    assert best(list(aucs), aucs.__getitem__) == chosen
