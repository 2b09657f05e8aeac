"""Rows of the tables from images to results, through the bundle's trainer."""

import csv
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cifar10.runs import TINY, TINY_SEARCH, carry_out

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10 import evaluation, lab, run
from prostate_alm.cifar10.lab import read_facts, validation_history
from prostate_alm.cifar10.ledger import COLUMNS as LEDGER_COLUMNS
from prostate_alm.cifar10.ledger import read_ledger, write_ledger
from prostate_alm.cifar10.reproduce import Request, reproduce
from prostate_alm.cifar10.results import load_results
from prostate_alm.cifar10.run import Progress, Run
from prostate_alm.errors import NoInputError, UsageError
from prostate_alm.training import LocalEngine
from prostate_alm.training.search.grids import PENALTY_AND_GROWTH


def test_a_row_has_its_arms_and_is_not_computed_twice(layout: Path, tmp_path: Path, trained: list[str]):
    first = carry_out(layout, tmp_path / "out", TINY)
    assert [result.arm for result in first] == ["base", "continued", "aucm", "alm"]
    assert sorted(trained) == sorted(["base", "continued", "aucm", "alm"] * 2)
    again = carry_out(layout, tmp_path / "out", TINY)
    assert len(trained) == 8
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.test_logits, other.test_logits)
    assert len(load_results(tmp_path / "out" / "paper")) == 4


def test_a_training_is_one_file_with_history_and_validation_logits(layout: Path, tmp_path: Path):
    carry_out(layout, tmp_path / "out", TINY)
    files = sorted((tmp_path / "out" / "trainings").iterdir())
    assert len(files) == 8
    ledger = read_ledger(tmp_path / "out")
    for path in files:
        facts = read_facts(path)
        assert path.stem == facts["key"]
        assert ledger[path.stem]["weights_sha256"] == facts["weights_sha256"]
        history = validation_history(path)
        assert len(history) == facts["epochs"] == 2
        assert history.max() == pytest.approx(facts["validation_auc"])
        with np.load(path) as stored:
            assert stored["validation_logits"].shape == stored["validation_case_ids"].shape == (6,)


def test_another_environment_is_computed_anew(
    layout: Path, tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch
):
    carry_out(layout, tmp_path / "out", TINY)
    environment = lab.environment
    for module in (lab, run):
        monkeypatch.setattr(module, "environment", lambda *told: environment(*told) | {"libraries": {"torch": "0"}})
    carry_out(layout, tmp_path / "out", TINY)
    assert len(trained) == 16


@pytest.mark.parametrize("lost", ["result.json", "model.pt"])
def test_a_lost_training_alone_is_computed_again(layout: Path, tmp_path: Path, trained: list[str], lost: str):
    first = carry_out(layout, tmp_path / "out", TINY)
    key = next(row["key"] for row in read_ledger(tmp_path / "out").values() if row["arm"] == "alm")
    (tmp_path / "out" / "trainings.csv").unlink()
    (tmp_path / "out" / "trainings" / f"{key}.npz").unlink()
    (tmp_path / "out" / "work" / key / lost).unlink()
    trained.clear()
    again = carry_out(layout, tmp_path / "out", TINY)
    assert trained == ["alm"]
    np.testing.assert_array_equal(first[-1].test_logits, again[-1].test_logits)


def test_a_run_goes_on_from_the_small_results_of_another_place(layout: Path, tmp_path: Path, trained: list[str]):
    first = carry_out(layout, tmp_path / "out", TINY_SEARCH)
    small = tmp_path / "small"
    small.mkdir()
    (tmp_path / "out" / "trainings.csv").rename(small / "trainings.csv")
    trained.clear()
    again = carry_out(layout, small, TINY_SEARCH)
    assert sorted(trained) == sorted(["base", "continued", "alm"] * 2)  # of 2 * 12, the chosen ones
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.test_logits, other.test_logits)


def test_the_search_tries_every_combination(layout: Path, tmp_path: Path, trained: list[str]):
    carry_out(layout, tmp_path / "out", TINY_SEARCH)
    rows = read_ledger(tmp_path / "out").values()
    assert {row["parameter"] for row in rows if row["arm"] == "base"} == {"1.0", "2.0", "4.0", "5.0"}
    tried = {(float(row["penalty"]), float(row["growth"])) for row in rows if row["arm"] == "alm"}
    assert tried == set(PENALTY_AND_GROWTH)
    assert len({row["margin"] for row in rows if row["arm"] == "alm"}) == 3
    assert len(trained) == TINY_SEARCH.rows()[0].trainings == 2 * 12


def test_another_test_set_changes_no_choice_and_no_training(layout: Path, tmp_path: Path):
    carry_out(layout, tmp_path / "out", TINY_SEARCH)
    changed = shutil.copytree(layout, tmp_path / "changed")
    batch = pickle.loads((layout / "test_batch").read_bytes())  # noqa: S301
    batch[b"labels"] = [9 - label for label in batch[b"labels"]]
    batch[b"data"] = 255 - batch[b"data"]
    (changed / "test_batch").write_bytes(pickle.dumps(batch, protocol=2))
    carry_out(changed, tmp_path / "other", TINY_SEARCH)

    def told(out: Path) -> list[list[str]]:
        with (out / "trainings.csv").open(newline="") as file:
            left_out = {"key", "environment", "seconds"}  # these cover all images
            return sorted(
                [value for name, value in row.items() if name not in left_out] for row in csv.DictReader(file)
            )

    assert told(tmp_path / "out") == told(tmp_path / "other")
    one, other = load_results(tmp_path / "out" / "search"), load_results(tmp_path / "other" / "search")
    assert [result.details["constraint"] for result in one] == [result.details["constraint"] for result in other]
    assert not np.array_equal(one[0].test_logits, other[0].test_logits)


def test_the_test_images_are_read_once_an_arm_and_last(
    layout: Path, tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch
):
    read = evaluation.balanced_test_data

    def noting(*arguments: Any) -> Any:
        trained.append("test")
        return read(*arguments)

    monkeypatch.setattr(evaluation, "balanced_test_data", noting)
    carry_out(layout, tmp_path / "out", TINY_SEARCH)
    assert trained[-3:] == ["test"] * 3
    assert trained.count("test") == 3


def test_progress_counts_the_trainings(layout: Path, tmp_path: Path):
    seen: list[Progress] = []
    for _ in range(2):
        one = Run(layout, tmp_path / "out", watch=seen.append)
        with LocalEngine(1) as engine:
            reproduce(one, TINY.rows(), engine)
    assert (seen[0].total, seen[0].done) == (8, 0)
    assert [progress.done for progress in seen if progress.running] == [*range(8), 8]
    assert seen[0].seconds_left is None
    assert (seen[-1].done, seen[-1].running, seen[-1].failed, seen[-1].seconds_left) == (8, 0, 0, None)
    assert all(progress.done <= progress.total for progress in seen)


def test_a_row_that_fails_is_told_and_the_others_are_carried_on(
    layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    train_arm = lab.train_arm

    def failing(bundle: Path, arm: str, folder: Path, overrides: Any, start: Path | None) -> None:
        if "SymmetricFocal" in overrides["base_loss"]["_target_"]:
            raise UsageError("training diverged")
        train_arm(bundle, arm, folder, overrides, start)

    monkeypatch.setattr(lab, "train_arm", failing)
    said: list[str] = []
    with pytest.raises(UsageError, match="training diverged"):
        carry_out(layout, tmp_path / "out", replace(TINY, losses=("S-FL", "MSFE")), said)
    assert said == ["S-FL 1:2, classes 0 and 1 failed: training diverged", "MSFE 1:2, classes 0 and 1: finished"]
    assert {result.loss for result in load_results(tmp_path / "out" / "paper")} == {"MSFE"}


def test_ctrl_c_keeps_what_is_finished(layout: Path, tmp_path: Path, trained: list[str], monkeypatch):
    note = lab.train

    def interrupted(order: Any) -> Any:
        facts = note(order)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return facts

    monkeypatch.setattr("prostate_alm.cifar10.search.train", interrupted)
    monkeypatch.setattr("prostate_alm.cifar10.run.train", interrupted)
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        carry_out(layout, tmp_path / "out", TINY, said)
    assert said == []  # one process: nothing runs beside
    monkeypatch.undo()
    assert len(list((tmp_path / "out" / "trainings").iterdir())) == 3
    assert len(read_ledger(tmp_path / "out")) == 2  # the third was done, its worker did not say so any more
    assert len(carry_out(layout, tmp_path / "out", TINY)) == 4


def test_a_worker_with_other_code_refuses(layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lab, "environment", lambda *_: {"code": "other"})
    with pytest.raises(UsageError, match="other code than the caller: install the same version everywhere"):
        carry_out(layout, tmp_path / "out", TINY)


def test_both_bundles_share_the_constrained_stage():
    mri, cifar = (find_bundle(name) for name in ("prostate_dce_classification", "cifar10_alm_classification"))
    assert (mri / "configs" / "alm.json").read_text() == (cifar / "configs" / "alm.json").read_text()


@pytest.mark.parametrize("broken", ["not a table\n", "key,loss\n1,BCE\n", ",".join(LEDGER_COLUMNS) + "\nk,0-1\n"])
def test_a_broken_ledger_is_named(layout: Path, tmp_path: Path, broken: str):
    (tmp_path / "trainings.csv").write_text(broken)
    with pytest.raises(NoInputError, match=r"trainings\.csv is no table of trainings"):
        carry_out(layout, tmp_path, TINY)


def test_whatever_happened_to_a_training_is_one_line(layout: Path, tmp_path: Path):
    carry_out(layout, tmp_path / "out", TINY)
    whole = next((tmp_path / "out" / "trainings").iterdir()).read_bytes()
    damaged = tmp_path / "one.npz"
    for place in range(0, len(whole), 97):
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        for read in (read_facts, validation_history):
            try:
                read(damaged)
            except NoInputError as error:
                assert "one.npz cannot be read" in str(error)  # noqa: PT017 (damage may hit what is not read)
    damaged.write_bytes(b"PK")
    with pytest.raises(NoInputError, match=r"one\.npz cannot be read"):
        read_facts(damaged)


def test_weights_made_anew_that_differ_are_told_and_change_no_choice(layout: Path, tmp_path: Path):
    carry_out(layout, tmp_path / "out", TINY)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = {"weights_sha256": "of another processor", "validation_auc": "0.25"}
    write_ledger(elsewhere, {key: row | moved for key, row in read_ledger(tmp_path / "out").items()})
    said: list[str] = []
    carry_out(layout, elsewhere, TINY, said)
    assert "made anew with other weights (another processor?): 8 trainings" in said
    assert {row["validation_auc"] for row in read_ledger(elsewhere).values()} == {"0.25"}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(losses=("BCE", "bce")), "loss 'bce' is unknown; choose one of BCE"),
        (Request(members=0), "at least one member, got 0"),
        (Request(tables=(3,)), "table 3 is not reproduced from CIFAR10; choose 2, 4, 5, 6, 8 or all"),
        (Request(classes=(4, 4)), "one class twice"),
        (Request(class_ratios=("1:400",)), "leaves no positive beside 300 negatives"),
        (Request(class_ratios=("1:7",)), "the paper has no hyper-parameters for BCE at 1:7; give --search"),
    ],
)
def test_a_request_that_cannot_be_met_is_one_clear_line(request_: Request, message: str):
    with pytest.raises(UsageError, match=message):
        request_.rows()


def test_a_row_that_is_asked_for_twice_is_one():
    assert len(Request(tables=(2, 2), losses=("BCE", "BCE"), class_ratios=("1:2", "1:2")).rows()) == 1


def test_tables_on_the_same_images_share_their_rows():
    rows = Request(tables=(2, 4, 5, 6)).rows()
    assert len(rows) == 2 * 27
    assert {row.first.classes for row in rows} == {(0, 1), (6, 7)}
    assert len(Request(tables=(8,)).rows()) == 27
