"""Keys are renewed only after a proof; a run then goes on as if it had always been this code's."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cifar10.runs import TINY, carry_out

from prostate_alm.cifar10 import environment
from prostate_alm.cifar10.ledger import read_environments, read_ledger, write_ledger
from prostate_alm.cifar10.results import load_result
from prostate_alm.errors import UsageError
from prostate_alm.training import LocalEngine

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import rekey_ledger

SIZE = {"scale": TINY.scale, "constrained_epochs": TINY.constrained_epochs}
REQUEST = replace(TINY, losses=("S-ML",))


@pytest.fixture
def older(layout: Path, tmp_path: Path, trained: list[str]) -> Iterator[Path]:
    """What a run left whose code had another hash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "code_hash", lambda: "older")
        carry_out(layout, tmp_path / "run", REQUEST)
    trained.clear()
    return tmp_path / "run"


def renew(out: Path, layout: Path) -> tuple[int, list[str]]:
    with LocalEngine(1) as engine:
        return rekey_ledger.rekey(out, layout, engine, size=SIZE)


def test_a_proved_run_goes_on_without_a_training(older: Path, layout: Path, trained: list[str]):
    before = read_ledger(older)
    stored = {path.name: load_result(path) for path in (older / "paper").glob("*.npz")}
    assert renew(older, layout) == (3, [])
    assert sorted(trained) == ["alm", "base", "continued"]
    after = read_ledger(older)
    assert not set(before) & set(after)
    assert len(after) == len(before) == 6
    assert {row["environment"] for row in after.values()} == {row["environment"] for row in before.values()}
    for path in (older / "paper").glob("*.npz"):
        (now, key), (then, old) = load_result(path), stored[path.name]
        assert key != old
        assert now.test_logits.tolist() == then.test_logits.tolist()
        assert now.details == then.details
    trained.clear()
    carry_out(layout, older, REQUEST)
    assert trained == []
    assert len(read_environments(older)) == 2
    assert renew(older, layout)[0] == 3  # what is renewed already is proved again and stays
    assert read_ledger(older).keys() == after.keys()


def test_other_weights_leave_everything_as_it_is(older: Path, layout: Path):
    ledger = read_ledger(older)
    key = next(key for key, row in ledger.items() if (row["arm"], row["member"]) == ("continued", "0"))
    ledger[key]["weights_sha256"] = "0" * 64
    write_ledger(older, ledger)
    files = {path: path.read_bytes() for path in older.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=r"other weights than in .*: S-ML 1:2 continued, member 0; the keys stay"):
        renew(older, layout)
    assert {path: path.read_bytes() for path in older.rglob("*") if path.is_file()} == files


def test_another_processors_trainings_prove_nothing_and_are_named(older: Path, layout: Path, trained: list[str]):
    ledger = read_ledger(older)
    for row in ledger.values():
        row["machine"] = "another" if row["arm"] == "alm" or row["member"] == "0" else row["machine"]
    write_ledger(older, ledger)
    assert renew(older, layout) == (2, ["1:2 S-ML alm"])
    assert sorted(trained) == ["base", "continued"]


def test_a_key_of_no_known_environment_is_refused(older: Path, layout: Path):
    (older / "environments.json").unlink()
    with pytest.raises(UsageError, match=r"of no environment in environments\.json, or of another size"):
        renew(older, layout)
