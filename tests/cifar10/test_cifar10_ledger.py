"""The table of all trainings: written and read again, refused in one line if it is damaged, and what is told of it."""

import csv
import errno
from pathlib import Path
from typing import Any

import pytest

from prostate_alm.cifar10.ledger import COLUMNS, LEDGER, Facts, read_ledger, run_facts, write_ledger
from prostate_alm.errors import NoInputError

ROW = dict.fromkeys(COLUMNS, "") | {
    "key": "a", "classes": "0-1", "class_ratio": "1:2", "loss": "BCE", "arm": "alm", "penalty": "0.2", "growth": "3.0",
    "margin": "1.0", "member": "0", "seed": "0", "validation_auc": "0.95", "best_epoch": "7", "epochs": "9",
    "seconds": "1800.0", "weights_sha256": "f", "environment": "e", "machine": "AMD (x86_64), 2 cores",
}  # fmt: skip


def ledger_of(*changes: dict[str, Any]) -> dict[str, Facts]:
    """A row for each of the changes, with a key of its own."""
    return {str(number): ROW | {"key": str(number)} | change for number, change in enumerate(changes)}


def test_what_is_written_is_read_again(tmp_path: Path):
    ledger = ledger_of({"member": "1"}, {"member": "0"})
    assert read_ledger(write_ledger(tmp_path, ledger).parent) == ledger


def test_the_order_of_the_rows_does_not_depend_on_the_run(tmp_path: Path):
    ledger = ledger_of({"member": "1"}, {"arm": "base"}, {"member": "0"})
    first = write_ledger(tmp_path, ledger).read_bytes()
    assert write_ledger(tmp_path, dict(reversed(ledger.items()))).read_bytes() == first


def test_no_table_is_no_training(tmp_path: Path):
    assert read_ledger(tmp_path) == {}
    assert run_facts({}) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"validation_auc": ""}, "line 3: validation_auc is ''"),
        ({"validation_auc": "nan"}, "line 3: validation_auc is 'nan'"),
        ({"seconds": ""}, "line 3: seconds is ''"),
        ({"seconds": "long"}, "line 3: seconds is 'long'"),
        ({"seconds": "inf"}, "line 3: seconds is 'inf'"),
        ({"key": ""}, "line 3: key is ''"),
    ],
)
def test_a_value_that_cannot_be_is_named(tmp_path: Path, change: dict[str, str], what: str):
    write_ledger(tmp_path, ledger_of({"arm": "a"}, {"arm": "b"} | change))
    with pytest.raises(NoInputError) as refused:
        read_ledger(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path / LEDGER} is no table of trainings ({what}); remove it, its trainings are computed again"
    )


HEAD, LINE = (",".join(words).encode() for words in (COLUMNS, [f'"{ROW[name]}"' for name in COLUMNS]))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "other columns"),
        (b"key,loss\n1,BCE\n", "other columns"),
        (HEAD + b",more\n", "other columns"),
        (HEAD + b"\n" + LINE.rpartition(b',"')[0] + b"\n", "line 2: other columns"),
        (HEAD + b"\n" + LINE[:-5], "unexpected end of data"),
        (HEAD + b"\n" + LINE + b",more\n", "line 2: other columns"),
        (HEAD + b"\n" + LINE.replace(b"AMD", b"\xff\xfe") + b"\n", "no UTF-8"),
        (HEAD + b"\n" + LINE.replace(b"AMD", b"A" * 200_000) + b"\n", "field larger than field limit"),
    ],
)
def test_what_is_no_such_table_is_one_line(tmp_path: Path, content: bytes, what: str):
    (tmp_path / LEDGER).write_bytes(content)
    with pytest.raises(NoInputError, match=f"is no table of trainings .*{what}.*; remove it"):
        read_ledger(tmp_path)


def test_a_table_that_may_not_be_read_is_not_to_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_ledger(tmp_path, ledger_of({}))

    def refusing(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(NoInputError, match=r"trainings\.csv cannot be read: Permission denied; may you read it\?"):
        read_ledger(tmp_path)


def test_a_run_on_one_machine_names_it():
    told = dict(run_facts(ledger_of({}, {"member": "1"})))
    assert told["trainings"] == "2"
    assert told["machine"] == "AMD (x86_64), 2 cores"
    assert told["hours of these trainings, summed over workers"] == "1.0"


def test_several_machines_are_told_apart_with_what_each_made():
    other = {"machine": "Intel (x86_64), 2 cores"}
    told = dict(run_facts(ledger_of(other, {"member": "1"}, {"member": "2"})))
    assert told["machine"] == "AMD (x86_64), 2 cores: 2 trainings; Intel (x86_64), 2 cores: 1 training"


@pytest.mark.parametrize(
    ("change", "searched"),
    [
        ({"penalty": "0.3"}, True),
        ({"margin": "2.0"}, True),
        ({"parameter": "2.0"}, True),
        ({"member": "1"}, False),
        ({"arm": "continued", "penalty": "", "growth": "", "margin": ""}, False),
        ({"classes": "6-7"}, False),
        ({"common": "max_epochs=12", "penalty": "0.3"}, False),
        ({"environment": "other"}, False),
    ],
)
def test_a_search_is_told_where_there_was_one(change: dict[str, str], searched: bool):
    told = dict(run_facts(ledger_of({}, change)))
    assert told["trainings"] == ("2, those of the search among them" if searched else "2")


def test_the_published_table_is_read():
    folder = Path(__file__).parents[2] / "docs" / "results" / "cifar10"
    with (folder / LEDGER).open(newline="") as file:
        assert len(read_ledger(folder)) == len(list(csv.DictReader(file)))
