from copy import deepcopy
from dataclasses import replace
from functools import partial

import pydicom
import pytest
from decided import make_decision, small_study
from dicom_tools import needs, remarks, unwrapped

from prostate_alm.triage.dicom import encapsulated_report, read_source, structured_report

PDF = b"%PDF-1.7 of some bytes\n%%EOF\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return small_study(tmp_path_factory.mktemp("small"), PatientName="Planted^Surname", PatientID="7", StudyID="S1")


@pytest.fixture
def written(tmp_path, small):
    """A PDF wrapped for the small study, as it stands on disk."""

    def write(pdf=PDF, used=True):
        source = read_source(small.study, small.reading.images if used else {})
        encapsulated_report(pdf, make_decision(), source).save_as(tmp_path / "page.dcm", enforce_file_format=True)
        return tmp_path / "page.dcm"

    return write


@pytest.mark.parametrize("pdf", [PDF, PDF + b"\n"], ids=["odd", "even"])
def test_the_pdf_comes_back_byte_by_byte(written, pdf):
    page = pydicom.dcmread(written(pdf))
    assert page.EncapsulatedDocument[: page.EncapsulatedDocumentLength] == pdf
    assert len(page.EncapsulatedDocument) - len(pdf) in (0, 1)
    assert page.MIMETypeOfEncapsulatedDocument == "application/pdf"


@needs("dcm2pdf")
@pytest.mark.parametrize("pdf", [PDF, PDF + b"\n"], ids=["odd", "even"])
def test_another_program_takes_the_same_pdf_out(written, tmp_path, pdf):
    assert unwrapped(written(pdf), tmp_path) == pdf


def test_the_page_is_a_document_of_the_patient_s_own_study(written, small):
    page, image = pydicom.dcmread(written()), pydicom.dcmread(small.study.files[0].path)
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID"):
        assert page[keyword].value == image[keyword].value
    assert page.SOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
    assert page.SeriesInstanceUID not in {header.series_uid for header in small.study.files}
    assert (page.Modality, page.BurnedInAnnotation) == ("DOC", "NO")
    assert "research use only" in page.DocumentTitle
    assert "research use only" in page.SeriesDescription


def test_the_images_behind_it_are_its_sources(written, small):
    page = pydicom.dcmread(written())
    used = {image.sop_uid for found in small.reading.images.values() for image in found}
    assert {item.ReferencedSOPInstanceUID for item in page.SourceInstanceSequence} == used
    assert "SourceInstanceSequence" not in pydicom.dcmread(written(used=False))


def test_the_same_pdf_has_the_same_uids_and_another_has_others(written):
    first, again = (pydicom.dcmread(written()) for _ in range(2))
    other = pydicom.dcmread(written(PDF + b"more"))
    assert (again.SOPInstanceUID, again.SeriesInstanceUID) == (first.SOPInstanceUID, first.SeriesInstanceUID)
    assert len({first.SOPInstanceUID, first.SeriesInstanceUID, other.SOPInstanceUID, other.SeriesInstanceUID}) == 4


@needs("dciodvfy")
@pytest.mark.parametrize("used", [True, False])
def test_the_page_is_valid(written, used):
    assert remarks(written(used=used)) == []


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "AccessionNumber"])
def test_outputs_for_another_patient_are_other_instances(small, keyword):
    """A study whose identity was corrected and sent again must not be a duplicate in the archive."""
    source = read_source(small.study, small.reading.images)
    other = replace(source, identity=deepcopy(source.identity))
    setattr(other.identity, keyword, "CORRECTED")
    fewer = replace(source, images=source.images[1:])
    for make in (partial(encapsulated_report, PDF), structured_report):
        first, *others = (make(make_decision(), each) for each in (source, other, fewer))
        uids = [uid for made in (first, *others) for uid in (made.SeriesInstanceUID, made.SOPInstanceUID)]
        assert len(set(uids)) == 6
        assert make(make_decision(), source).SOPInstanceUID == first.SOPInstanceUID
