"""A decision as DICOM objects, in the patient's own study."""

from prostate_alm.triage.dicom.encapsulated import encapsulated_report
from prostate_alm.triage.dicom.source import Source, read_source
from prostate_alm.triage.dicom.structured_report import structured_report

__all__ = ["Source", "encapsulated_report", "read_source", "structured_report"]
