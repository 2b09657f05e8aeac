"""Synthetic prostate MRI, written as the DICOM files of real scanners.

An anatomy is drawn (`anatomy`, `findings`), scanned (`protocol`) and written in a dialect (`dialects`): what a vendor's
headers say and where its b-values stand (`vendors`), and how slices become files (`slices`, `mosaics`, `enhanced`).
"""

from prostate_alm.phantom.cohort import write_cohort
from prostate_alm.phantom.dialects import DIALECTS
from prostate_alm.phantom.study import CONSPICUITY, StudyPlan, ground_truth, write_study

__all__ = ["CONSPICUITY", "DIALECTS", "StudyPlan", "ground_truth", "write_cohort", "write_study"]
