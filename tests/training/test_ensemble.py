"""Whole runs: what is refused, what is repeated, and that the arms differ by the constraint alone."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch

import prostate_alm
from prostate_alm.cohort import Cohort
from prostate_alm.errors import ModelError, NoInputError, OutputError, UsageError
from prostate_alm.files import lock_folder
from prostate_alm.training import COMPARISON, CaseDataset, MemberTask, TrainingSettings, train, train_member


def history(run: Path, arm: str, member: str = "00") -> list[dict[str, float]]:
    return json.loads((run / "members" / member / arm / "result.json").read_text())["history"]


def test_the_run_s_record_names_settings_and_cohort(tiny_run: tiny.Run) -> None:
    record = json.loads((tiny_run.folder / "run.json").read_text())
    assert record["settings"]["overrides"] == tiny.OVERRIDES
    assert record["software_version"] == prostate_alm.__version__
    assert set(record["configs_sha256"]) == {"train.json", "continued.json", "alm.json"}
    assert record["cohort_sha256"] == tiny_run.cohort.digest()
    assert str(tiny_run.cohort.folder) not in (tiny_run.folder / "run.json").read_text()


def test_every_case_is_preprocessed_once_for_all_stages_and_processes(tiny_run: tiny.Run) -> None:
    assert len(list((tiny_run.folder / "cache").glob("*.pt"))) == len(tiny_run.cohort.cases)


def test_a_changed_volume_is_another_cohort(tiny_run: tiny.Run, tmp_path: Path) -> None:
    shutil.copytree(tiny_run.cohort.folder, tmp_path / "cohort")
    cohort = Cohort.load(tmp_path / "cohort")
    assert cohort.digest() == tiny_run.cohort.digest()
    volume = cohort.folder / cohort.cases[0].images["t2w"]
    volume.write_bytes(volume.read_bytes() + b"!")
    assert cohort.digest() != tiny_run.cohort.digest()


def test_the_same_call_again_trains_nothing(tiny_run: tiny.Run) -> None:
    def stamps() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in tiny_run.folder.rglob("*.pt")}

    before, lines = stamps(), list[str]()
    train(tiny_run.cohort.folder, tiny_run.folder, tiny.BUNDLE, tiny_run.settings, processes=1, progress=lines.append)
    assert stamps() == before
    assert lines == ["member 00 trained (1 of 2)", "member 01 trained (2 of 2)"]


def test_members_differ(tiny_run: tiny.Run) -> None:
    weights = [(tiny_run.folder / "members" / member / "base" / "model.pt").read_bytes() for member in ("00", "01")]
    assert weights[0] != weights[1]


def test_a_run_that_was_started_otherwise_is_left_alone(tiny_run: tiny.Run) -> None:
    record = (tiny_run.folder / "run.json").read_bytes()
    for named, changed in {
        "seed": tiny.settings(seed=6),
        "batch_size": tiny.settings(overrides=tiny.OVERRIDES | {"batch_size": 5}),
        "patience": tiny.settings(overrides=tiny.OVERRIDES | {"patience": 1}),
    }.items():
        with pytest.raises(UsageError, match=f"was started with another {named}; choose another --out"):
            train(tiny_run.cohort.folder, tiny_run.folder, tiny.BUNDLE, changed, processes=1)
    assert (tiny_run.folder / "run.json").read_bytes() == record


def test_another_cohort_in_the_same_run_is_refused(tiny_run: tiny.Run, tmp_path: Path) -> None:
    (tmp_path / "volumes").symlink_to(tiny_run.cohort.folder / "volumes")
    Cohort(tmp_path, tiny_run.cohort.cases[:-1]).save()
    with pytest.raises(UsageError, match="was started with another cohort;"):
        train(tmp_path, tiny_run.folder, tiny.BUNDLE, tiny_run.settings, processes=1)


def test_two_trainings_in_one_run_folder_are_refused(tiny_run: tiny.Run) -> None:
    with lock_folder(tiny_run.folder), pytest.raises(UsageError, match="another process works in"):
        train(tiny_run.cohort.folder, tiny_run.folder, tiny.BUNDLE, tiny_run.settings, processes=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "hinge"}, "loss 'hinge' is unknown; choose one of bce"),
        ({"members": 0}, "at least one member"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"epochs": 0}, "at least one epoch"),
        ({"constrained_epochs": -2}, "at least one epoch"),
        (
            {"overrides": {"batchsize": 4}},
            r"batchsize is no key of the bundle's train\.json, continued\.json, alm\.json",
        ),
        ({"class_ratio": "1:1000"}, "choose another ratio"),
        ({"class_ratio": "many"}, "class ratio"),
    ],
)
def test_settings_that_cannot_be_trained_are_refused_before_anything_is_written(
    changes: dict[str, Any], message: str, tiny_run: tiny.Run, fresh: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, tiny.settings(**changes))
    assert not fresh.exists()


def test_a_key_of_the_constraint_is_none_without_the_constraint(tiny_run: tiny.Run, fresh: Path) -> None:
    with pytest.raises(UsageError, match=r"margin is no key of the bundle's train\.json"):
        train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, TrainingSettings(alm=False, overrides={"margin": 2.0}))


@pytest.mark.parametrize(("labels", "message"), [([], "has no case"), ([0, 0, 0, 1], "1 patients have label 1")])
def test_cohorts_that_cannot_be_trained_are_refused(
    labels: list[int], message: str, tmp_path: Path, fresh: Path
) -> None:
    Cohort(tmp_path, tiny.make_cohort(tmp_path / "all", labels).cases).save()
    with pytest.raises(UsageError, match=message):
        train(tmp_path, fresh, tiny.BUNDLE, tiny.settings())
    assert not fresh.exists()


def test_what_is_no_cohort_no_bundle_or_no_folder_is_refused(tiny_run: tiny.Run, tmp_path: Path, fresh: Path) -> None:
    with pytest.raises(NoInputError, match="is not a cohort"):
        train(tmp_path, fresh, tiny.BUNDLE, tiny.settings())
    with pytest.raises(ModelError, match=r"has no configs/train\.json"):
        train(tiny_run.cohort.folder, fresh, tmp_path, tiny.settings())
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write to"):
        train(tiny_run.cohort.folder, tmp_path / "file", tiny.BUNDLE, tiny.settings())


def test_training_leaves_the_number_of_threads_alone(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        train_member(MemberTask(tiny.BUNDLE, tmp_path, (), {}))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_the_penalty_grows_exactly_when_the_validation_auc_fell(tiny_run: tiny.Run, fresh: Path) -> None:
    """Labels that mean nothing and a high learning rate: the AUC goes up and down."""
    noise = {"learning_rate": 0.05, "growth": 2.0, "margin": 0.5, "penalty": 0.3}
    given = tiny.settings(members=1, epochs=1, constrained_epochs=12, overrides=tiny.OVERRIDES | noise)
    train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, given, processes=1)
    rows, penalty, falls = history(fresh, "alm"), 0.3, 0
    for previous, row in zip([None, *rows], rows, strict=False):
        assert row["penalty"] == pytest.approx(penalty)  # of the epoch that ends here
        if previous is not None and row["val_auc"] < previous["val_auc"]:
            penalty, falls = penalty * 2.0, falls + 1
    assert falls >= 1
    state = torch.load(fresh / "members/00/alm/train_state.pt", weights_only=True)
    assert state["parts"]["loss"]["_extra_state"]["schedule"]["penalty"] == pytest.approx(penalty)
    largest = [row["largest_multiplier"] for row in rows]
    assert largest == sorted(largest)
    assert all(0 <= row["satisfied_share"] <= 1 for row in rows)


def test_the_best_epoch_is_the_earliest_with_the_best_auc(tiny_run: tiny.Run) -> None:
    for arm in COMPARISON:
        result = json.loads((tiny_run.folder / "members" / "01" / arm / "result.json").read_text())
        aucs = [row["val_auc"] for row in result["history"]]
        assert result["best_metric"] == max(aucs)
        assert result["best_epoch"] == 1 + aucs.index(max(aucs))
        assert [row["epoch"] for row in result["history"]] == list(range(1, result["epochs"] + 1))


def test_continued_and_alm_draw_the_same_batches(
    tiny_run: tiny.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws: dict[str, list[tuple[Any, ...]]] = {}
    get, arm = CaseDataset.__getitem__, ""

    def record(self: CaseDataset, key: Any) -> dict[str, Any]:
        case = get(self, key)
        image = hashlib.sha256(case["image"].numpy().tobytes()).hexdigest()
        draws[arm].append((isinstance(key, tuple) and key[0], case["case_id"], image))
        return case

    monkeypatch.setattr(CaseDataset, "__getitem__", record)
    shutil.copytree(tiny_run.folder / "members" / "00" / "base", tmp_path / "base")
    places = {"dataset_dir": str(tiny_run.cohort.folder), "cache_dir": str(tmp_path / "cache"), "max_epochs": 2}
    for arm in ("continued", "alm"):
        draws[arm] = []
        train_member(MemberTask(tiny.BUNDLE, tmp_path, (arm,), tiny.OVERRIDES | places))
    assert draws["continued"] == draws["alm"]
    assert {epoch for epoch, *_ in draws["alm"]} == {1, 2, False}
    assert (tmp_path / "continued" / "model.pt").read_bytes() != (tmp_path / "alm" / "model.pt").read_bytes()
    assert "penalty" not in json.loads((tmp_path / "continued" / "result.json").read_text())["history"][0]


def test_the_base_loss_alone_gives_one_arm(tiny_run: tiny.Run, fresh: Path) -> None:
    given = TrainingSettings(loss="a-fl", alm=False, members=1, epochs=1, class_ratio="1:3", overrides=tiny.OVERRIDES)
    bundle = train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, given, processes=1)
    assert [path.name for path in (fresh / "members" / "00").iterdir()] == ["base"]
    assert [path.name for path in (bundle / "models").glob("*.pt")] == ["model.pt"]
    joined = torch.load(bundle / "models" / "model.pt", weights_only=True)
    alone = torch.load(fresh / "members" / "00" / "base" / "model.pt", weights_only=True)
    assert all(torch.equal(joined[f"members.0.{name}"], value) for name, value in alone.items())


@pytest.mark.parametrize(
    "key", ["member", "seed", "dataset_dir", "cache_dir", "stage", "split::member", "train#dataset"]
)
def test_what_a_run_depends_on_cannot_be_overridden(tiny_run, fresh, key):
    with pytest.raises(UsageError, match=key):
        train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, tiny.settings(overrides={key: 1}))


def test_early_stopping_ends_the_base_stage_alone(tiny_run, fresh):
    overrides = tiny.OVERRIDES | {"patience": 1, "learning_rate": 0.0}  # the AUC never rises: stops after two epochs
    settings = tiny.settings(members=1, epochs=6, constrained_epochs=4, overrides=overrides)
    train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, settings, processes=1)
    assert [len(history(fresh, arm)) for arm in COMPARISON] == [2, 4, 4]


@pytest.mark.parametrize(("key", "value"), [("loss", None), ("optimizer", {}), ("max_epochs", 0), ("max_epochs", "x")])
def test_what_would_break_the_pipeline_is_refused(tiny_run, fresh, key, value):
    with pytest.raises(UsageError):
        train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, tiny.settings(overrides={key: value}))


def test_a_cohort_that_moved_is_the_same_cohort(tiny_run, fresh, tmp_path):
    settings = tiny.settings(members=1, epochs=2, constrained_epochs=1)
    train(tiny_run.cohort.folder, fresh, tiny.BUNDLE, settings, processes=1)
    shutil.rmtree(fresh / "bundle")
    (fresh / "members" / "00" / "alm" / "result.json").unlink()  # as if killed before the stage was finished
    moved = shutil.copytree(tiny_run.cohort.folder, tmp_path / "moved")
    train(moved, fresh, tiny.BUNDLE, settings, processes=1)
    assert len(history(fresh, "alm")) == 1
