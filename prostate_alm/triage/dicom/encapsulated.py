"""A PDF as a DICOM object, in the patient's own study (Encapsulated PDF IOD, PS3.3 section A.45.1)."""

import hashlib

import highdicom
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from prostate_alm.studies.dicom.quiet import quiet
from prostate_alm.triage.decision import Decision
from prostate_alm.triage.dicom.codes import report_title
from prostate_alm.triage.dicom.equipment import made_by, numbers
from prostate_alm.triage.dicom.source import CHARACTER_SET, Source

TITLE = "DCE triage, case report, research use only"


class EncapsulatedReport(highdicom.SOPClass):
    """A PDF and the patient, study and equipment that belong to it.

    Args:
        pdf: bytes of the document, which names no patient itself.
        decision: that it shows.
        source: where it belongs.
    """

    def __init__(self, pdf: bytes, decision: Decision, source: Source) -> None:
        study = source.identity
        super().__init__(
            study_instance_uid=study.StudyInstanceUID,
            sop_class_uid=EncapsulatedPDFStorage,
            modality="DOC",
            transfer_syntax_uid=ExplicitVRLittleEndian,
            series_description="DCE triage, research use only",
            specific_character_set=CHARACTER_SET,
            **numbers("pdf", study.StudyInstanceUID, [hashlib.sha256(pdf).hexdigest(), source.facts()]),
            **made_by(decision),
        )
        self.update(study)
        self.ConversionType = "WSD"  # made on a workstation
        self.BurnedInAnnotation = "NO"  # nothing in the PDF identifies the patient
        self.AcquisitionDateTime = None  # type 2; the images have theirs
        self.DocumentTitle = TITLE
        self.ConceptNameCodeSequence = [report_title()]
        self.MIMETypeOfEncapsulatedDocument = "application/pdf"
        self.EncapsulatedDocumentLength = len(pdf)
        self.EncapsulatedDocument = pdf
        used = {image.sop_uid: image.sop_class for found in source.used.values() for image in found}
        if used:
            self.SourceInstanceSequence = [_reference(sop_class, uid) for uid, sop_class in used.items()]


def encapsulated_report(pdf: bytes, decision: Decision, source: Source) -> EncapsulatedReport:
    """The PDF wrapped; its UIDs follow from its bytes, the patient, the study and the study's images."""
    with quiet():
        return EncapsulatedReport(pdf, decision, source)


def _reference(sop_class: str, uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, uid
    return reference
