import dicom_factory
import pydicom
import pytest
from decided import MODEL, make_decision, read, small_study
from dicom_tools import dump, needs, remarks
from highdicom import sr
from pydicom.dataset import Dataset

from prostate_alm.phantom.study import StudyPlan, write_study
from prostate_alm.triage.absence import NothingToWriteError
from prostate_alm.triage.dicom import read_source, structured_report

UNDECIDED = {"logit": None, "reasons": ("T2 is missing", "another vendor"), "series_used": {}}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return small_study(tmp_path_factory.mktemp("small"))


@pytest.fixture
def written(tmp_path):
    """The structured report of a decision on a study, as it stands on disk."""

    def write(case, decision=None):
        report = structured_report(decision or make_decision(), read_source(case.study, case.reading.images))
        report.save_as(tmp_path / "report.dcm", enforce_file_format=True)
        return tmp_path / "report.dcm"

    return write


def items(dataset, value_type):
    """Every content item of a kind, however deep."""
    found = []
    for item in dataset.get("ContentSequence", []):
        found += [item] if item.ValueType == value_type else []
        found += items(item, value_type)
    return found


def named(dataset, value_type):
    return {item.ConceptNameCodeSequence[0].CodeValue: item for item in items(dataset, value_type)}


def texts(dataset):
    return [item.TextValue for item in items(dataset, "TEXT")]


@pytest.mark.parametrize(
    ("changes", "need", "treat_as"),
    [
        ({}, "DCE_NOT_REQUIRED", "DCE_NOT_REQUIRED"),
        ({"logit": -1.0}, "DCE_REQUIRED", "DCE_REQUIRED"),
        (UNDECIDED, "UNDECIDED", "DCE_REQUIRED"),
        ({"reasons": ("another vendor",)}, "UNDECIDED", "DCE_REQUIRED"),
    ],
)
def test_the_decision_is_coded_in_a_declared_scheme(small, written, changes, need, treat_as):
    report = pydicom.dcmread(written(small, make_decision(**changes)))
    coded = named(report, "CODE")
    assert coded["DCE_NEED"].ConceptCodeSequence[0].CodeValue == need
    assert coded["TREAT_AS"].ConceptCodeSequence[0].CodeValue == treat_as
    (scheme,) = report.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == coded["DCE_NEED"].ConceptNameCodeSequence[0].CodingSchemeDesignator


def test_logit_and_threshold_are_measurements_without_units(small, written):
    numbers = named(pydicom.dcmread(written(small, make_decision(logit=-2.123456789))), "NUM")
    values = {code: item.MeasuredValueSequence[0] for code, item in numbers.items()}
    assert values["LOGIT"].FloatingPointValue == -2.123456789
    assert values["122411"].FloatingPointValue == -1.25
    for value in values.values():
        unit = value.MeasurementUnitsCodeSequence[0]
        assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("1", "UCUM")


def test_without_a_logit_there_is_none_in_the_report(small, written):
    assert set(named(pydicom.dcmread(written(small, make_decision(**UNDECIDED))), "NUM")) == {"122411"}


def test_the_report_is_preliminary_unverified_and_by_a_device(small, written):
    path = written(small)
    report = pydicom.dcmread(path)
    flags = (report.VerificationFlag, report.PreliminaryFlag, report.CompletionFlag)
    assert flags == ("UNVERIFIED", "PRELIMINARY", "COMPLETE")
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    content = sr.srread(path).content
    (observer,) = content.get_observer_contexts()
    assert observer.observer_type.meaning == "Device"
    assert observer.observer_identifying_attributes.name == "prostate-alm"


def test_the_algorithm_is_identified(small, written):
    said = texts(pydicom.dcmread(written(small)))
    assert {MODEL["name"], MODEL["version"], f"weights SHA-256 {MODEL['sha256']}"} <= set(said)


def test_the_report_says_in_words_what_the_json_says(small, written):
    changes = {"notice": "demo weights", "reasons": ("T2 is missing", "another vendor"), "harmonised": True}
    said = "\n".join(texts(pydicom.dcmread(written(small, make_decision(**changes)))))
    for words in (
        "Undecided. Treat as DCE required",
        "Research use only. Not a medical device.",
        "Warning: demo weights",
        "certified: a promise",
        "Reason to be undecided: T2 is missing",
        "Reason to be undecided: another vendor",
        "harmonised: yes",
        "b600: series 6 (ep2d_diff_tra), b 600 s/mm2 from T",
    ):
        assert words in said


def test_every_image_of_a_volume_is_referred_to_and_no_other(small, written):
    made = dicom_factory.study("small")
    used = {image.SOPInstanceUID for name in ("t2", "dwi_b100", "dwi_b600", "dwi_b1000") for image in made[name]}
    report = pydicom.dcmread(written(small))
    references = [item.ReferencedSOPSequence[0] for item in items(report, "IMAGE")]
    assert {reference.ReferencedSOPInstanceUID for reference in references} == used
    assert len(references) == len(used)
    assert not any("ReferencedFrameNumber" in reference for reference in references)


def test_the_whole_study_is_the_evidence(small, written):
    made = dicom_factory.study("small")
    (evidence,) = pydicom.dcmread(written(small)).CurrentRequestedProcedureEvidenceSequence
    listed = {
        (series.SeriesInstanceUID, item.ReferencedSOPInstanceUID)
        for series in evidence.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert listed == {(image.SeriesInstanceUID, image.SOPInstanceUID) for images in made.values() for image in images}


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    """One phantom in each of the dialects whose files hold more than one slice."""
    folder = tmp_path_factory.mktemp("phantoms")
    for dialect in ("enhanced", "siemens-mosaic"):
        write_study(folder / dialect, StudyPlan(1, 1, dialect, seed=3), scratch=folder / "scratch")
    return {dialect: read(folder / dialect) for dialect in ("enhanced", "siemens-mosaic")}


@needs("dciodvfy")
@pytest.mark.parametrize("dialect", ["enhanced", "siemens-mosaic"])
def test_a_report_on_files_of_many_slices_is_valid(phantoms, written, dialect):
    assert remarks(written(phantoms[dialect])) == []


def test_of_multi_frame_files_the_frames_are_named(phantoms, written):
    report = pydicom.dcmread(written(phantoms["enhanced"]))
    found = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID: item.ReferencedSOPSequence[0].ReferencedFrameNumber
        for item in items(report, "IMAGE")
    }
    expected = {}
    for path in sorted({image.path for image in phantoms["enhanced"].study.files}):
        image = pydicom.dcmread(path)
        if image.SOPInstanceUID in found:
            expected[image.SOPInstanceUID] = _frames_of(image)
    assert {uid: list(frames) for uid, frames in found.items()} == expected
    assert any(len(frames) > 1 for frames in expected.values())


def _frames_of(image):
    """Of diffusion those at b 100, 600 and 1000; of T2 all."""
    chosen = []
    for number, group in enumerate(image.PerFrameFunctionalGroupsSequence, start=1):
        diffusion = group.get("MRDiffusionSequence")
        b = diffusion[0].get("DiffusionBValue", 0) if diffusion else None
        chosen += [number] if b in (None, 100, 600, 1000) else []
    return chosen


def test_a_mosaic_is_one_image(phantoms, written):
    report = pydicom.dcmread(written(phantoms["siemens-mosaic"]))
    references = [item.ReferencedSOPSequence[0] for item in items(report, "IMAGE")]
    assert not any("ReferencedFrameNumber" in reference for reference in references)
    uids = [reference.ReferencedSOPInstanceUID for reference in references]
    assert len(uids) == len(set(uids))


def test_the_same_decision_has_the_same_uids_and_another_has_others(small):
    source = read_source(small.study, small.reading.images)

    def uids(**changes):
        report = structured_report(make_decision(**changes), source)
        return report.SeriesInstanceUID, report.SOPInstanceUID

    first = uids()
    assert uids(seconds={"total": 9.0}, place_key="moved", logit=-2.5 + 1e-7) == first
    others = [
        uids(logit=-2.4),
        uids(reasons=("another vendor",)),
        uids(model=MODEL | {"sha256": "cd" * 32}),
        uids(threshold={"value": -1.0, "promise": "certified: a promise"}),
    ]
    together = {uid for pair in (first, *others) for uid in pair}
    assert len(together) == 10


def test_a_report_belongs_to_the_study_and_is_a_series_of_its_own(small, written):
    report = pydicom.dcmread(written(small))
    image = pydicom.dcmread(small.study.files[0].path)
    assert report.StudyInstanceUID == image.StudyInstanceUID
    assert report.SeriesInstanceUID not in {header.series_uid for header in small.study.files}
    assert (report.Modality, report.SeriesDescription) == ("SR", "DCE triage, research use only")


IDENTITY = {
    "PatientID": "ID 7",
    "PatientBirthDate": "19410307",
    "PatientSex": "M",
    "StudyDate": "20240229",
    "StudyTime": "101112.5",
    "StudyID": "S1",
    "AccessionNumber": "A1",
    "ReferringPhysicianName": "Doctor^Who",
    "StudyDescription": "MR Prostate",
    "IssuerOfPatientID": "Site",
    "PatientAge": "083Y",
}


def test_patient_and_study_are_the_source_s(tmp_path, written):
    case = small_study(tmp_path / "study", PatientName="Planted^Surname", **IDENTITY)
    report = pydicom.dcmread(written(case))
    assert {keyword: str(report[keyword].value) for keyword in IDENTITY} == IDENTITY
    assert report.PatientName == "Planted^Surname"


NAMES = {
    "ISO_IR 100": "Grünßpächter^Øyvindæl",
    "ISO_IR 144": "Жуковский^Юрий",
    "ISO_IR 126": "Διονυσιος",
    "ISO_IR 138": "שרון^דבורה",
    "ISO_IR 127": "قباني^لنزار",
    "ISO_IR 192": "Teshigawara^Gonzaemon=勅使河原^権左衛門=てしがわら^ごんざえもん",
    "GB18030": "Wang^XiaoDong=王^小东",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
}


@pytest.mark.parametrize("charset", NAMES)
def test_names_survive_whatever_set_they_were_written_in(tmp_path, written, charset):
    case = small_study(
        tmp_path / "study", SpecificCharacterSet=charset.split("\\"), PatientName=NAMES[charset], PatientID="7"
    )
    report = pydicom.dcmread(written(case))
    assert report.SpecificCharacterSet == "ISO_IR 192"
    assert str(report.PatientName) == NAMES[charset]


@pytest.mark.parametrize("value", ["", None])
def test_what_the_source_lacks_is_empty(tmp_path, written, value):
    type_2 = [
        "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
        "AccessionNumber", "ReferringPhysicianName",
    ]  # fmt: skip
    made = dicom_factory.study("lacking")
    for image in (image for images in made.values() for image in images):
        for keyword in type_2:
            image.pop(keyword, None)
            if value is not None:
                setattr(image, keyword, value)
    report = pydicom.dcmread(written(read(dicom_factory.save(made, tmp_path / "study"))))
    assert {keyword: str(report[keyword].value or "") for keyword in type_2} == dict.fromkeys(type_2, "")


@pytest.mark.filterwarnings("ignore:Invalid value:UserWarning", "ignore:The value length:UserWarning")
@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("StudyDate", "20241399", ""),
        ("StudyDate", "unknown", ""),
        ("StudyTime", "25:99", ""),
        ("PatientBirthDate", "00000000", ""),
        ("PatientSex", "MALE", ""),
        ("AccessionNumber", "longer than sixteen characters", "longer than sixteen characters"),
        ("PatientID", "7" * 70, "7" * 70),
        ("PatientID", "with\x07bell", "withbell"),
        ("StudyDescription", "x" * 70, "x" * 70),
    ],
)
def test_odd_values_are_dropped_where_they_say_nothing_and_kept_where_they_identify(
    tmp_path, written, keyword, value, kept
):
    made = dicom_factory.study("odd")
    for image in (image for images in made.values() for image in images):
        tag = pydicom.datadict.tag_for_keyword(keyword)
        image.add(pydicom.DataElement(tag, pydicom.datadict.dictionary_VR(tag), value, validation_mode=0))
    report = pydicom.dcmread(written(read(dicom_factory.save(made, tmp_path / "study"))))
    assert str(report[keyword].value or "") == kept


def test_how_the_source_was_de_identified_is_kept(tmp_path, written):
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "113100", "DCM", "Basic Profile"
    changes = {"PatientIdentityRemoved": "YES", "DeidentificationMethodCodeSequence": [code]}
    report = pydicom.dcmread(written(small_study(tmp_path / "study", **changes)))
    assert report.PatientIdentityRemoved == "YES"
    assert report.DeidentificationMethodCodeSequence[0].CodeValue == "113100"


def test_a_claim_to_be_de_identified_without_a_method_is_dropped(tmp_path, written):
    report = pydicom.dcmread(written(small_study(tmp_path / "study", PatientIdentityRemoved="YES")))
    assert "PatientIdentityRemoved" not in report


def _two_patients(made):
    for image in made["adc"]:
        image.PatientID = "another"


def _no_valid_study_uid(made):
    for image in (image for images in made.values() for image in images):
        image.StudyInstanceUID = "1.02.3"


def _no_valid_uid(made):
    for number, image in enumerate(image for images in made.values() for image in images):
        image.SOPInstanceUID = f"1.02.{number}"


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI:UserWarning")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_two_patients, "more than one patient"),
        (_no_valid_study_uid, "StudyInstanceUID is not valid"),
        (_no_valid_uid, "no image has a valid SOPInstanceUID"),
    ],
)
def test_a_study_without_a_place_to_go_back_to_is_refused(tmp_path, spoil, words):
    made = dicom_factory.study("refused")
    spoil(made)
    case = small_study(tmp_path, made)
    with pytest.raises(NothingToWriteError, match=words):
        read_source(case.study, case.reading.images)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI:UserWarning")
def test_what_is_referred_to_has_valid_uids(tmp_path, written):
    made = dicom_factory.study("some uids")
    made["adc"][0].SOPInstanceUID = "1.02.3"
    report = pydicom.dcmread(written(small_study(tmp_path / "study", made)))
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    listed = [item for series in evidence.ReferencedSeriesSequence for item in series.ReferencedSOPSequence]
    assert len(listed) == sum(len(images) for images in made.values()) - 1


def test_a_file_that_was_replaced_gives_no_patient(tmp_path):
    case = small_study(tmp_path / "study")
    first = case.reading.images["t2w"][0]
    other = pydicom.dcmread(first.path)
    other.PatientID, other.StudyInstanceUID = "another", "1.2.3"
    other.save_as(first.path)
    with pytest.raises(ValueError, match="another one by now"):
        read_source(case.study, case.reading.images)


def test_volume_files_have_no_patient_to_go_back_to(tmp_path):
    import planted

    names = {name: f"{name}.nii.gz" for name in ("t2w", "dwi_b100", "dwi_b600", "dwi_b1000")}
    case = read(planted.volumes(names, tmp_path, 0, sidecars=True))
    with pytest.raises(NothingToWriteError, match="no DICOM files"):
        read_source(case.study, case.reading.images)


@needs("dciodvfy")
@needs("dsrdump")
@pytest.mark.parametrize(
    "changes", [{}, {"logit": -1.0, "notice": "demo"}, UNDECIDED], ids=["not", "required", "undecided"]
)
def test_the_report_is_valid_and_can_be_read(tmp_path, written, changes):
    path = written(small_study(tmp_path / "study", PatientName="Grün^Ada", SpecificCharacterSet="ISO_IR 100"),
                   make_decision(**changes))  # fmt: skip
    assert remarks(path) == []
    assert "Verification Flag   : UNVERIFIED" in dump(path)


@pytest.mark.slow
@pytest.mark.shared_data
@needs("dciodvfy")
@needs("dsrdump")
def test_reports_on_scanners_own_files_are_valid(shared, tmp_path):
    from prostate_alm.studies import find_studies

    valid = 0
    for study in find_studies(shared / "data" / "mri"):
        try:
            source = read_source(study)
        except NothingToWriteError:
            continue
        path = tmp_path / f"{valid}.dcm"
        structured_report(make_decision(**UNDECIDED), source).save_as(path, enforce_file_format=True)
        dump(path)
        assert [line for line in remarks(path) if line.startswith("Error")] == []
        valid += 1
    assert valid > 20
