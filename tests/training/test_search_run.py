"""A whole search on a tiny cohort: its runs are those of `train`, and a kill costs nothing that was finished."""

import csv
import json
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from prostate_alm.bundle import Predictor
from prostate_alm.cohort import Cohort
from prostate_alm.errors import NoInputError, UsageError
from prostate_alm.training import LocalEngine, TrainingSettings, find_runs, train
from prostate_alm.training.engine import ignore
from prostate_alm.training.search.grids import Grids
from prostate_alm.training.search.run import SearchSettings, search
from prostate_alm.training.search.table import Tried

GRIDS = Grids(gamma=(1.0, 4.0), penalty_and_growth=((0.2, 3.0), (5.0, 2.0)), delta=(1.0, 2.0))
COMMON = TrainingSettings(members=2, epochs=2, constrained_epochs=2, seed=5, overrides=tiny.OVERRIDES)


def settings(**changes: Any) -> SearchSettings:
    given = {"losses": ("a-fl", "mbauc"), "class_ratios": ("1:3",), "grids": GRIDS, "common": COMMON}
    return SearchSettings(**(given | changes))


def run(cohort: Cohort, out: Path, engine: LocalEngine | None = None, **changes: Any) -> list[Tried]:
    return search(cohort.folder, out, tiny.BUNDLE, settings(**changes), engine or LocalEngine(1))


@pytest.fixture(scope="module")
def searched(tiny_run: tiny.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("search") / "search"
    run(tiny_run.cohort, out)
    return out


def table(out: Path) -> list[dict[str, str]]:
    with (out / "candidates.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def stamps(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.pt")}


def weights(run: Path) -> dict[str, bytes]:
    """The tensors of every arm's ensemble."""
    return {
        f"{path.name} {name}": value.numpy().tobytes()
        for path in sorted((run / "bundle" / "models").glob("*.pt"))
        for name, value in torch.load(path, weights_only=True).items()
    }


def test_every_candidate_is_written_down_and_the_best_is_chosen(searched: Path) -> None:
    rows = table(searched)
    assert [(row["loss"], row["arm"]) for row in rows] == [
        *[("a-fl", "base")] * 2, ("a-fl", "continued"), *[("a-fl", "alm")] * 3, ("mbauc", "base"),
    ]  # fmt: skip
    for row in rows:
        aucs = [float(auc) for auc in row["validation_aucs"].split()]
        assert len(aucs) == 2
        assert float(row["validation_auc_mean"]) == pytest.approx(sum(aucs) / 2)
    base = [row for row in rows if row["arm"] == "base" and row["loss"] == "a-fl"]
    means = [round(float(row["validation_auc_mean"]), 6) for row in base]
    assert [row["chosen"] for row in base].index("true") == means.index(max(means))
    assert [row["chosen"] for row in rows].count("true") == 4


def test_a_chosen_run_is_what_train_gives(searched: Path, tiny_run: tiny.Run, fresh: Path) -> None:
    chosen = searched / "1-3" / "a-fl"
    record = json.loads((chosen / "run.json").read_text())
    given = TrainingSettings(**record["settings"])
    assert set(given.overrides) - set(tiny.OVERRIDES) == {"base_loss::gamma", "penalty", "growth", "margin"}
    train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, given, processes=1)
    assert weights(chosen) == weights(fresh)
    assert json.loads((fresh / "run.json").read_text()) == record
    for part in ("metadata.json", "inference.json"):
        assert (chosen / "bundle" / "configs" / part).read_bytes() == (fresh / "bundle" / "configs" / part).read_bytes()
    before = stamps(chosen)
    train(tiny_run.cohort.folder, chosen, tiny.BUNDLE, given, processes=1)  # and train knows it as finished
    assert stamps(chosen) == before


def test_a_chosen_run_says_how_it_was_trained(searched: Path) -> None:
    told = json.loads((searched / "1-3/a-fl/bundle/configs/metadata.json").read_text())["training"]
    row = next(row for row in table(searched) if row["arm"] == "alm" and row["chosen"] == "true")
    assert (told["loss"], told["class_ratio"], told["arms"]) == ("a-fl", "1:3", ["base", "continued", "alm"])
    assert told["hyperparameters"] == {name: float(row[name]) for name in ("gamma", "mu", "rho", "delta")}
    assert " ".join(map(str, told["validation_auc"]["alm"])) == row["validation_aucs"]


def test_mbauc_is_a_base_alone(searched: Path) -> None:
    predictor = Predictor.load(searched / "1-3" / "mbauc")
    assert (predictor.arm, predictor.other_arms) == ("base", ())


def test_its_runs_are_found_and_its_work_is_not(searched: Path) -> None:
    assert find_runs(searched) == [searched / "1-3" / "a-fl", searched / "1-3" / "mbauc"]


def test_cases_are_preprocessed_once_for_all_trainings(searched: Path, tiny_run: tiny.Run) -> None:
    assert len(list((searched / "cache").glob("*.pt"))) == len(tiny_run.cohort.cases)
    assert not list((searched / "1-3").rglob("cache"))


def test_the_same_call_again_trains_nothing_and_says_the_same(searched: Path, tiny_run: tiny.Run) -> None:
    before, rows = stamps(searched), (searched / "candidates.csv").read_bytes()
    run(tiny_run.cohort, searched, Forbidden(1))
    assert stamps(searched) == before
    assert (searched / "candidates.csv").read_bytes() == rows


class Forbidden(LocalEngine):
    """An engine that is never needed."""

    def submit(self, function: Callable[[Any], Any], task: Any, *_: Any, **__: Any) -> "Future[Any]":
        raise AssertionError(f"nothing is left to do, but {function} was asked for {task}")


class Killed(BaseException):
    """The end of the process, as far as the search can tell."""


class Mortal(LocalEngine):
    """Dies at its n-th job, the stage half trained: its result is gone, its state is not."""

    def __init__(self, jobs: int) -> None:
        super().__init__(1)
        self.left = jobs

    def submit(self, function: Callable[[Any], Any], task: Any, ended: Callable[[Any], None] = ignore) -> "Future[Any]":
        if not self.left:
            raise Killed
        self.left -= 1
        return super().submit(function, task, ended)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [3, 9])
def test_a_killed_search_goes_on_and_ends_in_the_same_bits(
    jobs: int, searched: Path, tiny_run: tiny.Run, tmp_path: Path
) -> None:
    out = tmp_path / "search"
    with pytest.raises(Killed):
        run(tiny_run.cohort, out, Mortal(jobs))
    finished = stamps(out / "work")
    assert len([path for path in finished if path.endswith("model.pt")]) == jobs
    run(tiny_run.cohort, out)
    assert finished.items() <= stamps(out / "work").items()  # nothing finished was trained twice
    assert (out / "candidates.csv").read_bytes() == (searched / "candidates.csv").read_bytes()
    for loss in ("a-fl", "mbauc"):
        assert weights(out / "1-3" / loss) == weights(searched / "1-3" / loss)


def test_losses_may_be_added_later(searched: Path, tiny_run: tiny.Run, tmp_path: Path) -> None:
    out = shutil.copytree(searched, tmp_path / "search")
    before, rows = stamps(out), table(out)
    run(tiny_run.cohort, out, losses=("mbauc",))  # which needs fewer of the bundle's configs
    few = Grids(penalty_and_growth=((0.2, 3.0),), delta=(1.0,))
    tried = run(tiny_run.cohort, out, losses=("mbauc", "bce"), grids=few)
    assert before.items() <= stamps(out).items()
    assert len(find_runs(out)) == 3
    again = table(out)
    assert [row for row in again if row["loss"] != "bce"] == rows  # and nothing that was tried is forgotten
    assert [row["arm"] for row in again if row["loss"] == "bce"] == ["base", "continued", "alm"]
    assert [(one.loss, one.arm) for one in tried] == [(row["loss"], row["arm"]) for row in again]


def test_a_table_of_candidates_that_is_none_is_named(searched: Path, tiny_run: tiny.Run, tmp_path: Path) -> None:
    out = shutil.copytree(searched, tmp_path / "search")
    for text in ("class_ratio;loss\n1:3;bce\n", (out / "candidates.csv").read_text().replace(",true", ",yes")):
        (out / "candidates.csv").write_text(text)
        with pytest.raises(UsageError, match=r"candidates\.csv cannot be read .* move it away and run again"):
            run(tiny_run.cohort, out, Forbidden(1))


def test_another_cohort_in_the_same_folder_is_refused(searched: Path, tiny_run: tiny.Run, tmp_path: Path) -> None:
    (tmp_path / "volumes").symlink_to(tiny_run.cohort.folder / "volumes")
    Cohort(tmp_path, tiny_run.cohort.cases[:-1]).save()
    with pytest.raises(UsageError, match="was started with another cohort; choose another --out"):
        search(tmp_path, searched, tiny.BUNDLE, settings(), Forbidden(1))


def test_another_version_in_the_same_folder_is_refused(searched: Path, tiny_run: tiny.Run, tmp_path: Path) -> None:
    (out := tmp_path / "search").mkdir()
    record = json.loads((searched / "search.json").read_text()) | {"software_version": "0.0"}
    (out / "search.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match="was started with another software_version"):
        run(tiny_run.cohort, out, Forbidden(1))


def test_a_cohort_that_changes_under_the_search_ends_it(tiny_run: tiny.Run, tmp_path: Path) -> None:
    """No training is finished on other cases than those that the record names."""
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "volumes").symlink_to(tiny_run.cohort.folder / "volumes")
    cohort = Cohort(tmp_path / "cohort", tiny_run.cohort.cases)
    cohort.save()

    class Meddling(LocalEngine):
        def submit(
            self, function: Callable[[Any], Any], task: Any, ended: Callable[[Any], None] = ignore
        ) -> "Future[Any]":
            if list((tmp_path / "search" / "work").rglob("result.json")):
                Cohort(cohort.folder, cohort.cases[:-1]).save()
            return super().submit(function, task, ended)

    with pytest.raises(UsageError, match="changed while it was searched"):
        run(cohort, tmp_path / "search", Meddling(1), losses=("mbauc",))
    assert len(list((tmp_path / "search" / "work").rglob("result.json"))) == 1
    assert not (tmp_path / "search" / "1-3").exists()


def test_another_choice_for_a_run_that_stands_is_refused(searched: Path, tiny_run: tiny.Run, tmp_path: Path) -> None:
    out = shutil.copytree(searched, tmp_path / "search")
    other = Grids(gamma=GRIDS.gamma, penalty_and_growth=((0.2, 3.0),), delta=(3.0,))
    with pytest.raises(UsageError, match=r"a-fl holds what an earlier search chose from another grid: move it away"):
        run(tiny_run.cohort, out, losses=("a-fl",), grids=other)


@pytest.mark.parametrize("changes", [{"seed": 6}, {"members": 3}, {"epochs": 9}], ids=str)
def test_another_search_in_the_same_folder_is_refused(
    changes: dict[str, Any], searched: Path, tiny_run: tiny.Run
) -> None:
    with pytest.raises(UsageError, match=f"was started with another {next(iter(changes))}; choose another"):
        run(tiny_run.cohort, searched, Forbidden(1), common=replace(COMMON, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"losses": ("hinge",)}, "loss 'hinge' is unknown"),
        ({"losses": ()}, "at least one loss"),
        ({"class_ratios": ()}, "at least one loss and one class ratio"),
        ({"class_ratios": (None, "1:900")}, "choose another ratio"),
        ({"common": TrainingSettings(overrides={"penalty": 0.3})}, "penalty is what the search looks for"),
        ({"common": TrainingSettings(overrides={"base_loss::gamma": 3})}, "gamma is what the search looks for"),
        ({"common": TrainingSettings(overrides={"batchsize": 3})}, "batchsize is no key"),
        ({"common": TrainingSettings(members=0)}, "at least one member"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_written(
    changes: dict[str, Any], message: str, tiny_run: tiny.Run, fresh: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        run(tiny_run.cohort, fresh, Forbidden(1), **changes)
    assert not fresh.exists()


def test_what_is_no_cohort_is_refused(tmp_path: Path, fresh: Path) -> None:
    with pytest.raises(NoInputError, match="is not a cohort"):
        search(tmp_path, fresh, tiny.BUNDLE, settings(), Forbidden(1))
