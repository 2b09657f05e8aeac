"""prepare: labels, resume, broken studies, nothing half-written."""

import csv
import functools
import json
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from queue import SimpleQueue

import dicom_factory
import pytest

from prostate_alm import prepare as module
from prostate_alm.cohort import Cohort
from prostate_alm.errors import NoInputError, OutputError, UsageError
from prostate_alm.files import lock_folder, output_folder
from prostate_alm.labels import LabelRow
from prostate_alm.prepare import match_labels, prepare
from prostate_alm.studies import Keys, StudyTask, Volume, find_studies, store

KEYS = Keys(b"a salt for the tests")
LABELS = {"one": 1, "two": 0, "three": 0}


@pytest.fixture
def root(tmp_path):
    """Three studies; `two` is nested deeper."""
    folder = tmp_path / "studies"
    for seed, name in enumerate(LABELS):
        dicom_factory.save(dicom_factory.study(name, seed=seed), folder / name / ("deep" if name == "two" else ""))
    return folder


def table(path, labels):
    path.write_text("study,label\n" + "".join(f"{study},{label}\n" for study, label in labels.items()))
    return path


def run(root, labels=None, **settings):
    out = root.parent / "cohort"
    labels_csv = None if labels is None else table(root.parent / "labels.csv", labels)
    return prepare(root, labels_csv, out, keys=KEYS, processes=settings.pop("processes", 1), **settings)


def qc(out):
    with (out / "qc.csv").open(newline="") as file:
        return {row["study_key"]: row for row in csv.DictReader(file)}


def without_dwi(root, name):
    for path in root.glob(f"{name}/**/series6/*"):
        path.unlink()


def test_a_cohort_of_three(root):
    steps = []
    done = run(root, LABELS, progress=lambda count, total: steps.append((count, total)))
    assert done.broken == []
    assert steps == [(1, 3), (2, 3), (3, 3)]
    cohort = Cohort.load(done.cohort.folder)
    assert sorted(case.label for case in cohort.cases) == [0, 0, 1]
    for case in cohort.cases:
        assert list(case.images) == ["t2w", "dwi_b100", "dwi_b600", "dwi_b1000"]
        assert Volume.load(cohort.folder / case.images["t2w"]).spacing_mm == pytest.approx((2, 2, 8))
        assert case.scanner == {"vendor": "Siemens", "model": "Skyra", "field_strength_t": 3.0}
    rows = qc(cohort.folder)
    assert set(rows) == {case.case_id for case in cohort.cases}
    row = next(iter(rows.values()))
    assert (row["ready"], row["t2w_shape"], row["b_values_found"]) == ("1", "24x24x6", "100 600 1000")
    assert float(row["dwi_b100_snr"]) > 0
    assert not list((cohort.folder / "volumes").glob(".*"))


def test_site_and_age_of_the_labels_go_with_the_case(root):
    labels = root.parent / "labels.csv"
    labels.write_text("study,label,site,age\none,1,North,64\ntwo,0,,\nthree,0,South,\n")
    cohort = prepare(root, labels, root.parent / "cohort", keys=KEYS, processes=1).cohort
    found = {(case.label, *case.groups.values()) for case in Cohort.load(cohort.folder).cases}
    assert found == {(1, "North", "60 to 69"), (0,), (0, "South")}


def test_labels_are_optional(root):
    assert [case.label for case in run(root).cohort.cases] == [None] * 3


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_change_nothing(root, processes):
    done = run(root, LABELS, processes=processes)
    assert len(done.cohort.cases) == 3
    contents = {path.name: path.read_bytes() for path in sorted(done.cohort.folder.rglob("*.nii.gz"))}
    again = prepare(root, root.parent / "labels.csv", root.parent / "other", keys=KEYS, processes=1)
    assert {path.name: path.read_bytes() for path in sorted(again.cohort.folder.rglob("*.nii.gz"))} == contents
    assert (again.cohort.folder / "qc.csv").read_bytes() == (done.cohort.folder / "qc.csv").read_bytes()


def test_broken_studies_are_listed_and_not_fatal(root):
    without_dwi(root, "one")
    done = run(root, LABELS)
    assert len(done.cohort.cases) == 2
    ((key, reasons),) = done.broken
    assert "no usable acquired diffusion (DWI)" in reasons
    row = qc(done.cohort.folder)[key]
    assert row["ready"] == "0"
    assert "no usable acquired diffusion" in row["reasons"]
    assert not (done.cohort.folder / "volumes" / key).exists()


def test_a_study_without_label_is_listed(root):
    done = run(root, {"one": 1, "two": 0})
    assert [reasons for _, reasons in done.broken] == [("no label",)]
    assert len(done.cohort.cases) == 2


def test_nothing_ready_is_no_input_but_the_table_says_why(root):
    for name in LABELS:
        without_dwi(root, name)
    with pytest.raises(NoInputError, match="none of 3 studies is ready"):
        run(root, LABELS)
    assert all("no usable acquired diffusion" in row["reasons"] for row in qc(root.parent / "cohort").values())
    assert not (root.parent / "cohort" / "manifest.json").exists()


def test_no_dicom_is_no_input_and_leaves_nothing(tmp_path):
    empty = tmp_path / "studies"
    empty.mkdir()
    with pytest.raises(NoInputError):
        run(empty)
    assert not (tmp_path / "cohort").exists()


def test_an_unknown_study_in_the_labels_is_refused_before_anything_is_written(root):
    with pytest.raises(UsageError, match="line 5 fits no study") as caught:
        run(root, LABELS | {"four": 1})
    assert "four" not in str(caught.value)
    assert not (root.parent / "cohort").exists()


def test_a_label_two_is_refused(root):
    with pytest.raises(UsageError, match="line 2: this label is not allowed"):
        run(root, LABELS | {"one": 2})
    assert not (root.parent / "cohort").exists()


def test_an_output_folder_that_cannot_be_written_is_found_out_first(root, monkeypatch):
    (root.parent / "cohort").write_text("a file where the folder should be")
    monkeypatch.setattr(module, "open_studies", lambda *_: pytest.fail("work was begun"))
    with pytest.raises(OutputError):
        run(root, LABELS)


def test_a_full_disk_is_an_output_error(root, monkeypatch):
    def full(volume, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Volume, "save", full)
    with pytest.raises(OutputError, match="No space left"):
        run(root, LABELS)
    assert list((root.parent / "cohort" / "volumes").iterdir()) == []


def test_labels_name_a_study_in_four_ways(root):
    studies = find_studies(root)
    by_folder = {study.folder.relative_to(root).parts[0]: study for study in studies}
    one, two = by_folder["one"], by_folder["two"]
    for name, meant in [(one.uid, one), (one.accession, one), ("one", one), ("two", two), ("two/deep", two)]:
        row = LabelRow(2, name, 1)
        assert match_labels([row], studies, root) == {meant.uid: row}


def test_a_label_that_fits_two_studies_is_refused(root):
    dicom_factory.save(dicom_factory.study("four"), root / "one" / "second")
    with pytest.raises(UsageError, match="line 2 fits 2 studies"):
        match_labels([LabelRow(2, "one", 1)], find_studies(root), root)


def test_two_rows_for_one_study_are_refused(root):
    studies = find_studies(root)
    with pytest.raises(UsageError, match="line 7 means the same study as line 3"):
        match_labels([LabelRow(3, "two", 1), LabelRow(7, "two/deep", 1)], studies, root)


def test_a_root_that_is_the_study_answers_to_its_name(root):
    (study,) = find_studies(root / "one")
    row = LabelRow(2, "one", 0)
    assert match_labels([row], [study], root / "one") == {study.uid: row}


@pytest.fixture
def count_readings(monkeypatch):
    read = []
    original = store.read_study

    def counted(study, **settings):
        read.append(study.folder.name)
        return original(study, **settings)

    monkeypatch.setattr(store, "read_study", counted)
    return read


def test_finished_studies_are_not_read_again(root, count_readings):
    first = run(root, LABELS)
    assert sorted(count_readings) == ["deep", "one", "three"]
    before = {path: path.stat().st_mtime_ns for path in first.cohort.folder.rglob("*.nii.gz")}
    count_readings.clear()
    second = run(root, LABELS)
    assert count_readings == []
    assert second.cohort.cases == first.cohort.cases
    assert before == {path: path.stat().st_mtime_ns for path in first.cohort.folder.rglob("*.nii.gz")}


def test_a_changed_label_needs_no_new_reading(root, count_readings):
    run(root, LABELS)
    count_readings.clear()
    assert sum(case.label for case in run(root, LABELS | {"two": 1}).cohort.cases) == 2
    assert count_readings == []


@pytest.mark.parametrize("change", ["input", "settings", "volume", "record"])
def test_what_has_changed_is_read_again(root, count_readings, change):
    done = run(root, LABELS)
    folder = done.cohort.folder / "volumes" / KEYS.study(find_studies(root / "one")[0].uid)
    count_readings.clear()
    if change == "input":
        path = next(root.glob("one/series4/*"))
        os.utime(path, (time.time() + 9, time.time() + 9))
    elif change == "volume":
        (folder / "t2w.nii.gz").write_bytes(b"cut")
    elif change == "record":
        (folder / "study.json").write_text("[")
    assert len(run(root, LABELS, harmonise=change == "settings").cohort.cases) == 3
    assert len(count_readings) == (3 if change == "settings" else 1)
    assert (folder / "t2w.nii.gz").stat().st_size > 100


def test_a_study_that_breaks_later_loses_its_volumes(root):
    done = run(root, LABELS)
    without_dwi(root, "one")
    again = run(root, LABELS)
    assert len(again.cohort.cases) == 2
    assert len(list((done.cohort.folder / "volumes").iterdir())) == 2


def test_leftovers_of_a_killed_run_are_removed(root):
    leftover = root.parent / "cohort" / "volumes" / ".999.part.abc"
    leftover.mkdir(parents=True)
    (leftover / "t2w.nii.gz").write_bytes(b"half")
    run(root, LABELS)
    assert not leftover.exists()


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (1,)


@pytest.mark.slow
def test_a_study_that_kills_its_process_is_listed_and_the_others_are_read(root, tmp_path):
    one, *others = find_studies(root)
    volumes = tmp_path / "volumes"
    volumes.mkdir()
    tasks = [StudyTask(one, Deadly(), KEYS, False), *(StudyTask(study, volumes, KEYS, False) for study in others)]
    records = dict(module._in_processes(tasks, 2))
    assert records[one.uid]["problems"] == ["the process that read it died"]
    assert [records[study.uid]["ready"] for study in others] == [True, True]


def test_processes_leave_an_interrupt_to_their_parent(monkeypatch):
    monkeypatch.setattr(module, "store_study", functools.partial(signal.pthread_sigmask, signal.SIG_BLOCK))
    with module._pool(1) as pool:
        (future,) = module._submit(pool, [()], SimpleQueue())
        assert signal.SIGINT in future.result()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.slow
def test_an_interrupt_while_studies_are_handed_over_leaves_those_that_wait(monkeypatch):
    handed, submit = [], ProcessPoolExecutor.submit

    def interrupted(*arguments):
        handed.append(submit(*arguments))
        if len(handed) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return handed[-1]

    monkeypatch.setattr(ProcessPoolExecutor, "submit", interrupted)
    monkeypatch.setattr(module, "store_study", time.sleep)
    with pytest.raises(KeyboardInterrupt):
        dict(module._in_processes([0.5] * 12, 2))
    assert len(handed) == 12
    assert sum(future.cancelled() for future in handed) >= 6
    assert all(future.done() for future in handed)


class DyingPool:
    """A pool whose process dies after the first task was handed over, then one that takes every task."""

    def __init__(self, takes):
        self.takes = takes

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def shutdown(self, **_):
        pass

    def submit(self, function, task):
        if not self.takes:
            raise BrokenProcessPool("a process died")
        self.takes -= 1
        future = module.Future()
        future.set_result(function(task))
        return future


def test_a_pool_that_dies_while_tasks_are_handed_over_loses_none(root, tmp_path, monkeypatch):
    pools = iter([1, 1, 0])
    monkeypatch.setattr(module, "_pool", lambda _: DyingPool(next(pools)))
    volumes = output_folder(tmp_path / "volumes")
    studies = find_studies(root)
    records = dict(module._in_processes([StudyTask(study, volumes, KEYS, False) for study in studies], 2))
    assert [records[study.uid]["ready"] for study in studies] == [True, True, False]
    assert records[studies[2].uid]["problems"] == ["the process that read it died"]


def test_an_unexpected_failure_breaks_its_study_only(root, monkeypatch):
    store_study = module.store_study

    def failing(task):
        if task.study.folder.name == "one":
            raise PermissionError(13, "Permission denied", "/secret/path")
        return store_study(task)

    monkeypatch.setattr(module, "store_study", failing)
    done = run(root, LABELS)
    assert len(done.cohort.cases) == 2
    assert [reasons for _, reasons in done.broken] == [("the study cannot be read, an unexpected PermissionError",)]


def test_two_runs_do_not_share_a_cohort_folder(root, monkeypatch):
    monkeypatch.setattr(module, "open_studies", lambda *_: pytest.fail("work was begun"))
    with lock_folder(output_folder(root.parent / "cohort")), pytest.raises(UsageError, match="another process works"):
        run(root, LABELS)


def damage(folder, size):
    """Cut every file below a folder: to nothing, into the preamble, or right before the image's size."""
    for path in folder.rglob("*"):
        if path.is_file():
            whole = path.read_bytes()
            path.write_bytes(whole[: whole.index(b"\x28\x00\x10\x00") if size is None else size])


@pytest.mark.parametrize("size", [0, 100, 200, None])
@pytest.mark.parametrize("labels", [LABELS, None])
def test_a_study_without_a_readable_file_is_listed_as_broken(root, size, labels):
    damage(root / "two", size)
    done = run(root, labels)
    assert len(done.cohort.cases) == 2
    ((key, reasons),) = done.broken
    assert "can be read" in reasons[0]
    assert qc(done.cohort.folder)[key]["ready"] == "0"


def test_a_folder_with_a_readable_and_an_unreadable_study_is_no_name(root):
    dicom_factory.save(dicom_factory.study("four"), root / "one" / "second")
    damage(root / "one" / "second", None)
    with pytest.raises(UsageError, match="line 2 fits 2 studies"):
        run(root, LABELS)


def test_stored_files_name_nobody(root):
    done = run(root, LABELS)
    study = find_studies(root / "one")[0]
    for path in done.cohort.folder.rglob("*"):
        if path.suffix in {".json", ".csv"}:
            text = path.read_text()
            assert not any(
                secret in text for secret in ("SECRET", study.patient_id, study.accession, study.uid, str(root))
            )
    record = json.loads(next(done.cohort.folder.glob("volumes/*/study.json")).read_text())
    assert record["sources"]["dwi_b600"]["source_tag"] == "(0019,100C)"


def test_harmonised_cases_say_so(tmp_path):
    root = tmp_path / "studies"
    dicom_factory.save(dicom_factory.study(b_values=(50, 400, 800)), root / "one")
    with pytest.raises(NoInputError, match="b-values 50, 400, 800"):
        run(root)
    (case,) = run(root, harmonise=True).cohort.cases
    assert case.harmonised
    (row,) = qc(tmp_path / "cohort").values()
    assert (row["harmonised"], row["b_values_found"]) == ("1", "50 400 800")
    assert float(row["harmonisation_residual"]) < 0.05
