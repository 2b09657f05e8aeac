"""The paper's tables from scores that can be counted by hand."""

import csv
import json
import math
from pathlib import Path

import pytest
from report.comparison_folders import GOOD, POOR, evaluation

from prostate_alm.metrics import paired_permutation
from prostate_alm.operating_point import Threshold
from prostate_alm.render.grid import Grid
from prostate_alm.report.comparison import (
    Comparison,
    Trained,
    compare,
    comparison_grids,
    comparison_rows,
    hyperparameter_grid,
    markdown,
    read_evaluations,
    write_comparison,
)


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    """BCE gains by ALM, MSFE loses, MBAUC has a base alone."""
    evaluation(tmp_path / "e" / "bce", "bce")
    evaluation(tmp_path / "e" / "msfe", "msfe", {"base": GOOD, "continued": POOR, "alm": POOR}, hyperparameters={})
    evaluation(tmp_path / "e" / "mbauc", "mbauc", {"base": GOOD}, hyperparameters={})
    return compare(read_evaluations([tmp_path / "e"]))


def grid(comparison: Comparison, title: str) -> Grid:
    return next(grid for grid in comparison_grids(comparison) if grid.title.startswith(title))


def cells(grid: Grid) -> dict[tuple[str, ...], list[str]]:
    """The rows by their heads but the ratio."""
    return {tuple(heads[1:]): list(cells) for heads, cells in grid.rows}


def test_table_1_has_the_paper_s_order_and_hand_counted_figures(comparison: Comparison) -> None:
    rows = cells(grid(comparison, "Table 1"))
    assert list(rows) == [
        ("alone", "BCE"), ("alone", "MSFE"), ("alone", "MBAUC"), ("continued", "BCE"), ("continued", "MSFE"),
        ("with ALM", "BCE"), ("with ALM", "MSFE"),
    ]  # fmt: skip
    assert rows["with ALM", "BCE"][::2] == ["87.50", "25.0", "0.0"]
    assert rows["alone", "BCE"][::2] == ["50.00", "100.0", "0.0"]
    assert rows["with ALM", "BCE"][3] == "0.6 to 80.6"  # Clopper-Pearson of 1 in 4
    assert rows["alone", "BCE"][3] == "39.8 to 100.0"  # of 4 in 4: 0.025 ** (1 / 4)
    assert f"{100 * 0.025**0.25:.1f}" == "39.8"
    assert {heads[0] for heads, _ in grid(comparison, "Table 1").rows} == {"natural (n1 = 2, n0 = 4)"}
    assert [head for head, _ in grid(comparison, "Table 1").groups] == ["AUC", "FPR@0FN (oracle)", "FPR@1FN (oracle)"]


def test_table_3_is_the_ensemble_beside_its_members(comparison: Comparison) -> None:
    """The members of the test are an arm's logits and the reverse: their AUCs are 7/8 and 1/8."""
    rows = cells(grid(comparison, "Table 3"))
    assert rows["with ALM", "BCE"] == ["87.50", "50.00", f"{100 * 0.75 / math.sqrt(2):.2f}", "2"]
    assert rows["alone", "BCE"] == ["50.00", "50.00", "0.00", "2"]


def test_the_gain_is_alm_minus_the_other(comparison: Comparison) -> None:
    rows = cells(grid(comparison, "Gain of ALM"))
    assert list(rows) == [("BCE", "base"), ("BCE", "continued"), ("MSFE", "base"), ("MSFE", "continued")]
    assert (rows["BCE", "base"][0], rows["BCE", "base"][4], rows["BCE", "base"][7]) == ("+37.50", "-75.0", "+0.0")
    assert (rows["MSFE", "base"][0], rows["MSFE", "base"][4]) == ("-37.50", "+75.0")
    assert rows["MSFE", "continued"][:4] == ["+0.00", "degenerate", "1.000", "1.000"]
    test = paired_permutation(GOOD, POOR, [1, 1, 0, 0, 0, 0])
    assert rows["BCE", "base"][5] == f"{test.p_value:.3f}"


def test_holm_takes_all_losses_and_both_comparisons_of_a_ratio_as_one_family(tmp_path: Path) -> None:
    evaluation(tmp_path / "a", "bce", {"base": POOR, "continued": GOOD, "alm": GOOD})
    evaluation(tmp_path / "b", "msfe", {"base": POOR, "continued": GOOD, "alm": GOOD})
    evaluation(tmp_path / "c", "bce", class_ratio="1:4")
    gains = compare(read_evaluations([tmp_path])).gains["AUC"]
    family = [gain for gain in gains if gain.evaluation.trained.class_ratio is None]
    smallest = [gain for gain in family if gain.test.p_value < 1]
    assert len(family) == 4
    assert len(smallest) == 2
    for gain in smallest:  # two equal p-values, the smallest of four tests: times 4, then kept ascending
        assert gain.adjusted.p_value == pytest.approx(min(1, 4 * gain.test.p_value))
        assert gain.adjusted.adjustment == "Holm, 4 tests"
    assert {gain.adjusted.adjustment for gain in gains if gain not in family} == {"Holm, 2 tests"}


def test_a_tie_is_not_won(comparison: Comparison) -> None:
    rows = cells(grid(comparison, "Rows won"))
    assert rows == {("AUC",): ["1 of 2", "1 of 2"], ("FPR@0FN",): ["1 of 2", "1 of 2"], ("FPR@1FN",): ["0 of 2"] * 2}


def test_table_7_names_what_was_chosen() -> None:
    given = {"margin": 0.1, "mu": 0.3, "rho": 2.0, "delta": 1.5}
    aucs = {"base": [0.5, 0.7], "continued": [0.6, 0.7], "alm": [0.8, 0.9]}
    rows = [
        Trained(None, "s-ml", 2, given, aucs),
        Trained(None, "w-bce", 2, {"weight": "2N/3"}, {"base": [0.5]}),
    ]
    assert cells(hyperparameter_grid(rows)) == {
        ("alone", "S-ML"): ["0.1", "", "", "", "", "", "", "60.00"],
        ("alone", "W-BCE"): ["", "", "2N/3", "", "", "", "", "50.00"],
        ("continued", "S-ML"): ["0.1", "", "", "", "", "", "", "65.00"],
        ("with ALM", "S-ML"): ["0.1", "", "", "", "0.3", "2", "1.5", "85.00"],
    }


def test_figures_that_are_undefined_say_so(tmp_path: Path) -> None:
    """With a single positive there is no FPR with one missed."""
    labels = (1, 0, 0, 0, 0, 0)
    evaluation(tmp_path / "a", "bce", labels=labels)
    found = compare(read_evaluations([tmp_path]))
    assert cells(grid(found, "Table 1"))["alone", "BCE"][4:] == ["undefined", ""]
    assert cells(grid(found, "Gain"))["BCE", "base"][7:] == ["undefined"] * 3
    assert cells(grid(found, "Rows won"))[("FPR@1FN",)] == ["0 of 0", "0 of 0"]


def test_a_locked_threshold_has_a_table_of_its_own(comparison: Comparison, tmp_path: Path) -> None:
    """At 1.75 the ALM arm misses the positive of 1.5 and calls the negative of 2.0."""
    threshold = Threshold(1.75, "certified", 0.1, 0.1, 22, 1)
    evaluation(tmp_path / "e" / "s-ml", "s-ml", threshold=threshold)
    found = compare(read_evaluations([tmp_path / "e"]))
    table = grid(found, "At the locked threshold")
    assert [head for head, _ in table.groups] == ["sensitivity (locked)", "FPR (locked)", "FN rate (locked)"]
    bound = f"{100 * (1 - (1 - 0.95**0.5)):.1f}"  # of 1 missed in 2: P(at most 1) = 1 - p^2 = 0.05
    assert bound == "97.5"
    assert cells(table) == {
        ("with ALM", "S-ML"): ["50.0", "1.3 to 98.7", "25.0", "0.6 to 80.6", "50.0", f"0.0 to {bound}"],
    }
    assert [row["value"] for row in comparison_rows(found) if row["kind"] == "locked"] == [0.5, 0.75, 0.25, 0.5]
    said = "No locked threshold came with any row"
    assert said not in grid(found, "Table 1").note
    assert said in grid(comparison, "Table 1").note
    assert not [one for one in comparison_grids(comparison) if "locked" in one.title]


def test_an_interval_that_is_none_says_so(tmp_path: Path) -> None:
    """Perfect scores have no variance; of a single positive there is none to be had."""
    evaluation(tmp_path / "a", "bce", {"base": (3, 2, 1, 0, 0, -1)})
    evaluation(tmp_path / "b", "bce", {"base": (3, 2, 1, 0, 0, 4)}, labels=(1, 0, 0, 0, 0, 0), class_ratio="1:5")
    found = {heads[0]: cells for heads, cells in grid(compare(read_evaluations([tmp_path])), "Table 1").rows}
    assert found["natural (n1 = 2, n0 = 4)"][:2] == ["100.00", "degenerate"]
    assert found["1:5 (n1 = 1, n0 = 5)"][:2] == ["80.00", "none"]


def test_an_evaluation_without_members_has_no_table_3(tmp_path: Path) -> None:
    path = evaluation(tmp_path / "a") / "predictions.csv"
    lines = [line.split(",")[:4] for line in path.read_text().splitlines()]
    path.write_text("\n".join(",".join(line) for line in lines) + "\n")
    titles = [grid.title for grid in comparison_grids(compare(read_evaluations([tmp_path])))]
    assert [title for title in titles if title.startswith("Table")] == [
        "Table 1: test figures", "Table 7: hyper-parameters",
    ]  # fmt: skip


def test_the_long_form_holds_every_figure_with_its_interval_and_cases(comparison: Comparison, tmp_path: Path) -> None:
    page = write_comparison(tmp_path / "out", comparison)
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "comparison.csv", "comparison.html", "comparison.json", "comparison.md",
    ]  # fmt: skip
    with (tmp_path / "out" / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(row["loss"], row["arm"], row["figure"], row["against"]): row for row in rows}
    assert len(found) == len(rows)
    one = found["bce", "alm", "FPR@0FN", ""]
    assert (one["value"], one["n1"], one["n0"], one["kind"]) == ("0.25", "2", "4", "oracle")
    assert float(one["low"]) == pytest.approx(1 - 0.975**0.25)
    assert "conditional on the threshold" in one["method"]
    gain = found["bce", "alm", "AUC difference", "continued"]
    assert (gain["value"], gain["class_ratio"]) == ("0.375", "natural")
    assert 0 <= float(gain["p_value"]) <= float(gain["p_holm"]) <= 1
    assert gain["method"] == "paired DeLong; adjustment: Holm, 4 tests"
    assert float(found["bce", "base", "member AUC, mean", ""]["value"]) == 0.5
    assert found["bce", "alm", "mu", ""]["value"] == "0.2"
    assert ("bce", "base", "mu", "") not in found
    stored = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert stored["rows"] == comparison_rows(comparison)


def test_the_page_stands_alone_and_escapes(tmp_path: Path) -> None:
    evaluation(tmp_path / "a", "<b>loss</b>", notice="synthetic <script>")
    found = compare(read_evaluations([tmp_path]))
    page = write_comparison(tmp_path / "out", found).read_text()
    assert "synthetic &lt;script&gt;" in page
    assert "&lt;B&gt;LOSS&lt;/B&gt;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "Research software, not a medical device" in page
    assert "**synthetic <script>**" in markdown(found)
