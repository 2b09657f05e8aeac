"""How a row is chosen: by validation AUC alone, ties to the first, the test set once and last."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pretended_lab import Rule, lab_in, trained

from prostate_alm.cifar10.candidates import Candidates, Published, Searched
from prostate_alm.cifar10.evaluation import Evaluation, evaluate
from prostate_alm.cifar10.lab import Lab, train
from prostate_alm.cifar10.results import ArmResult, save_result
from prostate_alm.cifar10.search import (
    LOSSES,
    Row,
    mean_validation_auc,
    row_plan,
)
from prostate_alm.cifar10.trainings import Constraint, Training
from prostate_alm.errors import UsageError
from prostate_alm.training import Job
from prostate_alm.training.search.grids import PENALTY_AND_GROWTH


def evaluated(evaluation: Evaluation) -> ArmResult:
    training = evaluation.orders[0].training
    negatives = training.scale.test
    result = ArmResult(
        training.class_ratio,
        training.loss,
        training.arm,
        np.zeros(negatives + 1, np.float32),
        np.eye(1, negatives + 1, dtype=np.int64)[0],
        np.arange(negatives + 1),
        seed=training.seed,
        member_aucs=(0.5,) * len(evaluation.orders),
    )
    save_result(evaluation.path, result, key=evaluation.key)
    return result


def drive(row: Row, lab: Lab, rule: Rule) -> tuple[list[Job], list[ArmResult]]:
    """Answer every job of a row's plan by the rule."""
    jobs: list[Job] = []
    plan = row_plan(row, lab)
    answers: list[Any] | None = None
    while True:
        try:
            batch = next(plan) if answers is None else plan.send(answers)
        except StopIteration as end:
            return jobs, end.value
        jobs += batch
        answers = [trained(job.task, rule, lab) if job.function is train else evaluated(job.task) for job in batch]


def search_row(loss: str, class_ratio: str = "1:9") -> Row:
    return Row(Training(loss, class_ratio), members=2, settings=Searched())


def chosen(jobs: list[Job], arm: str) -> Training:
    """What the test of an arm was of."""
    return next(
        job.task.orders[0].training
        for job in jobs
        if job.function is evaluate and job.task.orders[0].training.arm == arm
    )


def test_the_best_of_each_grid_goes_on_to_the_next(tmp_path: Path):
    def rule(training: Training) -> float:
        if training.constraint is None:
            return 0.9 if training.parameter == 2.0 else 0.8
        best = Constraint(0.3, 2.0)
        return 0.95 + 0.01 * (replace(training.constraint, margin=1.0) == best) + 0.001 * training.constraint.margin

    jobs, results = drive(search_row("S-ML"), lab_in(tmp_path), rule)
    assert chosen(jobs, "base").parameter == 2.0
    assert chosen(jobs, "continued").parameter == 2.0
    assert chosen(jobs, "alm").constraint == Constraint(0.3, 2.0, 2.0)
    assert [result.arm for result in results] == ["base", "continued", "alm"]


def test_the_mean_over_the_members_decides_and_not_the_best_of_them(tmp_path: Path):
    def rule(training: Training) -> float:
        lucky = training.parameter == 4.0 and training.member == 0
        return 0.99 if lucky else 0.6 if training.parameter == 4.0 else 0.8

    jobs, _ = drive(search_row("A-ML"), lab_in(tmp_path), rule)
    assert chosen(jobs, "base").parameter != 4.0


def test_ties_go_to_the_first_of_the_grid(tmp_path: Path):
    jobs, _ = drive(search_row("CB-BCE"), lab_in(tmp_path), lambda _: 0.9)
    assert chosen(jobs, "base").parameter == 0.99
    assert chosen(jobs, "alm").constraint == Constraint(*PENALTY_AND_GROWTH[0], 1.0)


def test_equal_sums_of_float32_are_a_tie(tmp_path: Path):
    spread = {0.1: (0.9553, 0.9447), 0.5: (0.95, 0.95), 2.0: (0.9601, 0.9399), 4.0: (0.9, 1.0)}

    def rule(training: Training) -> float:
        return float(np.float32(spread[training.parameter or 0.1][training.member]))

    jobs, _ = drive(search_row("S-ML"), lab_in(tmp_path), rule)
    assert chosen(jobs, "base").parameter == 0.1


def test_a_member_that_is_missing_is_no_judgement(tmp_path: Path):
    with pytest.raises(AssertionError, match="not finished"):
        mean_validation_auc(lab_in(tmp_path), search_row("BCE").ensemble(Training("BCE", "1:2")))


def test_a_result_of_other_size_or_seed_is_not_written_over(tmp_path: Path):
    drive(search_row("MSFE"), lab_in(tmp_path), lambda _: 0.9)
    with pytest.raises(UsageError, match=r"is of 2 members, seed 0 .* choose another --out for 3, 0 and 1000"):
        drive(replace(search_row("MSFE"), members=3), lab_in(tmp_path), lambda _: 0.9)
    with pytest.raises(UsageError, match="choose another --out for 2, 1"):
        drive(Row(Training("MSFE", "1:9", seed=1), 2, Searched()), lab_in(tmp_path), lambda _: 0.9)


@pytest.mark.parametrize("settings", [Published(), Searched()], ids=["paper", "search"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_test_set_comes_once_an_arm_and_after_every_training(tmp_path: Path, loss: str, settings: Candidates):
    row = replace(search_row(loss), settings=settings)
    jobs, results = drive(row, lab_in(tmp_path), lambda training: 0.5 + training.member / 10)
    kinds = [job.function for job in jobs]
    first_test = kinds.index(evaluate)
    assert set(kinds[:first_test]) == {train}
    assert set(kinds[first_test:]) == {evaluate}
    tests = [job.task.orders[0].training.arm for job in jobs[first_test:]]
    assert len(tests) == len(set(tests)) == len(results)
    assert ("alm" in tests) == (loss != "MBAUC")
    assert ("aucm" in tests) == (loss == "BCE")
    assert first_test == row.trainings == len({job.task.key for job in jobs[:first_test]})


def test_what_is_finished_is_not_asked_for_again(tmp_path: Path):
    row, lab = search_row("W-BCE"), lab_in(tmp_path)
    drive(row, lab, lambda _: 0.9)
    again, results = drive(row, lab, lambda _: 0.9)
    assert again == []
    assert len(results) == 3


def test_from_the_ledger_alone_only_the_chosen_are_trained_again(tmp_path: Path):
    row, lab = search_row("W-BCE"), lab_in(tmp_path)
    drive(row, lab, lambda _: 0.9)
    elsewhere = lab_in(tmp_path / "elsewhere")
    elsewhere.ledger.update(lab.ledger)
    again, results = drive(row, elsewhere, lambda _: 0.9)
    trainings = [job.task.training for job in again if job.function is train]
    assert sorted((training.arm, training.member) for training in trainings) == [
        (arm, member) for arm in ("alm", "base", "continued") for member in range(2)
    ]
    # a base comes before what starts from it
    keys = [job.task.key for job in again if job.function is train]
    assert all(
        keys.index(job.task.start_key) < keys.index(job.task.key)
        for job in again
        if job.function is train and job.task.start_key
    )
    assert len(results) == 3


@pytest.mark.parametrize(
    ("loss", "class_ratio", "value"),
    [("S-ML", "1:2", 0.1), ("W-BCE", "1:2", 2 / 3), ("W-BCE", "1:9", 9.0), ("W-BCE", "1:19", 19 / 3)],
)
def test_the_papers_own_parameters(loss: str, class_ratio: str, value: float):
    assert Published().parameters(loss, class_ratio) == (value,)
    assert value in search_row(loss, class_ratio).parameters()  # the very same number: one training serves both


def test_the_papers_constraint():
    assert Published().constraints("BCE", "1:2") == (Constraint(0.2, 4.0, 2.0),)
    with pytest.raises(UsageError, match="no hyper-parameters for BCE at 1:7"):
        Published().constraints("BCE", "1:7")


def test_every_combination_of_the_paper_is_in_the_grid_but_the_discarded():
    assert set(PENALTY_AND_GROWTH) == {(mu, rho) for mu in (0.2, 0.3) for rho in (2.0, 3.0, 4.0)} - {(0.2, 2.0)}
