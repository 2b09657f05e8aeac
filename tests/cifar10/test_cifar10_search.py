"""How a row is chosen: by validation AUC alone, ties to the first, the test set once and last."""

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pretended_lab import Rule, lab_in, trained

from prostate_alm.cifar10.candidates import Candidates, Published, Searched
from prostate_alm.cifar10.evaluation import Evaluation, evaluate
from prostate_alm.cifar10.lab import Lab, train
from prostate_alm.cifar10.protocol import Scale
from prostate_alm.cifar10.results import ArmResult, save_result
from prostate_alm.cifar10.search import (
    LOSSES,
    Row,
    row_plan,
    validation_aucs,
)
from prostate_alm.cifar10.trainings import Constraint, Training
from prostate_alm.errors import UsageError
from prostate_alm.training import Job
from prostate_alm.training.engine import ignore
from prostate_alm.training.plans import PlanRunner
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
        validation_aucs(lab_in(tmp_path), search_row("BCE").ensemble(Training("BCE", "1:2")))


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (replace(search_row("BCE"), members=3), "members 2, not 3"),
        (Row(Training("BCE", "1:9", seed=1), 2, Searched()), "seed 0, not 1"),
        (Row(Training("BCE", "1:9", scale=Scale(test=200)), 2, Searched()), "test negatives 1000, not 200"),
    ],
)
@pytest.mark.parametrize("arm", ["base", "continued", "aucm", "alm"])
def test_a_row_that_does_not_fit_the_folder_is_refused_before_any_training(
    tmp_path: Path, other: Row, difference: str, arm: str
):
    _, results = drive(search_row("BCE"), lab_in(tmp_path), lambda _: 0.9)
    for result in results:
        if result.arm != arm:
            (tmp_path / "search" / f"BCE_1-9_0-1_{result.arm}.npz").unlink()
    with pytest.raises(UsageError, match=rf"{arm}\.npz is of another run \({difference}\): choose another --out"):
        row_plan(other, lab_in(tmp_path))  # at once, not when it is first asked


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


class Desk:
    """An engine that answers at once, by a rule, and notes what it was asked for."""

    slots = 2
    unfinished: frozenset["Future[Any]"] = frozenset()

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.asked: list[tuple[str, str]] = []

    def submit(self, function: Any, task: Any, ended: Any = ignore) -> "Future[Any]":
        answer: Future[Any] = Future()
        if function is train:
            self.asked.append((task.training.loss, "train"))
            answer.set_result(trained(task, lambda training: 0.5 + training.member / 10, self.lab))
        else:
            self.asked.append((task.orders[0].training.loss, "test"))
            answer.set_result(evaluated(task))
        ended(answer)
        return answer

    def __enter__(self) -> "Desk":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None: ...


@pytest.mark.parametrize("from_ledger", [False, True], ids=["anew", "from the ledger"])
def test_of_several_rows_none_trains_after_its_own_test(tmp_path: Path, from_ledger: bool):
    desk, rows = Desk(lab_in(tmp_path)), [search_row("S-ML"), search_row("A-FL")]
    if from_ledger:
        for row in rows:
            drive(row, elsewhere := lab_in(tmp_path / "elsewhere"), lambda training: 0.5 + training.member / 10)
            desk.lab.ledger.update(elsewhere.ledger)
    tally = PlanRunner([row_plan(row, desk.lab) for row in rows], desk).run()
    assert tally.errors == {}
    for loss in ("S-ML", "A-FL"):
        kinds = [kind for asked, kind in desk.asked if asked == loss]
        assert kinds == sorted(kinds, reverse=True)  # trainings, then tests
        assert kinds.count("test") == 3
    # the rows do run side by side: the first is tested while the second is still trained
    assert desk.asked.index(("S-ML", "test")) < len(desk.asked) - 1 - desk.asked[::-1].index(("A-FL", "train"))


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


@pytest.mark.parametrize("lost", ["weights", "result"])
def test_a_file_that_is_lost_of_a_chosen_training_is_asked_for_again(tmp_path: Path, lost: str):
    row, lab = search_row("W-BCE"), lab_in(tmp_path)
    jobs, _ = drive(row, lab, lambda _: 0.9)
    order = next(job.task for job in jobs if job.function is evaluate).orders[1]
    getattr(order, lost).unlink()
    (tmp_path / "search" / "W-BCE_1-9_0-1_base.npz").unlink()
    again, _ = drive(row, lab, lambda _: 0.9)
    assert [(job.function, getattr(job.task, "key", None)) for job in again[:1]] == [(train, order.key)]
    assert [job.function for job in again[1:]] == [evaluate]


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
