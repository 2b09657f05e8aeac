"""A run's trainings, made anew by the maintainer's script."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cifar10.runs import TINY, carry_out

from prostate_alm.cifar10.ledger import read_ledger, write_ledger
from prostate_alm.errors import UsageError
from prostate_alm.training import LocalEngine

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import recompute_trainings

SIZE = {"scale": TINY.scale, "constrained_epochs": TINY.constrained_epochs}


@pytest.fixture
def out(layout: Path, tmp_path: Path, trained: list[str]) -> Path:
    """A finished run whose common settings are the bundle's, as a full run's are."""
    carry_out(layout, tmp_path / "run", replace(TINY, losses=("S-ML",), common={"max_epochs": 2, "patience": 1}))
    ledger = read_ledger(tmp_path / "run")
    for row in ledger.values():
        row["common"] = ""
    write_ledger(tmp_path / "run", ledger)
    trained.clear()
    return tmp_path / "run"


def recompute(out: Path, layout: Path, monkeypatch: pytest.MonkeyPatch, members: int = 1):
    """With the few epochs of the run, which its ledger does not tell any more."""
    of_row = recompute_trainings._training
    monkeypatch.setattr(
        recompute_trainings,
        "_training",
        lambda row, size: replace(of_row(row, size), common=(("max_epochs", 2), ("patience", 1))),
    )
    with LocalEngine(1) as engine:
        return recompute_trainings.recompute(out, layout, engine, members=members, size=SIZE)


@pytest.mark.parametrize("members", [1, 2])
def test_the_same_code_gives_the_same_weights(
    out: Path, layout: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch, members: int
):
    files = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    found = recompute(out, layout, monkeypatch, members)
    assert sorted(one.arm for one in found.same) == sorted(["base", "continued", "alm"] * members) == sorted(trained)
    assert (found.other, found.absent) == ([], [])
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == files


def test_other_weights_and_other_machines_are_told(out: Path, layout: Path, monkeypatch: pytest.MonkeyPatch):
    ledger = read_ledger(out)
    for row in ledger.values():
        if row["arm"] == "continued":
            row["weights_sha256"] = "0" * 64
        if row["arm"] == "alm" or row["member"] == "0":
            row["machine"] = "another"
    write_ledger(out, ledger)
    found = recompute(out, layout, monkeypatch)
    assert [(one.arm, one.member) for one in found.same] == [("base", 1)]
    assert [(one.arm, one.member) for one in found.other] == [("continued", 1)]
    assert found.absent == [("1:2", "S-ML", "alm")]


def test_a_training_whose_base_is_of_another_machine_is_passed_over(
    out: Path, layout: Path, monkeypatch: pytest.MonkeyPatch
):
    ledger = read_ledger(out)
    for row in ledger.values():
        if row["arm"] == "base":
            row["machine"] = "another"
    write_ledger(out, ledger)
    with pytest.raises(UsageError, match="no training with the bundle's common settings from a machine like this"):
        recompute(out, layout, monkeypatch)


def test_where_nothing_can_be_compared_it_is_not_said_to_be_the_same(
    out: Path, layout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(UsageError, match="at least one member"):
        recompute(out, layout, monkeypatch, members=0)
    ledger = read_ledger(out)
    next(iter(ledger.values()))["environment"] = "another"
    write_ledger(out, ledger)
    with pytest.raises(UsageError, match="trainings of 2 environments"):
        recompute(out, layout, monkeypatch)
    for folder, reason in ((out, "2 environments"), (layout, "no training with")):  # a folder without a ledger
        monkeypatch.setattr(sys, "argv", ["recompute_trainings.py", str(folder), "--data", str(layout)])
        with pytest.raises(SystemExit) as ended:
            recompute_trainings.main()
        assert ended.value.code == 2
        assert reason in capsys.readouterr().err


@pytest.mark.parametrize(("weights", "code"), [(None, 0), ("0" * 64, 1)])
def test_the_script_says_what_came_out(
    out: Path,
    layout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    weights: str,
    code: int,
):
    ledger = read_ledger(out)
    for row in ledger.values():
        row["weights_sha256"] = weights or row["weights_sha256"]
    write_ledger(out, ledger)
    of_row = recompute_trainings._training
    small = {"common": (("max_epochs", 2), ("patience", 1)), **SIZE}
    monkeypatch.setattr(recompute_trainings, "_training", lambda row, _: replace(of_row(row, {}), **small))
    monkeypatch.setattr(sys, "argv", ["x", str(out), "--data", str(layout), "--processes", "1"])
    with pytest.raises(SystemExit) as ended:
        recompute_trainings.main()
    assert ended.value.code == code
    told = capsys.readouterr().out
    assert ("3 trainings with the same weights, 0 with others" in told) == (code == 0)
    assert told.count("other weights: ") == 3 * code
