"""How a row is chosen, on trainings that are never carried out: a rule says what validation AUC each would reach."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny

from prostate_alm.cohort import Cohort
from prostate_alm.training import Job, TrainingSettings
from prostate_alm.training.search.grids import Grids
from prostate_alm.training.search.orders import Bench, Order, carry_out
from prostate_alm.training.search.plan import RowPlan, RunTask
from prostate_alm.training.search.table import Tried

Rule = Callable[[Order], float]


def bench_in(folder: Path) -> Bench:
    return Bench(folder, tiny.BUNDLE, Cohort(folder / "cohort", ()))


def row(folder: Path, loss: str = "s-ml", **settings: Any) -> RowPlan:
    given = TrainingSettings(loss=loss, members=2, **settings)
    return RowPlan(given, Grids(), bench_in(folder), set())


def finish(order: Order, auc: float) -> None:
    order.folder.mkdir(parents=True, exist_ok=True)
    (order.folder / "model.pt").touch()
    result = {"best_metric": auc, "best_epoch": 1, "history": [{"epoch": 1, "val_auc": auc}]}
    (order.folder / "result.json").write_text(json.dumps(result))


def drive(plan: RowPlan, rule: Rule) -> tuple[list[Order], RunTask, list[Tried]]:
    """Answer every job by the rule."""
    orders: list[Order] = []
    runs: list[RunTask] = []

    def answer(job: Job) -> None:
        if job.function is carry_out:
            orders.append(job.task)
            finish(job.task, rule(job.task))
        else:
            runs.append(job.task)

    steps = plan.plan()
    jobs = next(steps)
    while True:
        try:
            jobs = steps.send([answer(job) for job in jobs])
        except StopIteration as end:
            return orders, runs[0], end.value


def constraint(order: Order) -> tuple[float, ...]:
    return tuple(order.overrides[name] for name in ("penalty", "growth", "margin"))


def test_the_best_of_each_grid_goes_on_to_the_next(tmp_path: Path) -> None:
    def rule(order: Order) -> float:
        if order.arm != "alm":
            return 0.6 if order.overrides["base_loss::margin"] == 2.0 else 0.5
        penalty, growth, margin = constraint(order)
        return 0.7 + 0.1 * ((penalty, growth) == (0.3, 2.0)) + 0.01 * (margin == 1.5)

    orders, run, tried = drive(row(tmp_path), rule)
    assert run.settings.overrides == {"base_loss::margin": 2.0, "penalty": 0.3, "growth": 2.0, "margin": 1.5}
    assert run.settings.arms == ("base", "continued", "alm")
    chosen = {one.arm: one.hyperparameters for one in tried if one.chosen}
    assert chosen == {
        "base": {"margin": 2.0},
        "continued": {"margin": 2.0},
        "alm": {"margin": 2.0, "mu": 0.3, "rho": 2.0, "delta": 1.5},
    }
    assert len(orders) == 2 * (4 + 1 + 5 + 2)  # delta = 1 is not trained again
    # every ALM and continued stage starts from the chosen base of its own member
    for order in orders:
        if order.arm != "base":
            assert order.start is not None
            assert order.start.parts[-4:] == ("margin=2.0", "base", order.folder.name, "model.pt")


def test_ties_go_to_the_first_of_each_grid(tmp_path: Path) -> None:
    _, run, tried = drive(row(tmp_path), lambda _: 0.5)
    assert run.settings.overrides == {"base_loss::margin": 0.1, "penalty": 0.2, "growth": 3.0, "margin": 1.0}
    assert [one.chosen for one in tried] == [True, False, False, False, True, True, *[False] * 6]


def test_the_mean_over_the_members_decides(tmp_path: Path) -> None:
    """One brilliant member of a poor ensemble does not win."""

    def rule(order: Order) -> float:
        brilliant = order.overrides.get("base_loss::margin") == 4.0
        return (1.0 if order.overrides["member"] == 0 else 0.1) if brilliant else 0.6

    _, run, _ = drive(row(tmp_path), rule)
    assert run.settings.overrides["base_loss::margin"] == 0.1


@pytest.mark.parametrize(("loss", "trainings"), [("bce", 2 * (1 + 1 + 5 + 2)), ("mbauc", 2), ("w-bce", 2 * (3 + 8))])
def test_a_row_says_beforehand_how_many_trainings_it_takes(loss: str, trainings: int, tmp_path: Path) -> None:
    plan = row(tmp_path, loss, alm=loss != "mbauc")
    orders, run, _ = drive(plan, lambda _: 0.5)
    assert plan.trainings == len(orders) == trainings
    assert len({order.folder for order in orders}) == trainings
    assert {order.arm for order in orders} == set(run.settings.arms)


def test_what_is_finished_is_not_asked_for_again(tmp_path: Path) -> None:
    first, *_ = drive(row(tmp_path), lambda _: 0.5)
    lost = [order for order in first if order.arm == "continued"]
    for order in lost:
        (order.folder / "model.pt").unlink()
    plan = row(tmp_path)
    again, run, tried = drive(plan, lambda _: 0.5)
    assert again == lost
    assert len(run.stages) == 3
    assert len(tried) == 12
    assert len(plan.finished) == 24 - len(lost)  # the others are noted by whoever runs the plan


def test_ratios_and_losses_never_share_a_stage(tmp_path: Path) -> None:
    folders: set[Path] = set()
    for ratio in (None, "1:8", "1:2"):
        for loss in ("s-ml", "a-ml"):
            orders, *_ = drive(row(tmp_path, loss, class_ratio=ratio), lambda _: 0.5)
            folders |= {order.folder for order in orders}
    assert len(folders) == 6 * 24
