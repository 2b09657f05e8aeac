"""What a kill may leave of a training, and how the run goes on."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cifar10.runs import TINY, carry_out

from prostate_alm.cifar10 import lab
from prostate_alm.cifar10.lab import START, read_facts
from prostate_alm.cifar10.ledger import read_ledger
from prostate_alm.cifar10.results import load_results
from prostate_alm.files import sha256
from prostate_alm.training.checkpoint import RESULT, WEIGHTS


@pytest.fixture
def out(layout: Path, tmp_path: Path, trained: list[str]) -> Path:
    """A finished run; what it trained is forgotten."""
    carry_out(layout, tmp_path / "out", TINY)
    trained.clear()
    return tmp_path / "out"


def key_of(out: Path, arm: str, member: int = 0) -> str:
    rows = read_ledger(out).values()
    return next(row["key"] for row in rows if (row["arm"], row["member"]) == (arm, str(member)))


def result_file(out: Path, key: str) -> Path:
    return out / "trainings" / f"{key}.npz"


def untest(out: Path, arm: str) -> None:
    """Remove the test result of an arm, so that its weights are wanted again."""
    (path,) = (out / "paper").glob(f"*_{arm}.npz")
    path.unlink()


def logits(out: Path, arm: str) -> np.ndarray:
    return next(result.test_logits for result in load_results(out / "paper") if result.arm == arm)


@pytest.mark.parametrize("arm", ["base", "alm"])
def test_a_lost_result_file_is_made_from_the_weights(layout: Path, out: Path, trained: list[str], arm: str):
    key, before = key_of(out, arm), logits(out, arm)
    lost = result_file(out, key)
    facts = read_facts(lost)
    lost.unlink()
    untest(out, arm)
    carry_out(layout, out, TINY)
    assert trained == []
    assert read_facts(lost) == facts
    np.testing.assert_array_equal(logits(out, arm), before)


def test_a_base_is_not_made_anew_for_a_result_file(layout: Path, out: Path, trained: list[str]):
    key, base = key_of(out, "alm"), key_of(out, "base")
    facts = read_facts(result_file(out, key))
    result_file(out, key).unlink()
    untest(out, "alm")
    shutil.rmtree(out / "work" / base)
    carry_out(layout, out, TINY)
    assert trained == []
    assert read_facts(result_file(out, key)) == facts  # also what it started from


def test_a_base_that_is_lost_is_made_anew_for_what_starts_from_it(layout: Path, out: Path, trained: list[str]):
    key, base = key_of(out, "alm"), key_of(out, "base")
    untest(out, "alm")
    shutil.rmtree(out / "work" / base)
    shutil.rmtree(out / "work" / key)
    carry_out(layout, out, TINY)
    assert trained == ["base", "alm"]


def test_weights_that_the_result_does_not_name_are_no_training(layout: Path, out: Path, trained: list[str]):
    key, other = (out / "work" / key_of(out, "base", member) for member in (0, 1))
    named = sha256(key / WEIGHTS)
    shutil.copyfile(other / WEIGHTS, key / WEIGHTS)
    untest(out, "base")
    carry_out(layout, out, TINY)
    assert trained == ["base"]
    assert sha256(key / WEIGHTS) == named


@pytest.mark.parametrize("damaged", ["{", "[]", "null", "{}"])
def test_a_result_that_cannot_be_read_is_no_training(layout: Path, out: Path, trained: list[str], damaged: str):
    (out / "work" / key_of(out, "base") / RESULT).write_text(damaged)
    untest(out, "base")
    carry_out(layout, out, TINY)
    assert trained == ["base"]


def test_the_result_file_of_other_weights_is_made_anew(layout: Path, out: Path, trained: list[str]):
    key, other = key_of(out, "base"), key_of(out, "base", 1)
    for name in (WEIGHTS, RESULT):  # as if trained anew by another processor, and killed before the result file
        shutil.copyfile(out / "work" / other / name, out / "work" / key / name)
    untest(out, "base")
    said: list[str] = []
    carry_out(layout, out, TINY, said)
    assert trained == []
    assert read_facts(result_file(out, key))["weights_sha256"] == sha256(out / "work" / other / WEIGHTS)
    assert "made anew with other weights (another processor?): 1 trainings" in said


def test_a_training_says_what_weights_it_started_from(out: Path):
    for member in (0, 1):
        base = read_facts(result_file(out, key_of(out, "base", member)))
        assert base["start_sha256"] == ""
        for arm in ("continued", "aucm", "alm"):
            facts = read_facts(result_file(out, key_of(out, arm, member)))
            assert facts["start_sha256"] == base["weights_sha256"]


def test_what_a_training_started_from_is_not_what_its_base_is_now(layout: Path, out: Path):
    key, base, other = key_of(out, "alm"), key_of(out, "base"), key_of(out, "base", 1)
    began = read_facts(result_file(out, key))["start_sha256"]
    for name in (WEIGHTS, RESULT):
        shutil.copyfile(out / "work" / other / name, out / "work" / base / name)
    result_file(out, key).unlink()
    untest(out, "alm")
    carry_out(layout, out, TINY)
    assert read_facts(result_file(out, key))["start_sha256"] == began


def test_a_training_of_before_does_not_guess_what_it_started_from(layout: Path, out: Path):
    key = key_of(out, "alm")
    began = json.loads((out / "work" / key / START).read_text())
    assert began["weights_sha256"] == sha256(out / "work" / key_of(out, "base") / WEIGHTS)
    (out / "work" / key / START).unlink()
    result_file(out, key).unlink()
    untest(out, "alm")
    carry_out(layout, out, TINY)
    assert read_facts(result_file(out, key))["start_sha256"] == ""


@pytest.mark.parametrize("arm", ["base", "alm"])
def test_the_machine_is_that_of_the_training_not_of_who_writes_it_down(
    layout: Path, out: Path, monkeypatch: pytest.MonkeyPatch, arm: str
):
    key = key_of(out, arm)
    where = read_facts(result_file(out, key))["machine"]
    result_file(out, key).unlink()
    untest(out, arm)
    monkeypatch.setattr(lab, "machine", lambda: "another")
    carry_out(layout, out, TINY)
    assert read_facts(result_file(out, key))["machine"] == where


def test_a_damaged_record_of_the_start_is_no_record(layout: Path, out: Path):
    key = key_of(out, "alm")
    (out / "work" / key / START).write_text("[")
    result_file(out, key).unlink()
    untest(out, "alm")
    carry_out(layout, out, TINY)
    assert read_facts(result_file(out, key))["start_sha256"] == ""
