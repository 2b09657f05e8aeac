import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from prostate_alm.errors import OutputError, UsageError
from prostate_alm.labels import read_labels
from prostate_alm.phantom import write_cohort
from prostate_alm.phantom.cohort import plan_cohort

ARGUMENTS: dict[str, Any] = {"studies": 3, "class_ratio": "1:2", "dialect": "siemens", "seed": 7, "processes": 1}


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_seed_same_bytes_whatever_the_processes(cohorts: dict[str, Path], tmp_path: Path):
    write_cohort(tmp_path / "again", **(ARGUMENTS | {"processes": 2}))
    assert hashes(tmp_path / "again") == hashes(cohorts["siemens"])


def test_a_study_does_not_depend_on_the_size_of_the_cohort(cohorts: dict[str, Path], tmp_path: Path):
    write_cohort(tmp_path / "two", **(ARGUMENTS | {"studies": 2, "class_ratio": "1:1"}))
    here, there = read_labels(tmp_path / "two" / "labels.csv"), read_labels(cohorts["siemens"] / "labels.csv")
    same = [study for study, label in here.items() if there[study] == label]
    assert same
    for study in same:
        assert hashes(tmp_path / "two" / "studies" / study) == hashes(cohorts["siemens"] / "studies" / study)


def test_another_seed_is_another_patient():
    plans = [plan_cohort(2, "1:1", "siemens", seed, (100, 600), 1.0)[0] for seed in (1, 2)]
    first, second = (plan.identity() for plan in plans)
    assert first.patient_id != second.patient_id
    assert first.uid("study") != second.uid("study")


def test_an_interrupted_cohort_is_completed(cohorts: dict[str, Path], tmp_path: Path):
    shutil.copytree(cohorts["siemens"], tmp_path / "cohort")
    shutil.rmtree(tmp_path / "cohort" / "studies" / "study-0002")
    (tmp_path / "cohort" / "labels.csv").unlink()
    (tmp_path / "cohort" / ".unfinished" / "study-0002" / "half").mkdir(parents=True)
    kept = next((tmp_path / "cohort" / "studies" / "study-0001").glob("*/*"))
    written = kept.stat().st_mtime_ns
    write_cohort(tmp_path / "cohort", **ARGUMENTS)
    assert hashes(tmp_path / "cohort") == hashes(cohorts["siemens"])
    assert kept.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("studies", "ratio", "positives"), [(9, "1:2", 3), (10, "1:2", 3), (2, "1:8", 1), (12, "1:1", 6), (3, "9:1", 2)]
)
def test_class_ratio(studies: int, ratio: str, positives: int):
    labels = [plan.label for plan in plan_cohort(studies, ratio, "siemens", 0, (100, 600, 1000), 1.0)]
    assert sum(labels) == positives
    assert len(labels) == studies


def test_labels_and_truth_agree_with_the_folders(cohorts: dict[str, Path]):
    out = cohorts["standard"]
    labels = read_labels(out / "labels.csv")
    truth = json.loads((out / "ground_truth.json").read_text())
    assert sorted(labels) == sorted(folder.name for folder in (out / "studies").iterdir())
    assert {study["study"]: study["label"] for study in truth["studies"]} == labels
    assert all(study["finding"]["kind"] == "lesion" for study in truth["studies"] if study["label"] == 1)
    assert not (out / ".unfinished").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"studies": 1},
        {"dialect": "klingon"},
        {"class_ratio": "2"},
        {"seed": -1},
        {"b_values": (100,)},
        {"b_values": (100, 100)},
        {"b_values": (100, 9000)},
        {"b_values": (100, 600.5)},
        {"conspicuity": -0.1},
        {"conspicuity": float("nan")},
        {"processes": 0},
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(wrong: dict[str, Any], tmp_path: Path):
    with pytest.raises(UsageError):
        write_cohort(tmp_path / "out", **(ARGUMENTS | wrong))
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_else_is_refused(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("do not lose")
    with pytest.raises(UsageError, match="not empty"):
        write_cohort(tmp_path, **ARGUMENTS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("other", [{"seed": 8}, {"b_values": (50, 400, 800)}, {"conspicuity": 0.5}, {"studies": 4}])
def test_a_cohort_of_other_settings_is_refused(other: dict[str, Any], cohorts: dict[str, Path]):
    with pytest.raises(UsageError, match="other settings"):
        write_cohort(cohorts["siemens"], **(ARGUMENTS | other))


def test_a_damaged_record_is_refused(tmp_path: Path):
    (tmp_path / "ground_truth.json").write_text("{")
    with pytest.raises(UsageError, match="other settings"):
        write_cohort(tmp_path, **ARGUMENTS)


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_cohort(tmp_path / "file" / "out", **ARGUMENTS)
