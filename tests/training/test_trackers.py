"""TensorBoard and MLflow get what the result's history holds, one row per epoch."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import tiny
from monai.handlers import mlflow_handler

from prostate_alm.bundle import run_workflow
from prostate_alm.errors import UsageError
from prostate_alm.training import ARMS, require_package, trackers

LOGGED = {"train_loss", "val_auc", "penalty", "largest_multiplier", "mean_violation", "satisfied_share"}


def run_alm(run: tiny.Run, out: Path, **overrides: Any) -> list[dict[str, float]]:
    places = {"dataset_dir": str(run.cohort.folder), "cache_dir": str(run.folder / "cache"), "output_dir": str(out)}
    start = {"start_from": str(run.folder / "members/00/base/model.pt"), "max_epochs": 2}
    run_workflow(tiny.BUNDLE, ARMS["alm"], tiny.OVERRIDES | places | start | overrides)
    history = json.loads((out / "result.json").read_text())["history"]
    assert set(history[0]) == LOGGED | {"epoch"}
    return history


def test_tensorboard_gets_every_figure_of_every_epoch(tiny_run: tiny.Run, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = run_alm(tiny_run, tmp_path, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert set(events.Tags()["scalars"]) == LOGGED
    for name in LOGGED:
        told = {event.step: event.value for event in events.Scalars(name)}
        assert told == pytest.approx({row["epoch"]: row[name] for row in history}, rel=1e-6)


def test_mlflow_gets_every_figure_of_every_epoch_in_a_run_that_ends(
    tiny_run: tiny.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, addresses = MagicMock(), []
    client.get_experiment_by_name.return_value = SimpleNamespace(experiment_id="1", lifecycle_stage="active")
    client.search_runs.return_value = []
    entities = SimpleNamespace(
        RunStatus=SimpleNamespace(FINISHED=3, to_string=str),
        LifecycleStage=SimpleNamespace(ACTIVE="active"),
        Param=lambda key, value: (key, value),
        Metric=lambda key, value, _time, step: (step, key, value),
    )
    stub = SimpleNamespace(
        MlflowClient=lambda tracking_uri: addresses.append(tracking_uri) or client, entities=entities
    )
    monkeypatch.setattr(mlflow_handler, "mlflow", stub)
    monkeypatch.setattr(trackers, "find_spec", lambda _name: stub)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    history = run_alm(tiny_run, tmp_path, mlflow=True)
    told = [metric for call in client.log_batch.call_args_list for metric in call.kwargs["metrics"]]
    wanted = {(row["epoch"], name): row[name] for row in history for name in LOGGED}
    assert {(step, name): value for step, name, value in told if name in LOGGED} == pytest.approx(wanted)
    assert addresses == [f"sqlite:///{tmp_path}/mlflow.db"]
    assert client.create_run.call_args.kwargs["run_name"] == str(tmp_path)
    assert client.set_terminated.call_count == 1


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_missing_tracker_is_one_line_before_anything_is_trained(
    name: str, tiny_run: tiny.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=rf"{name} needs the package {name}: pip install 'prostate-alm\[trackers\]'"):
        run_alm(tiny_run, tmp_path / "out", **{name: True})
    assert not (tmp_path / "out" / "result.json").exists()


def test_no_tracker_is_asked_for_by_default(
    tiny_run: tiny.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda _name: None)
    run_alm(tiny_run, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"model.pt", "train_state.pt", "result.json"}


def test_an_installed_package_is_let_through() -> None:
    require_package("torch", key="network")


def test_figures_of_an_earlier_validation_are_not_told_again(tiny_run: tiny.Run, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run_alm(tiny_run, tmp_path, tensorboard=True, val_interval=2, max_epochs=3)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    steps = {name: [event.step for event in events.Scalars(name)] for name in LOGGED}
    assert steps == {name: [2] for name in LOGGED} | {"train_loss": [1, 2, 3]}
