"""What a test result says of itself, and when one that is there must not be written over."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cifar10.runs import TINY, carry_out
from pretended_lab import lab_in

from prostate_alm.cifar10.evaluation import Evaluation, evaluation_of
from prostate_alm.cifar10.lab import read_facts
from prostate_alm.cifar10.ledger import read_ledger, write_ledger
from prostate_alm.cifar10.protocol import Scale
from prostate_alm.cifar10.results import ArmResult, save_result
from prostate_alm.cifar10.trainings import Training
from prostate_alm.errors import UsageError

COMMON = (("max_epochs", 12), ("member_def::channels", (8, 16)))
ALM = Training("BCE", "1:2", arm="alm", common=COMMON, constrained_epochs=8)
TOLD = {
    "common": {"max_epochs": 12, "member_def::channels": [8, 16]},
    "constrained_epochs": 8,
    "scale": {"training": 300, "validation": 100, "test": 1000},
}


def asked(folder: Path, training: Training, members: int = 2) -> Evaluation:
    return evaluation_of(lab_in(folder), [replace(training, member=member) for member in range(members)], "paper")


def put(evaluation: Evaluation, details: dict[str, Any], key: str = "of other trainings") -> None:
    training = evaluation.orders[0].training
    labels = np.repeat([0, 1], [training.scale.test, 1])
    result = ArmResult(
        training.class_ratio,
        training.loss,
        training.arm,
        np.zeros(len(labels), np.float32),
        labels,
        np.arange(len(labels)),
        seed=training.seed,
        member_aucs=(0.5,) * len(evaluation.orders),
        details=details,
    )
    save_result(evaluation.path, result, key=key)


@pytest.mark.parametrize(
    ("other", "members", "difference"),
    [
        (ALM, 10, "members 2, not 10"),
        (replace(ALM, seed=1), 2, "seed 0, not 1"),
        (replace(ALM, scale=Scale(test=200)), 2, "test negatives 1000, not 200"),
        (replace(ALM, scale=Scale(60, 100)), 2, "training negatives 300, not 60"),
        (replace(ALM, scale=Scale(300, 20)), 2, "validation negatives 100, not 20"),
        (
            replace(ALM, common=COMMON[:1]),
            2,
            'common settings {"max_epochs": 12, "member_def::channels": [8, 16]}, not {"max_epochs": 12}',
        ),
        (replace(ALM, constrained_epochs=None), 2, "epochs of the second stage 8, not the bundle's"),
        (replace(ALM, seed=1, constrained_epochs=9), 2, "seed 0, not 1; epochs of the second stage 8, not 9"),
    ],
)
def test_a_result_of_another_run_is_not_written_over(tmp_path: Path, other: Training, members: int, difference: str):
    put(asked(tmp_path, ALM), TOLD)
    with pytest.raises(UsageError) as error:
        asked(tmp_path, other, members).stored()
    path = tmp_path / "paper" / "BCE_1-2_0-1_alm.npz"
    assert str(error.value) == f"{path} is of another run ({difference}): choose another --out"


def test_a_result_of_the_same_run_but_of_other_trainings_is_made_anew(tmp_path: Path):
    put(asked(tmp_path, ALM), TOLD)
    assert asked(tmp_path, ALM).stored() is None
    put(asked(tmp_path, ALM), TOLD, key=asked(tmp_path, ALM).key)
    assert asked(tmp_path, ALM).stored() is not None
    put(asked(tmp_path, replace(ALM, arm="base")), TOLD | {"constrained_epochs": None})
    assert asked(tmp_path, replace(ALM, arm="base", constrained_epochs=9)).stored() is None  # it has no second stage


def test_what_a_result_of_older_code_does_not_say_is_not_held_against_it(tmp_path: Path):
    put(asked(tmp_path, ALM), {"common": TOLD["common"]})
    assert asked(tmp_path, ALM).stored() is None
    assert asked(tmp_path, replace(ALM, constrained_epochs=9)).stored() is None
    with pytest.raises(UsageError, match="is of another run"):
        asked(tmp_path, replace(ALM, common=())).stored()


def test_a_result_of_other_images_is_not_written_over(tmp_path: Path):
    put(asked(tmp_path, ALM), TOLD | {"images": "f" * 64})
    with pytest.raises(UsageError, match=r"another run \(images ffffffffffff, not images\)"):
        asked(tmp_path, ALM).stored()


def test_of_the_very_trainings_a_result_is_taken_whatever_it_says(tmp_path: Path):
    put(asked(tmp_path, ALM), {}, key=asked(tmp_path, ALM).key)
    assert asked(tmp_path, ALM).stored() is not None


def test_a_smoke_run_does_not_write_over_a_longer_one(layout: Path, tmp_path: Path, trained: list[str]):
    carry_out(layout, tmp_path, TINY)
    before = {path: path.read_bytes() for path in (tmp_path / "paper").iterdir()}
    trained.clear()
    with pytest.raises(UsageError, match=r"epochs of the second stage 2, not 1\): choose another --out"):
        carry_out(layout, tmp_path, replace(TINY, constrained_epochs=1))
    with pytest.raises(UsageError, match=r'common settings \{"max_epochs": 2\}, not \{"max_epochs": 1\}\)'):
        carry_out(layout, tmp_path, replace(TINY, common={"max_epochs": 1}))
    assert trained == []
    assert {path: path.read_bytes() for path in (tmp_path / "paper").iterdir()} == before


def test_a_conflict_of_one_row_stops_all_before_any_training(layout: Path, tmp_path: Path, trained: list[str]):
    carry_out(layout, tmp_path, replace(TINY, losses=("S-ML",)))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    trained.clear()
    with pytest.raises(UsageError, match=r"S-ML.*is of another run"):
        carry_out(layout, tmp_path, replace(TINY, losses=("BCE", "S-ML"), constrained_epochs=1))
    assert trained == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_result_says_what_it_rests_on(layout: Path, tmp_path: Path):
    base, continued, _, alm = carry_out(layout, tmp_path / "out", TINY)
    told = alm.details
    assert told["constraint"] == {"penalty": 0.2, "growth": 4.0, "margin": 2.0}
    assert told["settings"] == "paper"
    assert told["members"] == len(told["validation_aucs"]) == len(told["weights_sha256"]) == 2
    assert told["precision"] in ("float32", "bfloat16")
    assert "cores" in told["machine"]
    assert all(value >= 0.2 for value in told["penalties_reached"])
    assert told["scale"] == {"training": 8, "validation": 4, "test": 4}
    assert (told["common"], told["constrained_epochs"]) == ({"max_epochs": 2}, 2)
    assert base.details["constrained_epochs"] is None
    assert base.details["start_sha256"] == [None, None]
    assert told["start_sha256"] == continued.details["start_sha256"] == base.details["weights_sha256"]
    assert told["retrained"] == 0


def test_a_result_of_retrained_weights_says_so_and_by_what_they_were_chosen(layout: Path, tmp_path: Path):
    first = carry_out(layout, tmp_path / "out", TINY)[0].details
    ledger = read_ledger(tmp_path / "out")
    moved = next(key for key, row in ledger.items() if (row["arm"], row["member"]) == ("base", "1"))
    ledger[moved] |= {"weights_sha256": "of another processor", "validation_auc": "0.25"}
    (tmp_path / "elsewhere").mkdir()
    write_ledger(tmp_path / "elsewhere", ledger)
    base, *_ = carry_out(layout, tmp_path / "elsewhere", TINY)
    assert base.details["validation_aucs"] == [first["validation_aucs"][0], 0.25]
    assert base.details["retrained"] == 1
    assert base.details["weights_sha256"] == first["weights_sha256"]


def test_arms_that_started_from_different_bases_can_be_told(layout: Path, tmp_path: Path):
    carry_out(layout, tmp_path, TINY)
    keys = {(row["arm"], row["member"]): key for key, row in read_ledger(tmp_path).items()}
    for name in ("model.pt", "result.json"):  # the base, lost and trained anew by another processor
        source = tmp_path / "work" / keys["base", "1"] / name
        shutil.copyfile(source, tmp_path / "work" / keys["base", "0"] / name)
    shutil.rmtree(tmp_path / "work" / keys["alm", "0"])
    (tmp_path / "paper" / "BCE_1-2_0-1_alm.npz").unlink()
    base, continued, _, alm = (result.details for result in carry_out(layout, tmp_path, TINY))
    assert continued["start_sha256"] == base["weights_sha256"]
    assert alm["start_sha256"] == [base["weights_sha256"][1]] * 2


def test_a_training_of_before_leaves_its_start_open(layout: Path, tmp_path: Path):
    carry_out(layout, tmp_path, TINY)
    for path in (tmp_path / "trainings").iterdir():
        facts = read_facts(path)
        del facts["start_sha256"]
        np.savez_compressed(path, facts=np.array(json.dumps(facts)))
    (tmp_path / "paper" / "BCE_1-2_0-1_alm.npz").unlink()
    *_, alm = carry_out(layout, tmp_path, TINY)
    assert alm.details["start_sha256"] == [None, None]
