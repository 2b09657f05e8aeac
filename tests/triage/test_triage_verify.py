"""`audit verify` after a kill and beside a run."""

import json
import shutil
import threading
from contextlib import suppress

import pytest

from prostate_alm.errors import IntegrityError, NoInputError, UsageError
from prostate_alm.files import lock_folder, sha256
from prostate_alm.triage import Options, triage_studies, verify, verify_log
from prostate_alm.triage.audit import AUDIT, AuditLog
from prostate_alm.triage.chain import START, seal
from prostate_alm.triage.session import open_session
from prostate_alm.triage.worklist import WORKLIST, Run


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(verify, "PAUSE", 0.01)


def entries(out, event):
    rows = [json.loads(line) for line in (out / AUDIT).read_text().splitlines()]
    return [row for row in rows if row["event"] == event]


# --- what can be verified


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"\n", "line 1"), (b"text", "line 1"), (b'{"event":"log"}\n', "line 1")],
)
def test_what_is_no_log_is_not_verified(tmp_path, content, words):
    (tmp_path / AUDIT).write_bytes(content)
    with pytest.raises(IntegrityError, match=words):
        verify_log(tmp_path)


def test_a_log_that_does_not_begin_as_one_is_not_verified(tmp_path):
    (tmp_path / AUDIT).write_bytes(seal({"event": "run"}, 0, START)[0])
    with pytest.raises(IntegrityError, match="does not begin an audit log"):
        verify_log(tmp_path)
    with pytest.raises(NoInputError):
        verify_log(tmp_path / "nowhere")


def test_a_log_alone_is_checked_without_results(studies, ruling, out, tmp_path):
    triage_studies([studies("a")], ruling, out=out)
    shutil.copy(out / AUDIT, tmp_path / "copy.jsonl")
    with pytest.raises(IntegrityError, match="is missing"):
        verify_log(tmp_path / "copy.jsonl")
    assert verify_log(tmp_path / "copy.jsonl", alone=True).entries == 4


# --- the head


def test_a_hash_is_known_however_it_was_typed(studies, ruling, out):
    triage_studies([studies("a")], ruling, out=out)
    head = verify_log(out).head
    assert verify_log(out, head=f"  {head.upper()}\n").head == head


@pytest.mark.parametrize("typed", ["", "abc", "0" * 63, "0" * 65, "g" * 64])
def test_what_is_no_hash_is_a_mistake_in_the_call(studies, ruling, out, typed):
    triage_studies([studies("a")], ruling, out=out)
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        verify_log(out, head=typed)


# --- torn lines


def test_a_first_line_torn_anywhere_is_closed_and_verifies(tmp_path):
    line, _ = seal({"event": "log", "schema_version": 1, "software_version": "1", "time": "t"}, 0, START)
    for cut in range(1, len(line)):
        out = tmp_path / str(cut)
        out.mkdir()
        (out / AUDIT).write_bytes(line[:cut])
        with pytest.raises(IntegrityError, match="not whole"):
            verify_log(out)
        AuditLog(out).close()
        size = 0 if cut == len(line) - 1 else cut
        assert verify_log(out).notes == (f"a line that was torn by a stop was closed, 1 time, {size} bytes in all",)


def test_a_changed_tail_without_its_last_newline_is_not_healed(studies, ruling, out):
    studies("a")
    studies("b")
    triage_studies([out.parent / "incoming"], ruling, out=out)
    lines = (out / AUDIT).read_bytes().splitlines()
    changed = [line.replace(b"dce_not_required", b"dce_yes_required") for line in lines[2:]]
    (out / AUDIT).write_bytes(b"\n".join([*lines[:2], *changed]))
    for _ in range(2):
        with pytest.raises(IntegrityError, match="line 3 was changed"):
            verify_log(out)
        with pytest.raises(IntegrityError, match="line 3 was changed"):
            AuditLog(out)


def test_how_much_is_torn_is_said(studies, ruling, out):
    triage_studies([studies("a")], ruling, out=out)
    whole = (out / AUDIT).read_bytes()
    (out / AUDIT).write_bytes(whole[:-100])
    size = len(whole) - 100 - whole.rindex(b"\n", 0, -1) - 1
    with pytest.raises(IntegrityError, match=rf"line 4 is not whole \({size} bytes\)"):
        verify_log(out)


# --- the worklist


def test_a_worklist_that_was_taken_away_is_named(studies, ruling, out):
    triage_studies([studies("a")], ruling, out=out)
    (out / WORKLIST).unlink()
    with pytest.raises(IntegrityError, match=r"worklist\.csv is missing"):
        verify_log(out)


def test_no_worklist_after_a_run_began_is_a_note(studies, ruling, out):
    triage_studies([studies("a")], ruling, out=out)
    listed = (out / WORKLIST).read_bytes()
    (out / WORKLIST).unlink()
    log = AuditLog(out)
    log.record("run", settings_key="x")
    log.close()
    assert verify_log(out).notes == ("there is no worklist.csv: the last run is under way, or it was stopped",)
    (out / WORKLIST).write_bytes(listed)  # that of the run before tells nothing of this one
    with pytest.raises(IntegrityError, match=r"worklist\.csv is not as logged"):
        verify_log(out)


# --- beside a run


def test_verifying_beside_a_run_raises_no_alarm(studies, ruling, out, reports):
    """Everything is computed again and again, while it is verified."""
    for name in "abc":
        studies(name)
    incoming = out.parent / "incoming"
    triage_studies([incoming], ruling, out=out, options=reports)
    done, verified = threading.Event(), 0

    def work():
        for _ in range(15):
            triage_studies([incoming], ruling, out=out, options=Options(dicom=True, force=True))
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        while not done.is_set():
            with suppress(UsageError):  # no alarm either
                verify_log(out)
                verified += 1
    finally:
        worker.join()
    assert verified > 3
    assert verify_log(out).notes == ()


def test_beside_an_idle_service_what_was_changed_is_found(studies, ruling, out):
    (decision,) = triage_studies([studies("a")], ruling, out=out)
    with lock_folder(out):
        assert "a run works in the folder" in verify_log(out).notes[-1]
        for name in (WORKLIST, f"{decision.study_key}.json"):
            content = (out / name).read_bytes()
            (out / name).write_bytes(content + b" ")
            with pytest.raises(IntegrityError, match=f"{name} is not as logged"):
                verify_log(out)
            (out / name).write_bytes(content)


def test_what_is_logged_and_not_yet_written_is_waited_for(studies, ruling, out, monkeypatch):
    (decision,) = triage_studies([studies("a")], ruling, out=out)
    path = out / f"{decision.study_key}.json"
    content = path.read_bytes()
    path.unlink()
    waits = []

    def sleep(_):
        waits.append(1)
        if len(waits) == 3:
            path.write_bytes(content)

    monkeypatch.setattr(verify.time, "sleep", sleep)
    with lock_folder(out):
        verify_log(out)
    assert len(waits) == 3


def test_a_log_that_grows_under_a_missing_result_is_left_for_later(studies, ruling, out, monkeypatch):
    (decision,) = triage_studies([studies("a")], ruling, out=out)
    (out / f"{decision.study_key}.json").unlink()
    log = AuditLog(out)
    result = entries(out, "result")[0]
    kept = {name: result[name] for name in ("study_key", "files")}
    monkeypatch.setattr(verify.time, "sleep", lambda _: log.record("result", **kept))
    with lock_folder(out), pytest.raises(UsageError, match="verify when it is done"):
        verify_log(out)
    log.close()


def test_a_folder_can_be_held_right_after_it_was_asked_for(tmp_path, monkeypatch):
    """A verification must not keep a service from starting."""
    import fcntl

    from prostate_alm import files

    with (tmp_path / ".lock").open("w") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        monkeypatch.setattr(files.time, "sleep", lambda _: fcntl.flock(asking, fcntl.LOCK_UN))
        with lock_folder(tmp_path):
            assert files.is_locked(tmp_path)
    assert not files.is_locked(tmp_path)


# --- once per session


def test_a_stored_result_is_read_once_and_again_if_it_changed(studies, ruling, out, monkeypatch):
    (decision,) = triage_studies([studies("a")], ruling, out=out)
    path, read = out / f"{decision.study_key}.json", []
    monkeypatch.setattr("prostate_alm.triage.audit.sha256", lambda path: read.append(1) or sha256(path))
    log = AuditLog(out)
    for _ in range(3):
        assert log.holds(out, decision.study_key)
    assert len(read) == 1
    content = path.read_bytes()
    path.write_bytes(content.replace(b"-1.0", b"-2.0"))  # as long as before
    assert [log.holds(out, decision.study_key) for _ in range(3)] == [False] * 3
    assert len(read) == 2
    path.write_bytes(content)
    assert log.holds(out, decision.study_key)
    path.unlink()
    assert not log.holds(out, decision.study_key)
    log.close()


def test_a_worklist_that_would_be_the_same_is_neither_logged_nor_written_again(studies, ruling, out):
    triage_studies([studies("a")], ruling, out=out)
    with open_session(ruling, out, Options()) as session:
        run, path = Run(ruling.settings_key), out / WORKLIST
        for _ in range(3):  # the one before was taken away when the run began
            session.write_worklist(run)
        assert len(entries(out, "worklist")) == 2
        written = path.stat().st_ino
        session.write_worklist(run)
        assert path.stat().st_ino == written
        path.write_text("something else")
        session.write_worklist(run)
        assert sha256(path) == entries(out, "worklist")[-1]["sha256"]
        session.write_worklist(Run("other settings"))
        assert len(entries(out, "worklist")) == 3
    verify_log(out)
