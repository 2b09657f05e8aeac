"""The codes that the structured report uses beside those of DICOM, in a private scheme that it declares.

No standard terminology has a code for "DCE is needed": DICOM allows a scheme of one's own whose designator begins with
99 (PS3.3 section 8.2) and has it declared in the Coding Scheme Identification Sequence (C.12.1).
"""

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from prostate_alm.triage.decision import Outcome

SCHEME = "99PROSTALM"

NEED = Code("DCE_NEED", SCHEME, "Need for dynamic contrast-enhanced imaging (DCE)")
TREAT_AS = Code("TREAT_AS", SCHEME, "What to do with the study")
LOGIT = Code("LOGIT", SCHEME, "Mean logit of the ensemble")
OUTCOMES = {
    Outcome.DCE_REQUIRED: Code("DCE_REQUIRED", SCHEME, "DCE required"),
    Outcome.DCE_NOT_REQUIRED: Code("DCE_NOT_REQUIRED", SCHEME, "DCE not required"),
    Outcome.UNDECIDED: Code("UNDECIDED", SCHEME, "Undecided"),
}
THRESHOLD = codes.DCM.ThresholdValue
NO_UNITS = codes.UCUM.NoUnits
PROSTATE = codes.SCT.Prostate
MRI = codes.cid100.MRIUnspecifiedBodyRegion
COMMENT = codes.DCM.Comment
SUMMARY = codes.DCM.Summary


def scheme() -> CodingSchemeIdentificationItem:
    """The declaration of the private scheme."""
    return CodingSchemeIdentificationItem(
        designator=SCHEME, name="prostate_alm triage", version="1", responsible_organization="prostate_alm maintainers"
    )


def report_title() -> CodedConcept:
    """The title of the PDF."""
    return CodedConcept.from_code(codes.cid7021.ImagingMeasurementReport)
