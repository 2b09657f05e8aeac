import csv
from pathlib import Path

import numpy as np
import pytest
from cifar10.ensembles import table_rows
from sklearn.metrics import roc_auc_score

from prostate_alm.cifar10.protocol import Protocol
from prostate_alm.cifar10.published import paper_rows
from prostate_alm.cifar10.results import ArmResult
from prostate_alm.cifar10.tables import row_grid, table_grid
from prostate_alm.errors import UsageError

BALANCED = Protocol(seed=2).test_set(np.arange(10_000) % 10).balanced


def result(arm: str = "base", loss: str = "BCE", ratio: str = "1:2", **changes: object) -> ArmResult:
    seed = sum(map(ord, arm + loss + ratio))
    logits = np.random.default_rng(seed).normal(1.5 * BALANCED.labels).astype(np.float32)
    named = {"seed": 2, "member_aucs": (0.8, 0.9), "classes": (0, 1)} | changes
    return ArmResult(ratio, loss, arm, logits, BALANCED.labels, BALANCED.case_ids, **named)


def fpr_oracle(logits: np.ndarray, labels: np.ndarray, tpr: float) -> float:
    """Lower the threshold one positive at a time until enough are found."""
    positives = np.sort(logits[labels == 1])[::-1]
    threshold = next(p for n, p in enumerate(positives, start=1) if n >= tpr * len(positives) - 1e-9)
    return 100 * float(np.mean(logits[labels == 0] >= threshold))


@pytest.mark.parametrize(("table", "first"), [(2, "94.67"), (5, "95.38"), (6, "94.82")])
def test_paper_tables_are_complete(table: int, first: str) -> None:
    rows = paper_rows(table)
    assert len(rows) == 51
    assert rows[0]["auc"] == first


def test_paper_tables_are_those_of_the_shared_folder(shared: Path) -> None:
    for path in sorted((shared / "paper").glob("table*.csv")):
        with path.open() as file:
            assert paper_rows(int(path.name[5])) == list(csv.DictReader(file))


def test_figures_agree_with_their_oracles_on_the_drawn_positives() -> None:
    run = result("alm", "A-FL", "1:9")
    found = {row.figure: row for row in table_rows([run])}
    draws = [
        run.test_logits[np.isin(BALANCED.case_ids, draw.case_ids)]
        for draw in Protocol(class_ratio="1:9", seed=2).draws(BALANCED)
    ]
    labels = np.isin(draws[0], run.test_logits[BALANCED.labels == 1]).astype(int)
    assert np.bincount(labels).tolist() == [1000, 111]
    assert found["auc"].ours == pytest.approx(100 * roc_auc_score(labels, draws[0]), abs=0.006)
    for name, tpr in (("fpr_at_tpr100", 1), ("fpr_at_tpr95", 0.95), ("fpr_at_tpr90", 0.9)):
        assert found[name].ours == pytest.approx(fpr_oracle(draws[0], labels, tpr), abs=0.006)
        assert found[name].sd20 is None
    full = [fpr_oracle(d, np.isin(d, run.test_logits[BALANCED.labels == 1]), 1) for d in draws]
    averaged = found["fpr_at_tpr100_mean20"]
    assert averaged.ours == pytest.approx(np.mean(full), abs=0.006)
    assert averaged.sd20 == pytest.approx(np.std(full, ddof=1), abs=0.006)
    assert (found["auc"].paper, averaged.paper, found["fpr_at_tpr95"].paper) == (95.38, 31.4, 16.5)


def test_rows_come_in_the_papers_order_and_only_its_arms_have_its_values() -> None:
    runs = [
        result("alm", "BCE", "1:19"),
        result("continued", "S-ML"),
        result("aucm", "AUCM"),
        result("alm"),
        result("continued"),
        result("base"),
        result("base", classes=(6, 7)),
        result("base", member=3),
    ]
    rows = [row for row in table_rows(runs) if row.figure == "auc"]
    assert [(row.class_ratio, row.loss, row.arm) for row in rows] == [
        ("1:2", "BCE", "base"),
        ("1:2", "BCE", "continued"),
        ("1:2", "BCE", "alm"),
        ("1:2", "S-ML", "continued"),
        ("1:2", "AUCM", "aucm"),
        ("1:19", "BCE", "alm"),
    ]
    paper = {(r["class_ratio"], r["loss"], r["alm"]): float(r["auc"]) for r in paper_rows(2)}
    assert [row.paper for row in rows] == [
        94.67,
        None,
        95.41,
        None,
        None,
        paper["1:19", "BCE", "true"],
    ]


def test_other_tables_measure_other_things() -> None:
    balanced = {row.figure: row for row in table_rows([result("base")], table=6)}
    assert list(balanced) == ["auc", "fpr_at_tpr100", "fpr_at_tpr95", "fpr_at_tpr90"]
    assert balanced["auc"].ours == pytest.approx(100 * roc_auc_score(BALANCED.labels, result().test_logits), abs=0.006)
    assert balanced["auc"].paper == 94.82
    other = table_rows([result("base"), result("base", loss="MSFE", classes=(6, 7))], table=5)
    assert {row.loss for row in other} == {"MSFE"}
    ensembling = {row.figure: (row.paper, row.ours) for row in table_rows([result("base")], table=4)}
    assert ensembling["mean_auc"] == (91.67, pytest.approx(85))
    assert ensembling["std_auc"] == (0.9, pytest.approx(7.07))
    alone = {row.figure: row.ours for row in table_rows([result(member_aucs=(0.8,))], table=4)}
    assert alone["std_auc"] is None


def test_markdown_puts_paper_and_ours_side_by_side() -> None:
    rows = table_rows([result("base"), result("continued")])
    lines = row_grid(rows).markdown().splitlines()
    assert lines[0] == "## Table 2: airplane and automobile"
    assert {line.count("|") for line in lines[2:]} == {13}
    base = [cell.strip() for cell in lines[4].strip("|").split("|")]
    ours = {row.figure: row for row in rows if row.arm == "base"}
    averaged = ours["fpr_at_tpr100_mean20"]
    assert base[:5] == ["1:2", "BCE", "base", "94.67", f"{ours['auc'].ours:.2f}"]
    assert base[5] == "69.1"
    assert base[7] == f"{averaged.ours:.1f} ± {averaged.sd20:.1f}"
    assert lines[5].split("|")[3:5] == [" continued ", "  "]


def test_a_printed_table_says_what_it_rests_on() -> None:
    text = table_grid([result("base"), result("alm")]).markdown()
    assert "94.67" in text
    assert "Members: 2 (paper: 10); test negatives: 1000" in text


def test_other_classes_have_the_figures_and_nothing_of_the_papers() -> None:
    text = table_grid([result("base", classes=(3, 5))], 2, (3, 5)).markdown()
    assert text.startswith("## Classes 3 and 5, as Table 2")
    assert "| 1:2 | BCE | base |  | " in text
    assert "94.67" not in text


def test_the_hyperparameters_are_a_table_too() -> None:
    text = table_grid([result("base", "S-ML", details={"parameter": 0.5})], 8).markdown()
    assert text.startswith("## Table 8: hyper-parameters")
    assert "| 1:2 | S-ML | margin | 0.1 | 0.5 |" in text


@pytest.mark.parametrize("table", [1, 3, 8, 99])
def test_table_that_has_no_figures_here_is_refused(table: int) -> None:
    with pytest.raises(UsageError, match=f"table {table}"):
        table_rows([], table)


def test_unknown_paper_table_and_doubled_result_are_refused() -> None:
    with pytest.raises(UsageError, match="no table 9"):
        paper_rows(9)
    with pytest.raises(UsageError, match="2 results are of 1:2 BCE base"):
        table_rows([result(), result()])
