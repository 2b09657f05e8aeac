"""Files in the output folder that no run wrote, and an output folder that refuses."""

import json
import shutil

import pytest

from prostate_alm.errors import IntegrityError, OutputError
from prostate_alm.triage import Options, triage_studies, verify_log
from prostate_alm.triage.audit import AUDIT
from prostate_alm.triage.extras import PAGE, REPORT


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def entries(out, event):
    rows = [json.loads(line) for line in (out / AUDIT).read_text().splitlines()]
    return [row for row in rows if row["event"] == event]


@pytest.mark.parametrize("name", ["{key}.sr.dcm", "{key}.evil.dcm", "a" * 20 + ".pdf.dcm", "b" * 20 + ".json"])
def test_a_file_with_a_study_s_key_that_was_not_logged_is_named(studies, ruling, out, name):
    (decision,) = triage_studies([studies("a")], ruling, out=out)
    name = name.format(key=decision.study_key)
    (out / name).write_text("another patient's")
    with pytest.raises(IntegrityError, match=f"{name} is in the folder and not in the log"):
        verify_log(out)
    triage_studies([studies("b")], ruling, out=out)
    assert [row["study_key"] for row in entries(out, "changed")] == [name.partition(".")[0]]
    for row in entries(out, "result"):
        assert set(row["files"]) == {".json"}


def test_another_patient_s_report_is_not_taken_for_a_study_s_own(studies, ruling, predictor, out, reports):
    (one,) = triage_studies([studies("a")], ruling, out=out, options=reports)
    (two,) = triage_studies([studies("b")], ruling, out=out)
    for ending in (REPORT, PAGE):
        shutil.copy(out / f"{one.study_key}{ending}", out / f"{two.study_key}{ending}")
    calls = predictor.calls
    triage_studies([studies("b")], ruling, out=out, options=Options(dicom=True, resume=True))
    assert predictor.calls == calls + 1
    assert (out / f"{two.study_key}{REPORT}").read_text() == "report on 1.2.3.4.5.1.b"
    verify_log(out)


def test_a_planted_report_is_taken_away_though_none_is_wanted(studies, ruling, out, reports):
    (decision,) = triage_studies([studies("a")], ruling, out=out)
    (out / f"{decision.study_key}{REPORT}").write_text("another patient's")
    triage_studies([studies("a")], ruling, out=out)
    assert not (out / f"{decision.study_key}{REPORT}").exists()
    verify_log(out)


def test_a_moved_study_does_not_take_what_was_planted_beside_it(studies, ruling, out, reports):
    folder = studies("a")
    (decision,) = triage_studies([folder], ruling, out=out, options=reports)
    (out / f"{decision.study_key}.evil.dcm").write_text("another patient's")
    folder.rename(folder.with_name("elsewhere"))
    triage_studies([folder.with_name("elsewhere")], ruling, out=out, options=reports)
    assert [set(row["files"]) for row in entries(out, "result")] == [{".json", REPORT, PAGE}] * 2
    with pytest.raises(IntegrityError, match="evil"):
        verify_log(out)


def test_a_report_whose_result_a_kill_kept_from_the_disk_is_removed(studies, ruling, out, reports):
    (decision,) = triage_studies([studies("a")], ruling, out=out, options=reports)
    (out / f"{decision.study_key}.json").unlink()
    triage_studies([studies("b")], ruling, out=out, options=reports)
    assert not (out / f"{decision.study_key}{REPORT}").exists()
    assert [row["study_key"] for row in entries(out, "gone")] == [decision.study_key]
    verify_log(out)


def test_a_report_that_is_not_ours_stays_where_it_is(studies, ruling, out, reports):
    (decision,) = triage_studies([studies("a")], ruling, out=out, options=reports)
    (out / f"{decision.study_key}.json").unlink()
    (out / f"{decision.study_key}{REPORT}").write_text("another patient's")
    triage_studies([studies("b")], ruling, out=out, options=reports)
    assert (out / f"{decision.study_key}{REPORT}").exists()
    with pytest.raises(IntegrityError, match="not in the log"):
        verify_log(out)


def test_a_result_that_cannot_be_read_is_named(studies, ruling, out):
    (decision,) = triage_studies([studies("a")], ruling, out=out)
    (out / f"{decision.study_key}.json").unlink()
    (out / f"{decision.study_key}.json").mkdir()
    with pytest.raises(IntegrityError, match=f"{decision.study_key}.json is not as logged"):
        verify_log(out)
    with pytest.raises(OutputError, match="Is a directory"):
        triage_studies([studies("a")], ruling, out=out)


@pytest.mark.parametrize("refused", ["unlink", "replace", "mkdtemp"])
def test_what_the_output_folder_refuses_is_one_line(studies, ruling, out, reports, monkeypatch, refused):
    triage_studies([studies("a")], ruling, out=out, options=reports)
    from prostate_alm.triage import session

    def refuses(*arguments, **options):
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patched:
        if refused == "mkdtemp":
            patched.setattr(session.tempfile, "TemporaryDirectory", refuses)
        else:
            usual = getattr(session.Path, refused)
            wanted = ".json" if refused == "unlink" else REPORT

            def some(path, *rest, **options):
                part = ".part." in path.name
                return usual(path, *rest, **options) if part or not path.name.endswith(wanted) else refuses()

            patched.setattr(session.Path, refused, some)
        with pytest.raises(OutputError, match="Operation not permitted"):
            triage_studies([studies("a")], ruling, out=out, options=Options(dicom=True, force=True))
    triage_studies([studies("a")], ruling, out=out, options=reports)
    verify_log(out)
