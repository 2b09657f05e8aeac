"""search, evaluate and compare as a user calls them: from a cohort to the paper's tables."""

import csv
import json
import os
import signal
from pathlib import Path

import pytest
import tiny

from prostate_alm.cli.engines import engine_of
from prostate_alm.cohort import Cohort
from prostate_alm.errors import UsageError
from prostate_alm.metrics import auc
from prostate_alm.training import LocalEngine, train

SETS = [word for key, value in tiny.OVERRIDES.items() for word in ("--set", f"{key}={json.dumps(value)}")]
SMALL = ("--members", 2, "--epochs", 2, "--constrained-epochs", 1, "--processes", 1, *SETS)
ASKED = ("--loss", "w-bce", "--loss", "mbauc", "--class-ratio", "natural", "--class-ratio", "1:4")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return tiny.shared_run(tmp_path_factory.getbasetemp()).cohort


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return tiny.make_cohort(tmp_path_factory.mktemp("others") / "test", [0, 1, 0] * 4, first=50)


@pytest.mark.slow
def test_from_a_cohort_to_the_tables(prostate_alm, cohort, others, tmp_path):
    grid = tmp_path / "grid.yaml"
    grid.write_text("weight: [N/3, N]\npenalty_and_growth: [[0.2, 3]]\ndelta: [1.0]\n")
    call = ("search", cohort.folder, "--out", tmp_path / "s", "--grid", grid, *ASKED, *SMALL)
    code, out, err = prostate_alm(*call)
    assert code == 0, err
    assert "| natural | with ALM | W-BCE |" in out
    assert "w-bce 1-4: finished" in err
    assert (tmp_path / "s" / "table7.md").read_text().split("\n", 1)[1] in out
    with (tmp_path / "s" / "table7.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["ratio"], row["training"], row["loss"]) for row in rows if row["loss"] == "MBAUC"] == [
        ("natural", "alone", "MBAUC"), ("1:4", "alone", "MBAUC"),
    ]  # fmt: skip
    assert {row["weight c"] for row in rows if row["loss"] == "W-BCE"} <= {"N/3", "N"}

    code, out, err = prostate_alm("evaluate", tmp_path / "s", others.folder, "--out", tmp_path / "e")
    assert code == 0, err
    assert "1-4/w-bce: test positives thinned to 1:4, seeded: 2 of 12 studies left out" in out
    assert "natural/mbauc: base: AUC" in out
    assert "natural/w-bce: test positives" not in out
    assert_members_are_kept(tmp_path / "e" / "1-4" / "w-bce")
    assert_arms_and_losses_are_paired(tmp_path / "e" / "1-4")
    code, _, err = prostate_alm("evaluate", tmp_path / "s", others.folder, "--out", tmp_path / "x", "--threshold", grid)
    assert code == 2
    assert "a threshold is locked for one model" in err
    assert not (tmp_path / "x").exists()

    code, out, err = prostate_alm("compare", tmp_path / "e", "--out", tmp_path / "c")
    assert code == 0, err
    assert "| 1:4 (n1 = 2, n0 = 8) | with ALM | W-BCE |" in out
    assert "| natural (n1 = 4, n0 = 8) | alone | MBAUC |" in out
    assert out.rstrip() == (tmp_path / "c" / "comparison.md").read_text().rstrip()
    code, out, _ = prostate_alm("compare", tmp_path / "e", "--json")
    assert json.loads(out) == json.loads((tmp_path / "c" / "comparison.json").read_text())


def assert_arms_and_losses_are_paired(folder: Path) -> None:
    """The same test positives are left out for all of them."""
    found = set()
    for path in folder.glob("*/predictions.csv"):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        for arm in {row["arm"] for row in rows}:
            found.add(frozenset((row["case_id"], row["label"]) for row in rows if row["arm"] == arm))
    assert len(list(folder.glob("*/predictions.csv"))) == 2
    assert len(found) == 1


def assert_members_are_kept(folder: Path) -> None:
    """The ensemble's logit is the mean of its members' on every line, and Table 3 follows from the file."""
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 10
    for row in rows:
        members = [float(row["member_00"]), float(row["member_01"])]
        assert float(row["logit"]) == pytest.approx(sum(members) / 2, abs=1e-6)
        assert members[0] != members[1]
    labels = [int(row["label"]) for row in rows if row["arm"] == "alm"]
    assert auc([float(row["member_00"]) for row in rows if row["arm"] == "alm"], labels).value is not None


def test_a_run_at_an_induced_ratio_is_tested_at_it_unless_told_otherwise(prostate_alm, cohort, others, tmp_path):
    given = tiny.settings(alm=False, members=1, epochs=1, class_ratio="1:4")
    train(cohort.folder, tmp_path / "run", tiny.BUNDLE, given, processes=1)

    def left(*arguments: str) -> tuple[int, str]:
        code, out, err = prostate_alm("evaluate", tmp_path / "run", others.folder, "--out", tmp_path / "e", *arguments)
        assert code == 0, err
        labels = [line.split(",")[1] for line in (tmp_path / "e" / "predictions.csv").read_text().splitlines()[1:]]
        assert labels.count("0") == 8
        return labels.count("1"), out

    count, out = left()
    assert count == 2
    assert "test positives thinned to 1:4" in out
    assert "thinned to 1:4" in (tmp_path / "e" / "report.html").read_text()
    assert left("--class-ratio", "natural")[0] == 4
    assert left("--class-ratio", "1:8")[0] == 1
    code, _, err = prostate_alm(
        "evaluate", tmp_path / "run", others.folder, "--out", tmp_path / "e", "--class-ratio", "1:90"
    )
    assert code == 2
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "first").symlink_to(tmp_path / "run")
    assert prostate_alm("evaluate", tmp_path / "runs", others.folder, "--out", tmp_path / "several")[0] == 0
    assert (tmp_path / "several" / "first" / "evaluation.json").is_file()
    assert "choose another ratio" in err


def test_mistakes_are_one_line(prostate_alm, cohort, others, tmp_path):
    def line(code: int, *arguments: object) -> str:
        found, _, err = prostate_alm(*arguments)
        (told,) = [text for text in err.splitlines() if text.startswith("error")]
        assert found == code
        return told

    out = ("--out", tmp_path / "s")
    (tmp_path / "grid.yaml").write_text("gama: [1]")
    assert "hinge" in line(2, "search", cohort.folder, *out, "--loss", "hinge")
    assert "1:900" in line(2, "search", cohort.folder, *out, "--class-ratio", "1:900")
    assert "class ratio 'many'" in line(2, "search", cohort.folder, *out, "--class-ratio", "many")
    assert "gama" in line(2, "search", cohort.folder, *out, "--grid", tmp_path / "grid.yaml")
    assert "absent.yaml" in line(4, "search", cohort.folder, *out, "--grid", tmp_path / "absent.yaml")
    assert "is not a cohort" in line(4, "search", tmp_path, *out)
    assert "neither a bundle" in line(5, "evaluate", tmp_path, others.folder, "--out", tmp_path / "e")
    assert "holds no evaluation" in line(4, "compare", tmp_path / "absent")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("command", ["train", "search"])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--engine", "slurm"), "engine 'slurm' is unknown"),
        (("--address", "auto"), "--address and --gpus-per-task are for --engine ray"),
        (("--engine", "ray", "--processes", 2), "--processes is for --engine local"),
        (("--processes", 0), "--processes must be 1 or more"),
    ],
)
def test_an_engine_that_is_none_is_refused(command, options, told, prostate_alm, cohort, tmp_path):
    code, _, err = prostate_alm(command, cohort.folder, "--out", tmp_path / "run", *options)
    assert code == 2
    assert told in err
    assert not (tmp_path / "run").exists()


def test_a_local_engine_has_no_more_processes_than_tasks():
    def slots(processes: int | None, tasks: int | None) -> int:
        return engine_of("local", processes, None, 0.0, tasks=tasks).slots

    assert slots(8, 3) == 3
    assert slots(2, 3) == 2
    assert slots(4, None) == 4
    assert slots(4, 0) == 1  # the run itself says what is wrong with no member
    assert slots(None, None) == LocalEngine().slots
    with pytest.raises(UsageError, match="must be 1 or more"):
        slots(-1, 3)


def test_sigterm_ends_a_search_as_ctrl_c_does(prostate_alm, tmp_path, monkeypatch):
    def terminated(*_args, **_named):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("went on after SIGTERM")

    monkeypatch.setattr("prostate_alm.training.search.run.search", terminated)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # were it not taken, it would end the tests
    try:
        code, _, told = prostate_alm("search", tmp_path, "--out", tmp_path / "out")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert code == 130
    assert "nothing finished is lost. Run the same command again to go on." in told
