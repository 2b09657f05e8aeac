"""What is written beside a decision cannot change it, lose it or outlive it."""

import pydicom
import pypdfium2
import pytest
from decided import KEYS, make_decision, read, small_study

from prostate_alm.errors import OutputError
from prostate_alm.studies import find_studies
from prostate_alm.triage import case_report as pages
from prostate_alm.triage import dicom
from prostate_alm.triage import saliency as maps
from prostate_alm.triage.extras import MAP, NO_DICOM, NO_MAP, PAGE, REPORT, Case, Extras, remove_extras

KEY = make_decision().study_key


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    small = small_study(tmp_path_factory.mktemp("study"), PatientName="Planted^Surname", PatientID="PID-77123")
    return Case(small.study, small.reading)


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def endings(out):
    return {path.name.removeprefix(KEY) for path in out.iterdir()}


def planted(message):
    def fails(*arguments, **options):
        raise RuntimeError(f"{message} of Planted^Surname in /data/PID-77123")

    return fails


def test_without_a_wish_nothing_is_written(out, case):
    assert Extras(out, None).write(make_decision(), case) == []
    assert endings(out) == set()


@pytest.mark.parametrize("decision", [make_decision(), make_decision(logit=None, reasons=("T2 is missing",))])
def test_every_decision_gets_a_report_and_a_page(out, case, decision):
    assert Extras(out, None, dicom=True).write(decision, case) == []
    assert endings(out) == {REPORT, PAGE}
    report, page = (pydicom.dcmread(out / f"{KEY}{ending}") for ending in (REPORT, PAGE))
    assert report.StudyInstanceUID == page.StudyInstanceUID == case.study.uid
    assert report.PatientID == page.PatientID == "PID-77123"


def test_a_study_whose_reading_failed_gets_both_as_well(out, case):
    decision = make_decision(logit=None, reasons=("OSError",), series_used={})
    assert Extras(out, None, dicom=True).write(decision, Case(case.study)) == []
    assert endings(out) == {REPORT, PAGE}


def test_the_page_inside_names_no_patient(out, case):
    Extras(out, None, dicom=True).write(make_decision(), case)
    page = pydicom.dcmread(out / f"{KEY}{PAGE}")
    document = pypdfium2.PdfDocument(page.EncapsulatedDocument)
    said = document[0].get_textpage().get_text_bounded() + str(document.get_metadata_dict())
    for secret in ("Planted", "Surname", "PID-77123", case.study.uid, case.study.files[0].sop_uid):
        assert secret not in said
        assert secret.encode() not in page.EncapsulatedDocument


def test_a_second_run_writes_the_same_instances(out, case):
    def uids():
        Extras(out, None, dicom=True).write(make_decision(), case)
        return [pydicom.dcmread(out / f"{KEY}{ending}").SOPInstanceUID for ending in (REPORT, PAGE)]

    assert uids() == uids()
    assert len(endings(out)) == 2


def test_a_study_of_volume_files_has_a_note_and_no_file(out, tmp_path):
    import planted as names

    made = {name: f"case_{name}.nii.gz" for name in ("t2w", "dwi_b100", "dwi_b600", "dwi_b1000")}
    nifti = read(names.volumes(made, tmp_path / "nifti", 0, sidecars=False))
    extras = Extras(out, None, dicom=True, saliency=True)
    notes = extras.write(make_decision(), Case(nifti.study, nifti.reading))
    assert notes == [
        f"{NO_MAP}: the model saw no image of this study",
        f"{NO_DICOM}: the study's files are no DICOM files",
    ]
    assert endings(out) == set()
    assert extras.complete(make_decision(qc={"notes": notes}))


@pytest.mark.parametrize(
    ("room", "name", "left", "words"),
    [
        (dicom, "structured_report", {PAGE}, "no structured report, an unexpected RuntimeError"),
        (dicom, "encapsulated_report", {REPORT}, "no case report, an unexpected RuntimeError"),
        (pages, "case_report", {REPORT}, "no case report, an unexpected RuntimeError"),
        (dicom, "read_source", set(), "no DICOM output, an unexpected RuntimeError"),
    ],
)
def test_what_fails_is_a_note_without_identifiers(out, case, monkeypatch, room, name, left, words):
    monkeypatch.setattr(room, name, planted("failed"))
    extras = Extras(out, None, dicom=True)
    (note,) = extras.write(make_decision(), case)
    assert note.startswith(words)
    assert "Planted" not in note
    assert "77123" not in note
    assert endings(out) == left
    assert not extras.complete(make_decision(qc={"notes": [note]}))  # the next run tries again


def test_files_that_are_gone_are_a_note_without_a_path(out, tmp_path):
    small = small_study(tmp_path / "Planted")
    for image in small.study.files:
        image.path.unlink(missing_ok=True)
    notes = Extras(out, None, dicom=True).write(make_decision(), Case(small.study, small.reading))
    assert notes == [f"{NO_DICOM}, an unexpected FileNotFoundError; the next triage of the study tries again"]


def test_a_map_that_fails_leaves_the_report(out, case, monkeypatch):
    monkeypatch.setattr(maps, "saliency", planted("out of memory"))
    extras = Extras(out, None, dicom=True, saliency=True)
    (note,) = extras.write(make_decision(), Case(case.study, case.reading, image=0))
    assert note.startswith("no saliency map, an unexpected RuntimeError")
    assert endings(out) == {REPORT, PAGE}


def test_a_folder_that_cannot_be_written_is_an_error(case, tmp_path):
    with pytest.raises(OutputError):
        Extras(tmp_path / "absent", None, dicom=True).write(make_decision(), case)


def test_extras_are_complete_when_all_that_is_wanted_was_written_with_the_decision(out):
    both, none = Extras(out, None, dicom=True, saliency=True), Extras(out, None)
    names = tuple(f"{KEY}{ending}" for ending in (REPORT, PAGE, MAP))
    decision = make_decision(files=names)
    assert none.complete(decision)
    for name in names:
        assert not both.complete(decision)
        (out / name).touch()
    assert both.complete(decision)


def test_a_file_that_was_not_written_with_the_decision_does_not_count(out):
    """It may be another patient's."""
    for ending in (REPORT, PAGE):
        (out / f"{KEY}{ending}").touch()
    for extras in (Extras(out, None, dicom=True), Extras(out, None)):
        assert not extras.complete(make_decision())
        assert not extras.complete(make_decision(files=(f"{KEY}{REPORT}",)))


def test_a_full_disk_is_told_in_one_line(case, out, monkeypatch):
    from pathlib import Path

    """pydicom tells what the disk said with a whole traceback around it."""

    def full(path, data):
        raise OSError(28, "No space left on device")

    def saved(dataset, file, **options):
        if not hasattr(file, "write"):
            raise OSError("a text\nof many lines")
        file.write(b"a report")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr("pydicom.dataset.Dataset.save_as", saved)
    with pytest.raises(OutputError, match="No space left on device") as told:
        Extras(out, None, dicom=True).write(make_decision(), case)
    assert "\n" not in str(told.value)
    assert endings(out) == set()


def test_what_an_earlier_decision_left_is_removed_and_nothing_else(out):
    kept = [out / f"{KEY}.json", out / f"other{REPORT}"]
    for path in [*kept, *(out / f"{KEY}{ending}" for ending in (REPORT, PAGE, MAP))]:
        path.touch()
    remove_extras(out, KEY)
    assert sorted(out.iterdir()) == sorted(kept)
    remove_extras(out, KEY)  # nothing left is no error


@pytest.mark.slow
def test_a_whole_triage_gives_no_name_away_but_in_dicom(tmp_path, monkeypatch):
    import planted as names
    from leaks import Searcher

    from prostate_alm.bundle import Predictor, find_bundle
    from prostate_alm.operating_point import Threshold
    from prostate_alm.triage import Judge, triage_studies
    from prostate_alm.triage.session import Options

    monkeypatch.setattr(maps, "MASKS_MM", (24.0,))
    incoming = names.save(names.images_of(names.classic(2)), tmp_path / names.PATH_WORDS[0])
    predictor = Predictor.load(find_bundle("prostate_dce_classification"))
    judge = Judge(predictor, Threshold.load(predictor.threshold_file), KEYS)
    out = tmp_path / "out"
    (decision,) = triage_studies([incoming], judge, out=out, options=Options(dicom=True, saliency=True))
    written = {path.name.removeprefix(decision.study_key): path for path in out.glob(f"{decision.study_key}.*")}
    assert set(written) == {".json", REPORT, PAGE, MAP}
    (study,) = find_studies(incoming)
    uids = {uid for image in study.files for uid in (image.sop_uid, image.series_uid, image.study_uid)}
    searcher = Searcher([*names.content_secrets([2], uids), *names.path_secrets()])
    assert searcher.find(written[REPORT].read_bytes(), "the report")  # the search can find what is there
    page = pydicom.dcmread(written[PAGE])
    assert str(page.PatientName) == names.person(2).name
    document = pypdfium2.PdfDocument(page.EncapsulatedDocument)
    said = document[0].get_textpage().get_text_bounded() + str(document.get_metadata_dict())
    assert searcher.find(said.encode(), "the page") == []
    for path in out.iterdir():
        if path.suffix != ".dcm":
            assert searcher.find(path.read_bytes(), path.name) == []
