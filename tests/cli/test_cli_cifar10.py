"""`prostate-alm cifar10` as it is typed."""

import os
import pickle
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prostate_alm.cifar10 import lab, reproduce
from prostate_alm.cifar10.measures import TABLES
from prostate_alm.cifar10.protocol import Scale
from prostate_alm.cifar10.tables import HYPERPARAMETERS
from prostate_alm.errors import UsageError
from prostate_alm.files import lock_folder

REPRODUCE = ("cifar10", "reproduce", "--smoke", "--processes", 1)
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """Eight images of each class in the official layout."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        labels = [place % 10 for place in range(80)]
        data = draw.integers(0, 256, (80, 3072), dtype=np.uint8)
        (folder / name).write_bytes(pickle.dumps({b"data": data, b"labels": labels}, protocol=2))
    return folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """--smoke, smaller still."""
    small = replace(
        reproduce.SMOKE, scale=Scale(8, 4, 8), common={"max_epochs": 1, "patience": None}, constrained_epochs=1
    )
    monkeypatch.setattr(reproduce, "SMOKE", small)


def test_the_table_is_printed_and_written(layout: Path, tmp_path: Path, prostate_alm: Command):
    out = tmp_path / "out"
    code, printed, told = prostate_alm(*REPRODUCE, "--data", layout, "--out", out)
    assert code == 0
    assert "| 1:2 | BCE | alm | 95.41 |" in printed
    assert "trainings: 0 of 8 done, 1 running, 0 failed" in told
    assert "BCE 1:2, classes 0 and 1: finished" in told
    for name in ("index.html", "tables.md", "trainings.csv", "paper/table2.csv"):
        assert (out / name).is_file()
    code, printed, _ = prostate_alm("cifar10", "tables", out)
    assert code == 0
    assert printed.rstrip() == (out / "tables.md").read_text().rstrip()


def test_the_search_prints_what_it_chose(layout: Path, tmp_path: Path, prostate_alm: Command):
    given = ["--data", layout, "--out", tmp_path / "out", "--table", 8, "--search", "--loss", "W-BCE", "--ratio", "1:2"]
    code, printed, _ = prostate_alm(*REPRODUCE, *given)
    assert code == 0
    assert "| 1:2 | W-BCE | weight | N/3 |" in printed


def test_another_class_pair_has_no_paper_beside_it(layout: Path, tmp_path: Path, prostate_alm: Command):
    given = ["--data", layout, "--out", tmp_path / "out", "--classes", "3,5", "--loss", "MBAUC"]
    code, printed, _ = prostate_alm(*REPRODUCE, *given)
    assert code == 0
    assert printed.startswith("## Classes 3 and 5, as Table 2")
    assert "MBAUC" in printed


def test_ctrl_c_says_how_to_go_on(layout: Path, tmp_path: Path, prostate_alm: Command, monkeypatch: pytest.MonkeyPatch):
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("prostate_alm.cifar10.search.train", interrupted)
    code, _, told = prostate_alm(*REPRODUCE, "--data", layout, "--out", tmp_path / "out")
    assert code == 130
    assert "nothing finished is lost. Run the same command again to go on." in told


def test_sigterm_ends_as_ctrl_c_does(
    layout: Path, tmp_path: Path, prostate_alm: Command, monkeypatch: pytest.MonkeyPatch
):
    trained: list[Any] = []

    def terminated(order: lab.Order) -> lab.Facts:
        trained.append(lab.train(order))
        if len(trained) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return trained[-1]

    monkeypatch.setattr("prostate_alm.cifar10.search.train", terminated)
    monkeypatch.setattr("prostate_alm.cifar10.run.train", terminated)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # were it not taken, it would end the tests
    try:
        code, _, told = prostate_alm(*REPRODUCE, "--data", layout, "--out", tmp_path / "out")
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (code, len(trained)) == (130, 2)
    assert "nothing finished is lost. Run the same command again to go on." in told
    assert trained[0]["key"] in (tmp_path / "out" / "trainings.csv").read_text()


@pytest.mark.parametrize("finished", [(), ("MSFE",)])
def test_a_row_that_fails_is_one_line_and_the_others_have_their_tables(
    layout: Path, tmp_path: Path, prostate_alm: Command, monkeypatch: pytest.MonkeyPatch, finished: tuple[str, ...]
):
    train_arm = lab.train_arm

    def failing(bundle: Path, arm: str, folder: Path, overrides: Any, start: Path | None) -> None:
        if overrides["base_loss"]["_target_"].endswith("BCELoss") and arm == "alm":
            raise UsageError("training diverged in epoch 3")
        train_arm(bundle, arm, folder, overrides, start)

    monkeypatch.setattr(lab, "train_arm", failing)
    losses = [argument for loss in ("BCE", *finished) for argument in ("--loss", loss)]
    code, printed, told = prostate_alm(*REPRODUCE, "--data", layout, "--out", tmp_path / "out", *losses)
    assert (code, printed) == (2, "")
    assert "BCE 1:2, classes 0 and 1 failed: training diverged in epoch 3" in told
    assert told.rstrip().endswith("error: training diverged in epoch 3")
    assert (tmp_path / "out" / "tables.md").is_file() == bool(finished)


def test_tables_that_cannot_be_made_do_not_hide_why_a_row_failed(
    layout: Path, tmp_path: Path, prostate_alm: Command, monkeypatch: pytest.MonkeyPatch
):
    def failing(*_: object) -> None:
        raise UsageError("training diverged in epoch 3")

    monkeypatch.setattr(lab, "train_arm", failing)
    for name in ("paper", "search"):
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / "MSFE_1-2_0-1_base.npz").write_bytes(b"damaged")
    code, printed, told = prostate_alm(*REPRODUCE, "--data", layout, "--out", tmp_path / "out")
    assert (code, printed) == (2, "")
    assert "the tables of what is finished cannot be made: " in told
    assert told.rstrip().endswith("error: training diverged in epoch 3")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--table", "3"], 2, "table 3 is not reproduced from CIFAR10; choose 2, 4, 5, 6, 8 or all"),
        (["--table", "two"], 2, "table 'two' is unknown; choose 2, 4, 5, 6, 8 or all"),
        (["--table", "9" * 5000], 2, "is unknown; choose 2, 4, 5, 6, 8 or all"),
        (["--table", "8"], 2, "Table 8 is what the search chooses: give --search"),
        (["--classes", "1,1"], 2, "class pair (1, 1) is one class twice"),
        (["--classes", "1"], 2, "class pair '1' is not two class numbers from 0 to 9"),
        (["--classes", "1,12"], 2, "class pair '1,12' is not two class numbers"),
        (["--ratio", "1:900"], 2, "class ratio 1:900 leaves no positive"),
        (["--ratio", "nine"], 2, "class ratio 'nine' is not of the form 1:8"),
        (["--loss", "hinge"], 2, "loss 'hinge' is unknown; choose one of BCE, S-ML"),
        (["--members", "0"], 2, "an ensemble needs at least one member, got 0"),
        (["--processes", "0"], 2, "--processes must be 1 or more, got 0"),
        (["--engine", "slurm"], 2, "engine 'slurm' is unknown; choose local or ray"),
        (["--engine", "ray", "--processes", "2"], 2, "--processes is for --engine local"),
        (["--address", "auto"], 2, "--address and --gpus-per-task are for --engine ray"),
        (["--data", "nowhere"], 4, "nowhere holds no CIFAR-10"),
    ],
)
def test_a_mistake_is_one_clear_line(
    layout: Path, tmp_path: Path, prostate_alm: Command, arguments: list[str], code: int, message: str
):
    given = ["--data", layout, "--out", tmp_path / "out", *arguments]
    ended, _, told = prostate_alm("cifar10", "reproduce", *given)
    assert ended == code
    assert message in told
    assert told.startswith("error: ")
    assert len(told.strip().splitlines()) == 1


@pytest.mark.parametrize("damage", ["missing", "cut", "hostile"])
def test_damaged_images_are_named(layout: Path, tmp_path: Path, prostate_alm: Command, damage: str):
    batch = layout / "data_batch_3"
    if damage == "missing":
        batch.unlink()
    elif damage == "cut":
        batch.write_bytes(batch.read_bytes()[:1000])
    else:
        batch.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    code, _, told = prostate_alm(*REPRODUCE, "--data", layout, "--out", tmp_path / "out")
    assert code == 4
    assert "data_batch_3" in told


def test_no_results_are_told(tmp_path: Path, prostate_alm: Command):
    code, _, told = prostate_alm("cifar10", "tables", tmp_path)
    assert code == 4
    assert "holds no results" in told


def test_help_names_the_tables_there_are(prostate_alm: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, printed, _ = prostate_alm("cifar10", "reproduce", "--help")
    assert code == 0
    assert "|".join([*map(str, TABLES), str(HYPERPARAMETERS), "all"]) in printed


def test_into_a_folder_that_is_refused_nothing_is_written(layout: Path, tmp_path: Path, prostate_alm: Command):
    out = tmp_path / "out"
    assert prostate_alm(*REPRODUCE, "--data", layout, "--out", out)[0] == 0
    part = out / "paper" / ".one.part.npz"  # half-written
    part.touch()
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    code, _, told = prostate_alm(*REPRODUCE, "--data", layout, "--out", out, "--members", 3)
    assert code == 2
    assert "is of another run (members 2, not 3): choose another --out" in told
    with lock_folder(out):
        code, _, told = prostate_alm(*REPRODUCE, "--data", layout, "--out", out)
    assert code == 2
    assert told.strip().count("\n") == 0
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
