import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prostate_alm.errors import IntegrityError, OutputError
from prostate_alm.files import sha256
from prostate_alm.triage import Options, audit, triage_studies, verify_log
from prostate_alm.triage.audit import AUDIT, AuditLog


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def entries(out, event=None):
    rows = [json.loads(line) for line in (out / AUDIT).read_text().splitlines()]
    return [row for row in rows if event in (None, row["event"])]


def test_every_decision_is_logged_with_what_it_follows_from(studies, ruling, out):
    studies("a", logit=-2.0)
    studies("b", raises="truncated")
    decisions = triage_studies([out.parent / "incoming"], ruling, out=out)
    rows = entries(out)
    assert [row["event"] for row in rows] == ["log", "run", "result", "result", "worklist"]
    assert (rows[0]["schema_version"], rows[0]["entry"], rows[0]["previous"]) == (1, 0, "0" * 64)
    for row, decision in zip(rows[2:4], decisions, strict=True):
        stored = json.loads((out / f"{decision.study_key}.json").read_text())
        for name in ("study_key", "decision", "treat_as", "logit", "reasons", "series_used", "model", "rules"):
            assert row[name] == stored[name]
        assert row["threshold"] == {"value": 0.0, "promise": ruling.threshold.promise}
        assert row["software_version"] == stored["software_version"]
        assert row["files"] == {".json": sha256(out / f"{decision.study_key}.json")}
        assert abs((datetime.fromisoformat(row["time"]) - datetime.now(UTC)).total_seconds()) < 600
    assert rows[1]["settings_key"] == ruling.settings_key
    assert rows[-1]["sha256"] == sha256(out / "worklist.csv")
    assert rows[-1]["rows"] == 2


def test_a_later_run_adds_to_the_log_and_changes_nothing_in_it(studies, ruling, out):
    triage_studies([studies("a")], ruling, out=out)
    before = (out / AUDIT).read_bytes()
    triage_studies([studies("a"), studies("b")], ruling, out=out)
    after = (out / AUDIT).read_bytes()
    assert after.startswith(before)
    assert [row["event"] for row in entries(out)[4:]] == ["run", "result", "worklist"]
    verified = verify_log(out)
    assert (verified.entries, verified.head, verified.notes) == (7, entries(out)[-1]["hash"], ())


def test_nothing_in_the_log_identifies_a_person(studies, ruling, out):
    triage_studies([studies("Secretfolder", raises="Planted^Surname /x/1.dcm ACC-99817")], ruling, out=out)
    text = (out / AUDIT).read_text().casefold()
    assert not [word for word in ("planted", "surname", "99817", "secretfolder", "incoming", "1.2.3.4") if word in text]


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.fixture
def finished(studies, ruling, out):
    """A folder with two results; gives their names."""
    studies("a", logit=-2.0)
    studies("b", logit=3.0)
    decisions = triage_studies([out.parent / "incoming"], ruling, out=out)
    verify_log(out)
    return [f"{decision.study_key}.json" for decision in decisions]


def test_a_changed_byte_in_any_result_or_in_the_worklist_is_named(finished, out):
    for name in (*finished, "worklist.csv"):
        content = (out / name).read_bytes()
        for place in range(0, len(content), 37):
            flip(out / name, place)
            with pytest.raises(IntegrityError, match=re.escape(name)):
                verify_log(out)
        (out / name).write_bytes(content)
    assert verify_log(out).entries == 5


def test_a_changed_byte_anywhere_in_the_log_is_seen(finished, out):
    content = (out / AUDIT).read_bytes()
    for place in range(0, len(content), 17):
        flip(out / AUDIT, place)
        with pytest.raises(IntegrityError, match="line"):
            verify_log(out)
        (out / AUDIT).write_bytes(content)


def test_what_is_missing_or_not_logged_is_named(finished, out):
    (out / ("c" * 20 + ".json")).write_text("{}")
    with pytest.raises(IntegrityError, match=f"{'c' * 20}.json is in the folder and not in the log"):
        verify_log(out)
    (out / ("c" * 20 + ".json")).unlink()
    (out / finished[0]).unlink()
    with pytest.raises(IntegrityError, match=f"{finished[0]} is missing"):
        verify_log(out)


def test_files_beside_a_result_are_held_against_the_log_too(studies, ruling, out, monkeypatch):
    def write(self, decision, case):
        (self.out / f"{decision.study_key}.sr.dcm").write_bytes(b"a report")
        return ["a note"]

    monkeypatch.setattr("prostate_alm.triage.extras.Extras.write", write)
    monkeypatch.setattr("prostate_alm.triage.extras.Extras.complete", lambda *_: True)
    (decision,) = triage_studies([studies("a")], ruling, out=out, options=Options(dicom=True))
    name = f"{decision.study_key}.sr.dcm"
    assert decision.files == (name,)
    assert decision.qc["notes"] == ["a note"]
    assert entries(out, "result")[0]["files"][".sr.dcm"] == sha256(out / name)
    verify_log(out)
    (out / name).write_bytes(b"A report")
    with pytest.raises(IntegrityError, match=re.escape(name)):
        verify_log(out)
    triage_studies([studies("a")], ruling, out=out, options=Options(dicom=True))
    assert (out / name).read_bytes() == b"a report"
    assert "was found, 1 time" in verify_log(out).notes[0]


def test_a_hash_that_was_noted_tells_a_cut_tail(finished, studies, ruling, out):
    head = verify_log(out).head
    triage_studies([studies("c")], ruling, out=out)
    assert verify_log(out, head=head).entries > 5
    lines = (out / AUDIT).read_bytes().splitlines(keepends=True)
    (out / AUDIT).write_bytes(b"".join(lines[:-1]))
    verify_log(out, head=head, alone=True)
    (out / AUDIT).write_bytes(b"".join(lines[:4]))
    verify_log(out, alone=True)
    with pytest.raises(IntegrityError, match="cut off the end"):
        verify_log(out, head=head, alone=True)


def test_a_run_does_not_add_to_a_log_that_was_changed(finished, studies, ruling, predictor, out):
    flip(out / AUDIT, 300)
    before, calls = (out / AUDIT).read_bytes(), predictor.calls
    with pytest.raises(IntegrityError, match="audit log"):
        triage_studies([studies("c")], ruling, out=out)
    assert ((out / AUDIT).read_bytes(), predictor.calls) == (before, calls)


@pytest.mark.parametrize("cut", [1, 2, 100])
def test_a_torn_last_line_is_told_healed_and_logged(finished, studies, ruling, out, cut):
    whole = (out / AUDIT).read_bytes()
    (out / AUDIT).write_bytes(whole[:-cut])
    with pytest.raises(IntegrityError, match="line 5 is not whole"):
        verify_log(out)
    triage_studies([studies("a"), studies("b")], ruling, out=out)
    (healed,) = entries_of(out, "healed")
    assert healed["torn_bytes"] == (0 if cut == 1 else len(whole[:-cut]) - whole.rindex(b"\n", 0, -1) - 1)
    assert (out / AUDIT).read_bytes().startswith(whole[:-cut])
    assert "torn by a stop" in verify_log(out).notes[0]


def entries_of(out, event):
    rows = []
    for line in (out / AUDIT).read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return [row for row in rows if row["event"] == event]


def test_a_result_that_is_not_as_logged_is_not_believed(finished, studies, ruling, predictor, out):
    """Whoever turns a result can make it consistent in itself: the log tells."""
    name = finished[1]
    forged = json.loads((out / name).read_text())
    assert forged["decision"] == "dce_required"
    forged |= {"logit": -9.0, "decision": "dce_not_required", "treat_as": "dce_not_required"}
    (out / name).write_text(json.dumps(forged))
    calls = predictor.calls
    triage_studies([studies("a", logit=-2.0)], ruling, out=out)  # the other study is not given
    rows = (out / "worklist.csv").read_text().splitlines()
    assert rows[1].startswith(f"{name.removesuffix('.json')},undecided,dce_required")
    assert "not as the audit log has it" in rows[1]
    assert predictor.calls == calls
    triage_studies([studies("b", logit=3.0)], ruling, out=out)
    assert predictor.calls == calls + 1
    assert json.loads((out / name).read_text())["decision"] == "dce_required"
    assert len(entries(out, "changed")) == 2  # found by both runs
    verify_log(out)


def test_a_result_that_was_removed_is_noted_once_and_no_defect_then(finished, studies, ruling, out):
    (out / finished[1]).unlink()
    for _ in range(2):
        triage_studies([studies("a", logit=-2.0)], ruling, out=out)
    (gone,) = entries(out, "gone")
    assert f"{gone['study_key']}.json" == finished[1]
    assert "found to be gone, 1 time" in verify_log(out).notes[0]


def test_results_without_a_log_are_computed_again(finished, studies, ruling, predictor, out):
    (out / AUDIT).unlink()
    calls = predictor.calls
    triage_studies([studies("a", logit=-2.0)], ruling, out=out)
    assert predictor.calls == calls + 1
    assert "undecided,dce_required" in (out / "worklist.csv").read_text().splitlines()[1]


def test_an_interrupt_in_the_midst_of_a_line_leaves_a_whole_log(tmp_path, monkeypatch):
    log, write = AuditLog(tmp_path), audit.os.write

    def half(file, data):
        monkeypatch.setattr(audit.os, "write", write)
        write(file, data[: len(data) // 2])
        raise KeyboardInterrupt

    def whole(file, data):
        monkeypatch.setattr(audit.os, "write", write)
        write(file, data)
        raise KeyboardInterrupt

    for stop in (half, whole):
        monkeypatch.setattr(audit.os, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            log.record("run", settings_key="x")
        log.record("run", settings_key="y")
    log.close()
    verified = verify_log(tmp_path)
    assert [row["event"] for row in entries_of(tmp_path, "healed")] == ["healed"]
    assert verified.entries == 5


def test_a_full_disk_is_an_output_error_and_the_log_can_be_healed(tmp_path, monkeypatch):
    log, write = AuditLog(tmp_path), audit.os.write

    def full(file, data):
        write(file, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audit.os, "write", full)
    for _ in range(3):
        with pytest.raises(OutputError, match="No space left"):
            log.record("run")
    monkeypatch.setattr(audit.os, "write", write)
    log.close()
    log = AuditLog(tmp_path)
    log.record("run")
    log.close()
    assert verify_log(tmp_path).entries == 3


@pytest.mark.slow
def test_killed_at_any_step_a_run_can_be_taken_up_and_nothing_is_half_done(tmp_path):
    code = "import triage_kills; triage_kills.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    reports = json.loads(done.stdout)
    straight = reports[-1]["later"]
    assert sorted(straight["results"].values()) == ["dce_not_required"] * 3 + ["dce_required", "undecided"]
    assert sum(report["killed"] for report in reports) > 40
    for report in reports:
        where, at_once, later = f"{report['moment']} step {report['step']}", report["at once"], report["later"]
        assert at_once["strange"] == [], where  # whatever stands there was logged, byte for byte
        assert later["results"] == straight["results"], where
        assert (later["strange"], later["parts"], later["verify"]) == ([], [], ""), where
        assert later["worklist"] == straight["worklist"], where
        if at_once["worklist"] is not None:
            assert "worklist.csv is not" not in at_once["verify"], where


def test_what_is_written_beside_a_result_takes_its_place_once_it_is_logged(studies, ruling, out, monkeypatch):
    def write(self, decision, case):
        (self.out / f"{decision.study_key}.sr.dcm").write_bytes(b"a report")
        return []

    def noted(self, event, **content):
        seen.append((event, sorted(path.name[20:] for path in out.glob("?" * 20 + ".*"))))
        record(self, event, **content)

    seen, record = [], AuditLog.record
    monkeypatch.setattr("prostate_alm.triage.extras.Extras.write", write)
    monkeypatch.setattr(AuditLog, "record", noted)
    out.mkdir()
    (out / ".beside-killed").mkdir()
    (out / ".beside-killed" / "x.sr.dcm").write_bytes(b"of a run that was killed")
    for logit in (-1.0, 1.0):
        triage_studies([studies("a", logit=logit)], ruling, out=out, options=Options(saliency=True))
    assert [row for row in seen if row[0] in ("result", "removed")] == [("result", []), ("removed", []), ("result", [])]
    assert not list(out.glob(".beside-*"))
    verify_log(out)
