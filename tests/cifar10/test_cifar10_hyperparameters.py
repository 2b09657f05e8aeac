import pytest
from cifar10.ensembles import drawn

from prostate_alm.cifar10.hyperparameters import choice_grid, choices, weight_name

CONSTRAINT = {"penalty": 0.3, "growth": 3.0, "margin": 1.5}


def named(rows):
    return {(row.loss, row.name): (row.paper, row.ours) for row in rows}


def test_paper_and_ours_stand_side_by_side_in_one_way_of_writing():
    details = {"parameter": 2 / 3, "validation_aucs": [0.9, 0.92]}
    rows = choices(
        [
            drawn("base", "W-BCE", details=details),
            drawn("alm", "W-BCE", details=details | {"constraint": CONSTRAINT, "penalties_reached": [0.3, 8.1, None]}),
        ]
    )
    assert named(rows) == {
        ("W-BCE", "weight"): ("N/3", "N/3"),
        ("W-BCE", "mu"): ("0.3", "0.3"),
        ("W-BCE", "rho"): ("4", "3"),
        ("W-BCE", "delta"): ("1", "1.5"),
        ("W-BCE", "highest_mu"): ("", "8.1"),
        ("W-BCE", "validation_auc_base"): ("", "91.00"),
        ("W-BCE", "validation_auc_alm"): ("", "91.00"),
    }


@pytest.mark.parametrize(
    ("loss", "parameter", "expected"),
    [
        ("S-ML", 4.0, {"margin": ("0.1", "4")}),
        ("CB-BCE", 0.9999, {"beta": ("0.99", "0.9999")}),
        ("A-FL", None, {"gamma": ("4", "")}),
        ("BCE", None, {}),
        ("MBAUC", None, {}),
    ],
)
def test_a_loss_has_its_own_parameter_or_none(loss, parameter, expected):
    rows = choices([drawn("base", loss, details={"parameter": parameter})])
    assert {row.name: (row.paper, row.ours) for row in rows if row.name not in ("mu", "rho", "delta")} == expected
    assert {row.ours for row in rows if row.name in ("mu", "rho", "delta")} == (set() if loss == "MBAUC" else {""})


def test_rows_come_in_the_papers_order_of_one_class_pair_and_only_where_there_is_a_result():
    runs = [drawn("base", ratio="1:19"), drawn("continued", "S-ML"), drawn("base"), drawn("base", classes=(6, 7))]
    grid = choice_grid(choices(runs))
    assert [heads for heads, _ in grid.rows] == [("1:2", "BCE"), ("1:2", "S-ML"), ("1:19", "BCE")]
    assert choices([]) == []


def test_another_class_pair_has_ours_alone():
    runs = [drawn("base", "S-ML", details={"parameter": 4.0}), drawn("base", "S-FL", classes=(6, 7))]
    runs.append(drawn("alm", "S-FL", classes=(6, 7), details={"parameter": 2.0, "constraint": CONSTRAINT}))
    rows = choices(runs, (6, 7))
    assert named(rows) == {
        ("S-FL", "gamma"): ("", "2"),
        ("S-FL", "mu"): ("", "0.3"),
        ("S-FL", "rho"): ("", "3"),
        ("S-FL", "delta"): ("", "1.5"),
    }
    grid = choice_grid(rows, (6, 7))
    assert grid.title == "Table 8: hyper-parameters, classes 6 and 7"
    assert "prints none for these classes" in grid.note
    assert "prints none" not in choice_grid(choices(runs)).note


def test_weights_are_named_by_the_class_ratio():
    assert [weight_name(w, "1:19") for w in (19 / 3, 38 / 3, 19.0, 18.0)] == ["N/3", "2N/3", "N", "18"]
