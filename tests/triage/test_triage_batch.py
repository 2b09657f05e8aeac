import csv
import json
import os
import shutil
import signal
import time
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import pretended_studies
import pytest

from prostate_alm.errors import NoInputError, OutputError, UsageError
from prostate_alm.files import lock_folder, output_folder, write_json
from prostate_alm.operating_point import Threshold
from prostate_alm.studies import Keys
from prostate_alm.triage import Judge, Options, batch, inputs, session, triage_studies
from prostate_alm.triage.identity import content_hash, files_of, place_key


def worklist(out):
    with (out / "worklist.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def names(out):
    return sorted(path.name for path in out.iterdir() if path.name != ".lock")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_what_needs_a_person_comes_first_and_the_higher_logit_before(studies, ruling, out):
    studies("low", logit=-3.0)
    studies("below", logit=-1.0)
    studies("high", logit=5.0)
    studies("above", logit=2.0)
    studies("odd", logit=1.0, problems=["two axial T2"])
    studies("broken", raises="truncated")
    decisions = triage_studies([out.parent / "incoming"], ruling, out=out)
    rows = worklist(out)
    assert list(rows[0]) == [
        *("study_key", "decision", "treat_as", "logit", "threshold", "reasons", "harmonised", "notice", "model")
    ]
    assert {row["threshold"] for row in rows} == {"0.0"}
    assert [row["logit"] for row in rows] == ["", "1.0", "5.0", "2.0", "-1.0", "-3.0"]
    assert [row["decision"] for row in rows] == ["undecided"] * 2 + ["dce_required"] * 2 + ["dce_not_required"] * 2
    assert [row["treat_as"] for row in rows] == ["dce_required"] * 4 + ["dce_not_required"] * 2
    assert {row["study_key"] for row in rows} == {decision.study_key for decision in decisions}
    assert rows[0]["reasons"] == "OSError: truncated"
    assert {row["model"] for row in rows} == {"a" * 12}


def test_every_output_carries_the_notice(studies, ruling, predictor, out):
    predictor.notice = "demo weights: not for any clinical use"
    triage_studies([studies("a"), studies("b", raises="x")], ruling, out=out)
    assert [row["notice"] for row in worklist(out)] == [predictor.notice] * 2
    for path in out.glob("*.json"):
        assert json.loads(path.read_text())["notice"] == predictor.notice


def test_paths_may_hold_one_or_many_studies_and_each_is_decided_once(studies, ruling, predictor, out):
    first, second = studies("a"), studies("b")
    decisions = triage_studies([first, first.parent, second / "1.dcm"], ruling, out=out)
    assert len(decisions) == 2
    assert predictor.calls == 2


def test_a_study_that_two_paths_hold_differently_is_undecided(studies, ruling, predictor, out):
    first = studies("a", uid="1.2.3", logit=-9.0)
    second = studies("b", uid="1.2.3", logit=-8.0)
    (decision,) = triage_studies([first, second], ruling, out=out)
    assert (decision.outcome, predictor.calls) == ("undecided", 0)
    assert "different files" in decision.reasons[0]


@pytest.mark.parametrize("kind", ["empty", "text"])
def test_a_path_without_dicom_is_an_undecided_row_beside_readable_ones(studies, ruling, out, tmp_path, kind):
    path = tmp_path / "Secretname"
    if kind == "empty":
        path.mkdir()
    elif kind == "text":
        path.write_text("no DICOM")
    seen = []
    triage_studies([path, studies("a")], ruling, out=out, progress=lambda *shown: seen.append(shown[1]))
    rows = worklist(out)
    assert [row["decision"] for row in rows] == ["undecided", "dce_not_required"]
    assert rows[0]["treat_as"] == "dce_required"
    assert "no study can be read here" in rows[0]["reasons"]
    assert path in seen
    assert "Secretname" not in "".join(file.read_text() for file in out.iterdir())


def test_the_name_of_a_file_that_is_no_dicom_is_not_stored(studies, ruling, out, tmp_path, monkeypatch):
    folder = tmp_path / "leak"
    folder.mkdir()
    (folder / "MILLER_HANS").write_text("no DICOM")

    def find(root, rules, given=inputs.open_studies):
        if root == folder:
            raise NoInputError(f"no DICOM image in {root}: 1 file, MILLER_HANS: not a DICOM file")
        return given(root, rules)

    monkeypatch.setattr(inputs, "open_studies", find)
    triage_studies([folder, studies("a")], ruling, out=out)
    assert "no readable DICOM image" in worklist(out)[0]["reasons"]
    assert "MILLER" not in "".join(file.read_text() for file in out.iterdir())


def test_any_failure_of_the_search_stays_with_its_path(studies, ruling, out, monkeypatch):
    find = inputs.open_studies

    def failing(path, rules):
        if path.name == "bad":
            raise PermissionError(13, "Permission denied", str(path))
        return find(path, rules)

    monkeypatch.setattr(inputs, "open_studies", failing)
    decisions = triage_studies([studies("bad"), studies("good")], ruling, out=out)
    assert sorted(decision.outcome for decision in decisions) == ["dce_not_required", "undecided"]


def test_an_unexpected_failure_of_the_only_path_keeps_its_cause(ruling, out, tmp_path, monkeypatch):
    def failing(path, rules):
        raise KeyError("a bug")

    monkeypatch.setattr(inputs, "open_studies", failing)
    with pytest.raises(NoInputError, match="KeyError") as caught:
        triage_studies([tmp_path], ruling, out=out)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("paths", [[], ["empty"], ["empty", "nowhere"]])
def test_nothing_readable_at_all_is_no_input_and_writes_no_result(ruling, out, tmp_path, paths):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoInputError):
        triage_studies([tmp_path / path for path in paths], ruling, out=out)
    assert names(out) == ["audit.jsonl"]


def test_if_no_path_exists_no_run_begins(ruling, out, tmp_path):
    with pytest.raises(NoInputError, match="nowhere does not exist"):
        triage_studies([tmp_path / "nowhere", tmp_path / "elsewhere"], ruling, out=out)
    assert not out.exists()


def test_a_path_that_does_not_exist_is_no_row_and_what_was_decided_there_is_in_doubt(studies, ruling, out, tmp_path):
    (old,) = triage_studies([studies("a", logit=-9.0)], ruling, out=out)
    shutil.move(tmp_path / "incoming" / "a", tmp_path / "moved")
    triage_studies([tmp_path / "incoming" / "a", tmp_path / "mistyped", studies("b")], ruling, out=out)
    rows = worklist(out)
    assert [row["decision"] for row in rows] == ["undecided", "dce_not_required"]
    assert (rows[0]["study_key"], "cannot be read any more" in rows[0]["reasons"]) == (old.study_key, True)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("broken", "a damaged or incomplete zip archive"),
        ("escape", "leads out of the archive"),
        ("bomb", "200 times its size"),
        ("empty", "there is no file in it"),
        ("text", "no readable DICOM image"),
        ("dangling", "it does not exist any more"),
    ],
)
def test_why_a_path_cannot_be_read_is_stored_without_a_name(studies, ruling, out, tmp_path, kind, reason):
    path, told = tmp_path / "Secretname", []
    if kind == "broken":
        path.write_bytes(b"PK\x03\x04 no archive")
    elif kind in ("escape", "bomb"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(
                "../MILLER.dcm" if kind == "escape" else "MILLER.dcm", bytes(70 << 20 if kind == "bomb" else 1)
            )
    elif kind == "dangling":
        path.symlink_to(tmp_path / "away")
    else:
        path.mkdir()
        if kind == "text":
            (path / "MILLER_HANS").write_text("no DICOM")
    triage_studies([path, studies("a")], ruling, out=out, tell=told.append)
    assert (
        f"no study can be read here: {'the zip archive is refused: ' if kind in ('escape', 'bomb') else ''}"
        in (worklist(out)[0]["reasons"])
    )
    assert reason in worklist(out)[0]["reasons"]
    stored = "".join(file.read_text() for file in out.iterdir())
    assert "Secretname" not in stored
    assert "MILLER" not in stored
    assert [str(path) in text for text in told] == [True]


def test_an_output_folder_that_cannot_be_written_stops_before_any_work(studies, ruling, predictor, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        triage_studies([studies("a")], ruling, out=tmp_path / "file" / "out")
    assert predictor.calls == 0


def test_a_full_disk_stops_the_batch_and_leaves_nothing_half_written(studies, ruling, out, monkeypatch):
    def full(path, content):
        raise OutputError("no space left")

    monkeypatch.setattr(session, "write_text", full)
    with pytest.raises(OutputError):
        triage_studies([studies("a")], ruling, out=out)
    assert names(out) == ["audit.jsonl", "worklist.csv"]
    assert [row["decision"] for row in worklist(out)] == ["undecided"]


def test_finished_studies_are_not_computed_twice(studies, ruling, predictor, out):
    folder = studies("a")
    triage_studies([folder, studies("b")], ruling, out=out)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.glob("*.json")}
    table = (out / "worklist.csv").read_bytes()
    triage_studies([folder.parent], ruling, out=out)
    assert predictor.calls == 2
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.glob("*.json")} == before
    assert (out / "worklist.csv").read_bytes() == table


def test_a_study_sent_again_under_other_names_is_the_same_study(studies, ruling, predictor, out, tmp_path):
    folder = studies("a")
    triage_studies([folder], ruling, out=out)
    shutil.move(folder, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "1.dcm").rename(tmp_path / "elsewhere" / "IM0001.dcm")
    triage_studies([tmp_path / "elsewhere"], ruling, out=out)
    assert predictor.calls == 1


def another_threshold(ruling):
    value = Threshold(-5.0, "certified", 0.1, 0.1, 22, 1, model_sha256=ruling.predictor.sha256, patients=("p",))
    return Judge(ruling.predictor, value, ruling.keys)


def another_model(ruling):
    ruling.predictor.sha256 = "c" * 64
    value = Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256="c" * 64, patients=("p",))
    return Judge(ruling.predictor, value, ruling.keys)


def another_range(ruling):
    ruling.predictor.training_ranges = {**ruling.predictor.training_ranges, "vendors": ["Philips"]}
    return Judge(ruling.predictor, ruling.threshold, ruling.keys)


def harmonised(ruling):
    return Judge(ruling.predictor, ruling.threshold, ruling.keys, harmonise=True)


@pytest.mark.parametrize("change", [another_threshold, another_model, another_range, harmonised])
def test_another_model_threshold_or_setting_computes_again(studies, ruling, predictor, out, change):
    folder = studies("a")
    triage_studies([folder], ruling, out=out)
    (decision,) = triage_studies([folder], change(ruling), out=out)
    assert predictor.calls == 2
    assert json.loads((out / f"{decision.study_key}.json").read_text()) == decision.to_json()


def test_a_changed_file_computes_again(studies, ruling, predictor, out):
    triage_studies([studies("a", logit=-1.0)], ruling, out=out)
    (decision,) = triage_studies([studies("a", logit=1.0)], ruling, out=out)
    assert (predictor.calls, decision.outcome) == (2, "dce_required")
    assert [row["decision"] for row in worklist(out)] == ["dce_required"]


def test_force_computes_again(studies, ruling, predictor, out):
    folder = studies("a")
    triage_studies([folder], ruling, out=out)
    triage_studies([folder], ruling, out=out, options=Options(force=True))
    assert predictor.calls == 2


def test_a_failure_is_tried_again(studies, ruling, predictor, out):
    folder = studies("a", predictor_raises="out of memory")
    triage_studies([folder], ruling, out=out)
    triage_studies([folder], ruling, out=out)
    assert predictor.calls == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"schema_version": 1}', "\x00\xff"])
def test_a_damaged_result_is_computed_again(studies, ruling, predictor, out, damage):
    folder = studies("a")
    (decision,) = triage_studies([folder], ruling, out=out)
    path = out / f"{decision.study_key}.json"
    whole = json.loads(path.read_text())
    path.write_bytes(damage.encode("latin-1"))
    triage_studies([folder], ruling, out=out)
    assert predictor.calls == 2
    assert json.loads(path.read_text()) | {"seconds": 0} == whole | {"seconds": 0}


def test_a_result_turned_by_hand_is_computed_again(studies, ruling, out):
    folder = studies("a", logit=1.0)
    (decision,) = triage_studies([folder], ruling, out=out)
    path = out / f"{decision.study_key}.json"
    write_json(path, json.loads(path.read_text()) | {"decision": "dce_not_required"})
    triage_studies([folder], ruling, out=out)
    assert json.loads(path.read_text())["decision"] == "dce_required"


def test_the_worklist_keeps_earlier_results_and_lists_damaged_ones_first(studies, ruling, out):
    (first,) = triage_studies([studies("a", logit=3.0)], ruling, out=out)
    (second,) = triage_studies([studies("b")], ruling, out=out)
    assert [row["study_key"] for row in worklist(out)] == [first.study_key, second.study_key]
    (out / f"{second.study_key}.json").write_text("damaged")
    triage_studies([studies("a", logit=3.0)], ruling, out=out)
    rows = worklist(out)
    assert [row["study_key"] for row in rows] == [second.study_key, first.study_key]
    assert (rows[0]["decision"], rows[0]["treat_as"]) == ("undecided", "dce_required")


def test_an_interrupt_leaves_finished_results_listed_and_the_others_undecided(studies, ruling, predictor, out):
    def stop(decision, where):
        raise KeyboardInterrupt

    folder = studies("a").parent
    triage_studies([studies("b", logit=-2.0)], ruling, out=out)
    studies("b", logit=2.0)
    with pytest.raises(KeyboardInterrupt):
        triage_studies([folder], ruling, out=out, progress=stop)
    assert [row["decision"] for row in worklist(out)] == ["undecided", "dce_not_required"]
    assert "interrupted" in worklist(out)[0]["reasons"]
    triage_studies([folder], ruling, out=out)
    assert ([row["decision"] for row in worklist(out)], predictor.calls) == (["dce_required", "dce_not_required"], 3)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (another_threshold, "with another threshold"),
        (another_model, "with another model"),
        (another_range, "with other settings"),
        (harmonised, "with other settings"),
    ],
)
def test_what_another_model_threshold_or_setting_decided_is_listed_as_undecided(studies, ruling, out, change, what):
    (old,) = triage_studies([studies("a", logit=-9.0)], ruling, out=out)
    (new,) = triage_studies([studies("b", logit=-8.0)], change(ruling), out=out)
    rows = worklist(out)
    rows.sort(key=lambda row: row["study_key"] != old.study_key)
    assert [row["study_key"] for row in rows] == [old.study_key, new.study_key]
    assert (rows[0]["decision"], rows[0]["treat_as"], rows[0]["logit"]) == ("undecided", "dce_required", "")
    assert rows[0]["reasons"] == f"decided {what}; triage again"
    assert rows[0]["threshold"] == "0.0"
    assert rows[1]["decision"] == new.outcome


def test_what_another_version_of_the_software_decided_says_so(studies, ruling, out, monkeypatch):
    for module in ("judge", "identity"):
        monkeypatch.setattr(f"prostate_alm.triage.{module}.__version__", "0.0.1")
    triage_studies([studies("a")], replace(ruling), out=out)
    monkeypatch.undo()
    for owner, name, other in pretended_studies.replaced():
        monkeypatch.setattr(owner, name, other)
    triage_studies([studies("b")], replace(ruling), out=out)
    assert worklist(out)[0]["reasons"] == "decided by another version of prostate-alm (0.0.1); triage again"


def test_what_this_run_left_undecided_stands_before_what_earlier_settings_decided(studies, ruling, out):
    triage_studies([studies(name) for name in ("a", "b", "c")], ruling, out=out)
    new = triage_studies([studies("d", raises="truncated"), studies("e")], harmonised(ruling), out=out)
    reasons = [row["reasons"] for row in worklist(out)]
    assert reasons == ["OSError: truncated", *["decided with other settings; triage again"] * 3, ""]
    assert worklist(out)[0]["study_key"] == new[0].study_key


@pytest.mark.parametrize("roots", [["x"], ["x/a", "x"], ["x/a", "x/b/c"], ["elsewhere"], []])
def test_the_places_above_a_study_are_known_as_far_as_a_given_path(ruling, tmp_path, roots):
    folders = [tmp_path / name for name in ("x/a/1", "x/a", "x/b/c/d/2", "x/b/e", "y/a")]
    given = [tmp_path / root for root in roots]
    above = {
        place
        for folder in folders
        for place in (folder, *folder.parents)
        if any(place.is_relative_to(root) for root in given)
    }
    found = [inputs.Found("0", folder, study=SimpleNamespace()) for folder in folders]
    assert batch.run_of(found, given, ruling, {}).gone == {place_key(place, ruling.keys) for place in above}


def test_many_given_paths_take_no_time_beside_their_studies(ruling, tmp_path):
    paths = [tmp_path / "incoming" / f"{number}" for number in range(600)]
    found = [inputs.Found(path.name, path, study=SimpleNamespace()) for path in paths]
    start = time.process_time()
    batch.run_of(found, paths, ruling, {})
    assert time.process_time() - start < 3


def test_a_result_of_an_older_version_without_settings_is_listed_as_undecided(studies, ruling, out):
    (old,) = triage_studies([studies("a", logit=-9.0)], ruling, out=out)
    path = out / f"{old.study_key}.json"
    content = json.loads(path.read_text())
    del content["settings_key"], content["place_key"]
    write_json(path, content)
    triage_studies([studies("b")], ruling, out=out)
    assert [row["decision"] for row in worklist(out)] == ["undecided", "dce_not_required"]


def test_there_is_no_worklist_while_studies_are_searched(studies, ruling, out, monkeypatch):
    triage_studies([studies("a")], ruling, out=out)
    seen = []
    find = inputs.open_studies
    monkeypatch.setattr(inputs, "open_studies", lambda path, rules: seen.append(names(out)) or find(path, rules))
    triage_studies([studies("a")], ruling, out=out)
    assert "worklist.csv" not in seen[0]
    assert "worklist.csv" in names(out)


def test_a_worklist_that_cannot_be_replaced_is_an_output_error(studies, ruling, predictor, out):
    (out / "worklist.csv").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"worklist\.csv"):
        triage_studies([studies("a")], ruling, out=out)
    assert predictor.calls == 0


def test_two_runs_do_not_share_an_output_folder(studies, ruling, predictor, out):
    with lock_folder(output_folder(out)), pytest.raises(UsageError, match="another process works in"):
        triage_studies([studies("a")], ruling, out=out)
    assert predictor.calls == 0


def test_one_copy_is_hashed_once_and_only_its_images_and_damaged_files(studies, ruling, out, monkeypatch):
    hashed = []
    monkeypatch.setattr(session, "content_hash", lambda files: hashed.append(list(files)) or "one")
    monkeypatch.setattr(inputs, "content_hash", lambda files: hashed.append(list(files)) or "two")
    triage_studies([studies("a")], ruling, out=out)
    assert len(hashed) == 1
    hashed.clear()
    triage_studies([studies("a"), studies("a")], ruling, out=out)
    assert len(hashed) == 2  # one per copy, none again


def test_a_stray_file_beside_the_images_computes_nothing_again(tmp_path):
    image, damaged, stray = (tmp_path / name for name in ("1.dcm", "2.dcm", "Thumbs.db"))
    for path in (image, damaged, stray):
        path.write_text(path.name)
    skipped = (SimpleNamespace(path=damaged, damaged=True), SimpleNamespace(path=stray, damaged=False))
    assert files_of(SimpleNamespace(files=(SimpleNamespace(path=image),), skipped=skipped)) == [image, damaged]


class Waited(Exception):  # noqa: N818
    """Opening took too long."""


def test_a_named_pipe_is_not_opened(tmp_path):
    def stop(*_):
        raise Waited

    os.mkfifo(tmp_path / "1.dcm")
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        assert content_hash([tmp_path / "1.dcm"]) == content_hash([tmp_path])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_stored_keys_need_the_salt(studies, ruling, out):
    folder = studies("a")
    mine, other = (
        json.loads((out / f"{decision.study_key}.json").read_text())
        for judge in (ruling, replace(ruling, keys=Keys(b"another salt for tests")))
        for decision in triage_studies([folder], judge, out=out)
    )
    for name in ("inputs_key", "settings_key", "place_key", "study_key"):
        assert mine[name] != other[name]
