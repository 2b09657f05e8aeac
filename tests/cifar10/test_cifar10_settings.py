"""The common settings: best by validation AUC; cheapest of those not told apart where cost differs."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pretended_lab import lab_in, trained

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10 import settings
from prostate_alm.cifar10.lab import train
from prostate_alm.cifar10.settings import (
    LENGTHS,
    LONGEST,
    STEPS,
    settings_plan,
    settings_trainings,
    stopped_after,
)
from prostate_alm.cifar10.settings_table import TABLE, Tried
from prostate_alm.cifar10.trainings import Training


@pytest.mark.parametrize(
    ("history", "epochs", "patience", "expected"),
    [
        ([0.5, 0.7, 0.6, 0.6, 0.9], 5, 2, (4, 0.7)),
        ([0.5, 0.7, 0.6, 0.6, 0.9], 5, 3, (5, 0.9)),
        ([0.5, 0.7, 0.6, 0.6, 0.9], 5, None, (5, 0.9)),
        ([0.5, 0.7, 0.6], 2, 9, (2, 0.7)),
        ([0.7, 0.7, 0.7], 9, 2, (3, 0.7)),  # a tie is no improvement
    ],
)
def test_a_shorter_training_is_read_off_a_longer_one(history, epochs, patience, expected):
    assert stopped_after(np.array(history), epochs, patience) == expected


def chosen(monkeypatch: pytest.MonkeyPatch, tmp_path, rule, history) -> tuple[list[Tried], int]:
    """The choices when every training reaches `rule`, by a history that rises to it."""
    aucs: dict[str, Training] = {}
    read: list[str] = []

    def validation_history(path: Path) -> np.ndarray:
        read.append(path.stem)
        return history(aucs[path.stem], rule)

    monkeypatch.setattr(settings, "validation_history", validation_history)
    plan, jobs = settings_plan(lab := lab_in(tmp_path), members=2), 0
    answers: list[Any] | None = None
    while True:
        try:
            batch = next(plan) if answers is None else plan.send(answers)
        except StopIteration as end:
            assert len(lab.seen) == jobs
            assert len(read) == 2 * (sum(len(step.candidates) for step in STEPS) + 2)  # once for each choice
            return end.value, jobs
        jobs += len(batch)
        assert all(job.function is train for job in batch)  # the test set is never looked at
        aucs |= {job.task.key: job.task.training for job in batch}
        answers = [trained(job.task, rule, lab) for job in batch]


def flat(training: Training, rule) -> np.ndarray:
    return np.full(dict(training.common).get("max_epochs", 1), rule(training), np.float32)


def test_each_step_keeps_its_best_and_a_dearer_one_must_be_told_apart(monkeypatch, tmp_path):
    def rule(training: Training) -> float:
        common = dict(training.common)
        noise = 0.02 * training.member * (len(common["member_def::channels"]) == 4)
        return 0.8 + 10 * common["learning_rate"] + 0.001 * common["max_shift"] + noise

    choices, jobs = chosen(monkeypatch, tmp_path, rule, flat)
    kept = {choice.step: choice.candidate for choice in choices if choice.chosen}
    assert kept["learning rate"] == "0.008"
    assert kept["largest shift"] == "5"
    assert kept["network"] == "16 32 64"  # the four stages are better by one standard error
    assert kept["dropout"] == "0.0"  # a tie: the first
    assert all(sum(choice.chosen for choice in choices if choice.step == step) == 1 for step in kept)
    assert len(choices) == sum(len(step.candidates) for step in STEPS) + len(LENGTHS) + 3
    assert jobs == settings_trainings(members=2)


def test_the_shortest_that_is_not_told_apart_is_kept(monkeypatch, tmp_path):
    def rising(training: Training, rule) -> np.ndarray:
        epochs = dict(training.common).get("max_epochs", 100)
        return np.minimum(0.9, 0.5 + 0.4 * np.arange(1, epochs + 1) / 90)  # nothing is gained after 90 epochs

    choices, _ = chosen(monkeypatch, tmp_path, lambda _: 0.9, rising)
    kept = {choice.step: choice for choice in choices if choice.chosen}
    assert kept["epochs, patience"].candidate == "100, 30"
    assert kept["epochs, patience"].epochs < LONGEST


def test_the_bundle_has_what_was_chosen():
    bundle = find_bundle("cifar10_alm_classification") / "configs"
    train, continued = (json.loads((bundle / f"{name}.json").read_text()) for name in ("train", "continued"))
    with (Path(__file__).parents[2] / "docs" / "results" / "cifar10" / TABLE).open(newline="") as file:
        kept = {row["step"]: row["candidate"] for row in csv.DictReader(file) if row["chosen"] == "True"}
    assert kept == {
        "learning rate": str(train["learning_rate"]),
        "network": " ".join(map(str, train["member_def"]["channels"])),
        "largest shift": str(train["max_shift"]),
        "dropout": str(train["member_def"].get("dropout", 0.0)),
        "epochs, patience": f"{train['max_epochs']}, {train['patience']}",
        "epochs of the second stage": f"{continued['max_epochs']}, none",
    }
