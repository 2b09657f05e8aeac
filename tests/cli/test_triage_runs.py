"""Whole command lines on pretended studies: what a run leaves, how it is taken up, watched, previewed and verified."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pretended_studies
import pytest
import tiny

from prostate_alm.bundle import Predictor
from prostate_alm.operating_point import Threshold

SALT = "a salt for the tests"


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Pretended studies, model and threshold in a folder; gives the folder."""
    for owner, name, other in pretended_studies.replaced():
        monkeypatch.setattr(owner, name, other)
    pretended_studies.fake_threshold().save(tmp_path / "threshold.json")
    predictor = pretended_studies.FakePredictor(threshold_file=tmp_path / "threshold.json")
    monkeypatch.setattr(Predictor, "load", lambda *_, **_options: predictor)
    pretended_studies.write_study(tmp_path / "incoming", "low", logit=-3.0)
    pretended_studies.write_study(tmp_path / "incoming", "high", logit=3.0)
    pretended_studies.write_study(tmp_path / "incoming", "broken", raises="truncated")
    return tmp_path


@pytest.fixture
def run(world, prostate_alm):
    def triage(*arguments, out="out"):
        return prostate_alm("triage", world / "incoming", "--out", world / out, *arguments)

    return triage


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_a_dry_run_tells_what_would_be_done_and_writes_nothing(world, run, prostate_alm):
    code, told, shown = run("--dry-run")
    rows = [json.loads(line) for line in told.splitlines()]
    assert code == 3
    assert sorted(row["would"] for row in rows) == ["decide", "decide", "undecided"]
    assert all(set(row) == {"study_key", "would", "reasons", "series_used"} for row in rows)
    assert [row["reasons"] for row in rows if row["would"] == "undecided"] == [["OSError: truncated"]]
    assert "2 decide, 0 reuse, 1 undecided" in shown
    assert not (world / "out").exists()
    assert run()[0] == 3
    before = files(world / "out")
    code, told, _ = run("--dry-run", "--resume", "--keymap", world / "private" / "keymap.csv")
    assert sorted(json.loads(line)["would"] for line in told.splitlines()) == ["reuse", "reuse", "undecided"]
    _, told, _ = run("--dry-run", "--force")
    assert sorted(json.loads(line)["would"] for line in told.splitlines()) == ["decide", "decide", "undecided"]
    assert files(world / "out") == before
    assert not (world / "private").exists()


def test_a_dry_run_computes_no_logit(world, run, monkeypatch):
    monkeypatch.setattr(pretended_studies.FakePredictor, "logit", lambda *_: pytest.fail("a logit was computed"))
    monkeypatch.setattr(pretended_studies.FakePredictor, "image", lambda *_: pytest.fail("an image was made"))
    assert run("--dry-run")[0] == 3


def test_a_dry_run_checks_what_a_run_checks(world, run):
    (world / "file").write_text("")
    assert run("--dry-run", out="file/out")[0] == 6
    assert run("--dry-run", "--keymap", world / "out" / "keymap.csv")[0] == 2
    assert run("--dry-run", "--keymap", world / "threshold.json")[0] == 2
    assert run("--dry-run", "--resume")[0] == 2
    other = Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256="b" * 64, patients=("p",)).save(
        world / "other.json"
    )
    assert run("--dry-run", "--threshold", other)[0] == 8
    assert run("--dry-run", "--rules", world / "nowhere.yaml")[0] == 2
    assert not (world / "out").exists()


def test_resume_needs_a_run(world, run):
    code, _, shown = run("--resume")
    assert (code, "holds no run" in shown) == (2, True)
    assert not (world / "out").exists()
    (world / "out").mkdir()
    assert run("--resume")[0] == 2


def test_resume_goes_on_with_the_same_and_refuses_anything_else(world, run, prostate_alm):
    assert run()[0] == 3
    before = files(world / "out")
    assert run("--resume")[0] == 3
    assert {name for name in files(world / "out") if name.endswith(".json")} == {
        name for name in before if name.endswith(".json")
    }
    Threshold(-5.0, "certified", 0.1, 0.1, 22, 1, model_sha256=pretended_studies.MODEL, patients=("p",)).save(
        world / "other.json"
    )
    (world / "site.yaml").write_text("checks: {min_overlap: 0.9}")
    before = files(world / "out")
    for arguments, what in (
        (["--threshold", world / "other.json"], "threshold"),
        (["--rules", world / "site.yaml"], "rules"),
        (["--harmonise"], "harmonise"),
    ):
        code, _, shown = run("--resume", *arguments)
        assert (code, f"another {what};" in shown) == (7, True), shown
    assert files(world / "out") == before
    assert run("--threshold", world / "other.json")[0] == 3  # without --resume it computes anew, as it says
    code, _, shown = run("--resume")
    assert (code, "another threshold" in shown) == (7, True)


def test_rules_of_the_site_are_named_in_every_result(world, run):
    (world / "site.yaml").write_text("checks: {min_overlap: 0.9}\nt2: {never: [secretword]}\n")
    _, told, _ = run("--rules", world / "site.yaml")
    for line in told.splitlines():
        assert json.loads(line)["rules"]["changed"] == ["t2.never", "checks.min_overlap"]
    assert "secretword" not in told


def test_the_log_can_be_verified_and_its_last_hash_noted(world, run, prostate_alm):
    run()
    code, told, _ = prostate_alm("audit", "verify", world / "out" / "audit.jsonl")
    assert code == 0
    assert told.startswith("6 entries, last hash ")
    head = told.split()[-1]
    run()
    assert prostate_alm("audit", "verify", world / "out", "--head", head)[0] == 0
    assert prostate_alm("audit", "verify", world / "out", "--head", "0" * 64)[0] == 8
    assert prostate_alm("audit", "verify", world / "nowhere")[0] == 4
    assert prostate_alm("audit", "verify")[0] == 2
    shutil.copy(world / "out" / "audit.jsonl", world / "copy.jsonl")
    assert prostate_alm("audit", "verify", world / "copy.jsonl")[0] == 8
    assert prostate_alm("audit", "verify", world / "copy.jsonl", "--log-only")[0] == 0


@pytest.mark.parametrize("place", [0, 100, 900, -2, -1])
def test_a_changed_byte_in_the_log_is_exit_code_8_and_one_line(world, run, prostate_alm, place):
    run()
    log = world / "out" / "audit.jsonl"
    data = bytearray(log.read_bytes())
    data[place] ^= 1
    log.write_bytes(data)
    code, told, shown = prostate_alm("audit", "verify", log)
    assert (code, told) == (8, "")
    assert len(shown.splitlines()) == 1
    assert "line " in shown


def test_a_changed_byte_in_a_result_is_named(world, run, prostate_alm):
    run()
    path = sorted((world / "out").glob("*.json"))[0]
    path.write_text(path.read_text().replace("undecided", "Undecided").replace("dce", "Dce", 1))
    code, _, shown = prostate_alm("audit", "verify", world / "out")
    assert (code, path.name in shown) == (8, True)


@pytest.mark.parametrize("flipped", ["models/model.pt", "models/training_ranges.json", "models/threshold.json"])
def test_a_changed_byte_in_weights_ranges_or_threshold_is_exit_code_8(tmp_path, prostate_alm, flipped):
    pretended_studies.write_study(tmp_path / "incoming", "a")
    bundle = shutil.copytree(tiny.BUNDLE, tmp_path / "bundle", ignore=shutil.ignore_patterns("eval", "model.pt2"))
    hashes = json.loads((bundle / "hashes.json").read_text())
    hashes.pop("models/model.pt2", None)
    (bundle / "hashes.json").write_text(json.dumps(hashes))
    path = bundle / flipped
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    code, told, shown = prostate_alm("triage", tmp_path / "incoming", "--out", tmp_path / "out", "--model", bundle)
    assert (code, told) == (8, ""), shown
    assert not list((tmp_path / "out").glob("*.json"))


def terminate_when(ready):
    """Send this process a SIGTERM as soon as something holds."""

    def wait():
        for _ in range(2000):
            if ready():
                break
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_sigterm_ends_as_cleanly_as_ctrl_c(world, run, prostate_alm, monkeypatch):
    temporary = world / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with zipfile.ZipFile(world / "packed.zip", "w") as archive:
        archive.write(world / "incoming" / "low" / "1.dcm", "1.dcm")
    started = threading.Event()
    read = pretended_studies.fake_read

    def slow(study, **options):
        assert list(temporary.rglob("*.dcm"))  # the archive is unpacked
        started.set()
        time.sleep(20)
        return read(study, **options)

    monkeypatch.setattr("prostate_alm.triage.judge.read_isolated", slow)
    before = signal.getsignal(signal.SIGTERM)
    thread = terminate_when(started.is_set)
    code, _, _ = prostate_alm("triage", world / "packed.zip", "--out", world / "out")
    thread.join()
    assert code == 130
    assert list(temporary.iterdir()) == []
    assert "interrupted" in (world / "out" / "worklist.csv").read_text()
    assert signal.getsignal(signal.SIGTERM) == before
    assert prostate_alm("audit", "verify", world / "out")[0] == 0


def test_a_watch_decides_what_arrives_and_ends_on_sigterm(world, prostate_alm):
    out = world / "out"
    thread = terminate_when(lambda: len(list(out.glob("*.json"))) == 3)
    code, told, shown = prostate_alm("triage", world / "incoming", "--out", out, "--watch", "--settle", "0.3")
    thread.join()
    assert code in (3, 130)  # 130 if the signal came before the last worklist
    assert len(told.splitlines()) >= 2
    assert "watching" in shown
    assert prostate_alm("audit", "verify", out)[0] == 0


def test_without_a_reader_of_stdout_all_studies_are_decided(world, run, monkeypatch):
    class Gone:
        def write(self, _text):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Gone())
        code, _, shown = run()
    assert code == 6
    assert "3 studies: 1 undecided, 1 dce_required, 1 dce_not_required" in shown
    assert shown.splitlines()[-1].startswith("error: stdout cannot be written (Broken pipe)")
    assert len((world / "out" / "worklist.csv").read_text().splitlines()) == 4
    assert run()[0] == 3  # the next call knows nothing of it


def test_a_path_that_does_not_exist_is_named_and_beside_others_leaves_no_row(world, prostate_alm):
    code, told, shown = prostate_alm("triage", world / "nowhere", "--out", world / "out")
    assert (code, told, "nowhere does not exist" in shown) == (4, "", True)
    assert not (world / "out").exists()
    studies = [world / "incoming" / name for name in ("low", "nowhere", "high")]
    for dry_run in (["--dry-run"], []):
        code, told, shown = prostate_alm("triage", *studies, "--out", world / "out", *dry_run)
        assert (code, len(told.splitlines())) == (3, 2)
        assert f"{studies[1]} does not exist" in shown
    assert len((world / "out" / "worklist.csv").read_text().splitlines()) == 3


def test_the_terminal_gets_the_full_text_of_what_cannot_be_read(world, prostate_alm):
    with zipfile.ZipFile(world / "incoming.zip", "w") as archive:
        archive.writestr("MILLER.txt", "no DICOM")
    for dry_run in (["--dry-run"], []):
        _, told, shown = prostate_alm(
            "triage", world / "incoming.zip", world / "incoming", "--out", world / "out", *dry_run
        )
        assert "holds no readable DICOM file" in shown
        assert "holds no" not in told
        assert "no readable DICOM image" in told


@pytest.mark.slow
def test_a_process_of_its_own_ends_well_on_sigterm(tmp_path):
    """As systemd stops it, between two deliveries."""
    pretended_studies.write_study(tmp_path / "incoming", "a")
    command = [sys.executable, "-c", "from prostate_alm.cli import main; main()", "triage", str(tmp_path / "incoming")]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "out"), "--watch"],
        env={**os.environ, "PROSTATE_ALM_SALT": SALT, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("watching"):
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        told = process.stderr.read()
        assert process.wait(30) == 0, told  # it waits for nothing else to arrive: no study was cut short
    assert "Traceback" not in told
    assert Path(tmp_path / "out" / "audit.jsonl").is_file()
