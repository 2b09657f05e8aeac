"""A run that was cut off ends in the same bits as one that was not."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

from prostate_alm.bundle import run_workflow
from prostate_alm.errors import UsageError
from prostate_alm.training import ARMS, COMPARISON, CaseDataset, checkpoint, train
from prostate_alm.training.checkpoint import RESULT, STATE, WEIGHTS

DROPOUT = {"member_def::dropout": 0.3}  # dropout draws from torch's global generator


def run_stage(arm: str, folder: Path, run: tiny.Run, **overrides: Any) -> None:
    start = {} if arm == "base" else {"start_from": str(run.folder / "members" / "00" / "base" / WEIGHTS)}
    places = {"dataset_dir": str(run.cohort.folder), "cache_dir": str(run.folder / "cache"), "output_dir": str(folder)}
    run_workflow(tiny.BUNDLE, ARMS[arm], tiny.OVERRIDES | DROPOUT | places | start | overrides)


def result(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / RESULT).read_text())
    del content["seconds"]
    return content


def state(folder: Path) -> dict[str, Any]:
    content = torch.load(folder / STATE, weights_only=True)
    del content["seconds"]
    return content


def assert_same_stage(ours: Path, wanted: Path) -> None:
    assert result(ours) == result(wanted)  # the history and the hash of the weights
    assert (ours / WEIGHTS).read_bytes() == (wanted / WEIGHTS).read_bytes()
    weights = [torch.load(folder / WEIGHTS, weights_only=True) for folder in (ours, wanted)]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())
    assert same(state(ours), state(wanted))


def cut_off_in_epoch(epoch: int) -> Any:
    """A `CaseDataset.__getitem__` that ends the process within an epoch."""
    drawn, get = 0, CaseDataset.__getitem__

    def cut_off(self: CaseDataset, key: Any) -> dict[str, Any]:
        nonlocal drawn
        drawn += isinstance(key, tuple) and key[0] == epoch
        if drawn == 6:  # in the second batch: multipliers of the first were raised
            raise KeyboardInterrupt
        return get(self, key)

    return cut_off


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit, whatever the nesting."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def test_one_bit_would_be_noticed() -> None:
    value = torch.rand(2000)
    changed = value.clone()
    changed[1234] = torch.nextafter(changed[1234], torch.tensor(2.0))
    assert same({"a": [value, None]}, {"a": [value.clone(), None]})
    assert not same({"a": [value, None]}, {"a": [changed, None]})


SCHEDULED = {"cosine_schedule": True, "accumulation_steps": 2, "balanced": True}


def test_a_schedule_accumulation_and_balanced_draws_go_on_where_they_were(
    tiny_run: tiny.Run, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = fresh / "whole", fresh / "cut"
    run_stage("alm", whole, tiny_run, max_epochs=3, **SCHEDULED)
    with monkeypatch.context() as patch:
        patch.setattr(CaseDataset, "__getitem__", cut_off_in_epoch(3))
        with pytest.raises(KeyboardInterrupt):
            run_stage("alm", cut, tiny_run, max_epochs=3, **SCHEDULED)
    assert state(cut)["epoch"] == 2
    rates = [state(folder)["parts"]["optimizer"]["param_groups"][0]["lr"] for folder in (cut, whole)]
    assert rates == pytest.approx([0.01 * (1 + math.cos(math.pi * 2 / 3)) / 2, 0.0])
    run_stage("alm", cut, tiny_run, max_epochs=3, **SCHEDULED)
    assert_same_stage(cut, whole)


def test_cases_that_other_processes_prepare_are_the_same_cases(tiny_run: tiny.Run, fresh: Path) -> None:
    here, ahead = fresh / "here", fresh / "ahead"
    for folder, workers in ((here, 0), (ahead, 2)):
        run_stage("base", folder, tiny_run, max_epochs=2, num_workers=workers)
    assert_same_stage(ahead, here)


def test_a_schedule_is_of_a_length_and_other_draws_are_other_settings(tiny_run: tiny.Run, fresh: Path) -> None:
    run_stage("base", fresh, tiny_run, max_epochs=1)
    for change in SCHEDULED.items():
        with pytest.raises(UsageError, match="settings"):
            run_stage("base", fresh, tiny_run, max_epochs=2, **dict([change]))
    scheduled = fresh / "scheduled"
    run_stage("base", scheduled, tiny_run, max_epochs=1, cosine_schedule=True)
    with pytest.raises(UsageError, match="settings"):
        run_stage("base", scheduled, tiny_run, max_epochs=2, cosine_schedule=True)


def test_ranks_that_see_different_states_are_refused(
    tiny_run: tiny.Run, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "all_agree", lambda *_: False)
    with pytest.raises(UsageError, match=r"ranks see different states in .*: put it where all of them can read it"):
        run_stage("base", fresh, tiny_run, max_epochs=1)


@pytest.fixture(scope="module")
def straight(tiny_run: tiny.Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Four epochs at one go, by arm."""
    folders = {arm: tmp_path_factory.mktemp("straight") / arm for arm in ("base", "alm")}
    for arm, folder in folders.items():
        run_stage(arm, folder, tiny_run, max_epochs=4)
    return folders


@pytest.mark.parametrize("arm", ["base", "alm"])
def test_two_epochs_and_two_more_are_four(arm: str, tiny_run: tiny.Run, straight: dict[str, Path], fresh: Path) -> None:
    run_stage(arm, fresh, tiny_run, max_epochs=2)
    assert len(result(fresh)["history"]) == 2
    run_stage(arm, fresh, tiny_run, max_epochs=4)
    assert_same_stage(fresh, straight[arm])


@pytest.mark.parametrize("arm", ["base", "alm"])
@pytest.mark.parametrize("epoch", [1, 3])
def test_a_stage_cut_off_within_an_epoch_goes_on(
    arm: str, epoch: int, tiny_run: tiny.Run, straight: dict[str, Path], fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(CaseDataset, "__getitem__", cut_off_in_epoch(epoch))
        with pytest.raises(KeyboardInterrupt):
            run_stage(arm, fresh, tiny_run, max_epochs=4)
    assert not (fresh / RESULT).exists()
    assert (fresh / STATE).exists() == (epoch > 1)
    run_stage(arm, fresh, tiny_run, max_epochs=4)
    assert_same_stage(fresh, straight[arm])


def test_multipliers_and_penalty_are_in_the_state(straight: dict[str, Path]) -> None:
    extra = state(straight["alm"])["parts"]["loss"]["_extra_state"]
    last = result(straight["alm"])["history"][-1]
    assert extra["multipliers"]["values"].numel() > 0
    assert float(extra["multipliers"]["values"].max()) == last["largest_multiplier"] > 0
    assert extra["schedule"]["previous_auc"] == last["val_auc"]


def test_early_stopping_that_had_triggered_trains_no_further_epoch(tiny_run: tiny.Run, fresh: Path) -> None:
    run_stage("base", fresh, tiny_run, max_epochs=30, patience=2)
    before, bytes_before = result(fresh), (fresh / STATE).read_bytes()
    assert before["epochs"] == before["best_epoch"] + 2 < 30
    (fresh / RESULT).unlink()  # as if killed before the result was written
    run_stage("base", fresh, tiny_run, max_epochs=30, patience=2)
    assert result(fresh) == before
    assert (fresh / STATE).read_bytes() == bytes_before


@pytest.mark.parametrize(("interval", "kept"), [(0, None), (3, 3)])
def test_states_are_written_as_rarely_as_told_and_the_result_is_the_same(
    interval: int, kept: int | None, tiny_run: tiny.Run, straight: dict[str, Path], fresh: Path
) -> None:
    run_stage("base", fresh, tiny_run, max_epochs=4, state_interval=interval)
    assert (state(fresh)["epoch"] if (fresh / STATE).exists() else None) == kept
    assert result(fresh) == result(straight["base"])
    assert (fresh / WEIGHTS).read_bytes() == (straight["base"] / WEIGHTS).read_bytes()
    if kept is not None:
        (fresh / RESULT).unlink()  # as if killed in epoch 4
        run_stage("base", fresh, tiny_run, max_epochs=4)
        assert_same_stage(fresh, straight["base"])


LONGER = tiny.settings(epochs=6, constrained_epochs=6)
TRAIN = """
import sys
from pathlib import Path
from prostate_alm.bundle import find_bundle
from prostate_alm.training import TrainingSettings, train
if __name__ == "__main__":
    settings = TrainingSettings(members=2, seed=5, epochs=6, constrained_epochs=6, overrides=eval(sys.argv[3]))
    train(sys.argv[1], sys.argv[2], find_bundle("prostate_dce_classification"), settings, processes=int(sys.argv[4]))
"""


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def kill_when(appears: str, run: tiny.Run, folder: Path, processes: int) -> None:
    """Start a training in a process group of its own, and kill its first process as soon as a file appears."""
    command = [sys.executable, "-c", TRAIN, str(run.cohort.folder), str(folder), repr(tiny.OVERRIDES), str(processes)]
    process = subprocess.Popen(command, start_new_session=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        deadline = time.monotonic() + 120
        while not list(folder.glob(appears)):
            assert process.poll() is None, "the training ended before the file appeared"
            assert time.monotonic() < deadline
            time.sleep(0.003)
        process.kill()
        process.wait()
        deadline = time.monotonic() + 20
        while alive(process.pid):  # workers end with the process that started them
            assert time.monotonic() < deadline, "workers outlive a killed training"
            time.sleep(0.02)
    finally:
        if alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def uninterrupted(tiny_run: tiny.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(tiny_run.cohort.folder, folder, tiny.BUNDLE, LONGER, processes=1)
    return folder


@pytest.mark.slow
def test_sigkill_of_a_run_with_workers_changes_no_bit(tiny_run: tiny.Run, uninterrupted: Path, fresh: Path) -> None:
    """Gone on with in another process, by one worker instead of two; `test_kills` has the other moments."""
    kill_when(f"members/*/alm/{STATE}", tiny_run, fresh, processes=2)
    unfinished = [folder for folder in fresh.glob("members/*/*") if not (folder / RESULT).exists()]
    assert unfinished
    assert not (fresh / "bundle").exists()
    train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, LONGER, processes=1)
    for member in ("00", "01"):
        for name in COMPARISON:
            assert_same_stage(fresh / "members" / member / name, uninterrupted / "members" / member / name)
    for model in ("model.pt", "model_base.pt", "model_continued.pt"):
        assert (fresh / "bundle/models" / model).read_bytes() == (uninterrupted / "bundle/models" / model).read_bytes()
    assert (fresh / "bundle/hashes.json").read_text() == (uninterrupted / "bundle/hashes.json").read_text()


def test_a_state_of_other_data_or_settings_is_not_resumed(tiny_run: tiny.Run, fresh: Path) -> None:
    run_stage("base", fresh, tiny_run, max_epochs=1)
    with pytest.raises(UsageError, match="settings"):
        run_stage("base", fresh, tiny_run, max_epochs=2, learning_rate=0.02)
    with pytest.raises(UsageError, match="data and first weights and settings"):
        run_stage("base", fresh, tiny_run, max_epochs=2, member=1)
    run_stage("base", fresh, tiny_run, max_epochs=2)
    assert result(fresh)["epochs"] == 2


@pytest.mark.parametrize(
    "change",
    [
        {"inferer::precision": "bfloat16"},
        {"augmentation::transforms#0::prob": 0.0},
        {"augmentation::transforms#1::rotate_range": [0.0, 0.0, 0.2]},
        {"spacing_mm": [9.0, 8.0, 6.0]},
    ],
)
def test_other_images_or_another_precision_are_other_settings(
    change: dict[str, Any], tiny_run: tiny.Run, fresh: Path
) -> None:
    run_stage("base", fresh, tiny_run, max_epochs=1)
    with pytest.raises(UsageError, match="holds a stage of other settings: choose"):
        run_stage("base", fresh, tiny_run, max_epochs=2, **change)


def test_a_damaged_state_is_told_and_not_overwritten(tiny_run: tiny.Run, fresh: Path) -> None:
    run_stage("base", fresh, tiny_run, max_epochs=1)
    for content in (b"", b"words", (fresh / STATE).read_bytes()[:500]):
        (fresh / STATE).write_bytes(content)
        with pytest.raises(UsageError, match=r"train_state\.pt is damaged: remove .* to train the stage anew"):
            run_stage("base", fresh, tiny_run, max_epochs=2)
        assert (fresh / STATE).read_bytes() == content


def test_no_patience_at_all_is_refused(tiny_run: tiny.Run, fresh: Path) -> None:
    with pytest.raises(UsageError, match="patience must be 1 epoch or more, or null to train all, got 0"):
        run_stage("base", fresh, tiny_run, patience=0)


def test_validation_may_be_rarer_than_epochs(tiny_run: tiny.Run, fresh: Path) -> None:
    run_stage("base", fresh, tiny_run, max_epochs=4, val_interval=2)
    assert [row["epoch"] for row in result(fresh)["history"]] == [2, 4]
    with pytest.raises(UsageError, match="no epoch was validated"):
        run_stage("base", fresh.with_name("none"), tiny_run, max_epochs=1, val_interval=2)
