"""An evaluation as people and programs read it: figures, table of predictions, one self-contained page."""

from prostate_alm.report.build import report_of
from prostate_alm.report.content import CaseFacts, Evaluated, Report
from prostate_alm.report.predictions import ARMS, ArmScores, Prediction, by_arm
from prostate_alm.report.rows import figure_rows
from prostate_alm.report.summary import ArmSummary, Errors, errors_at, summarise
from prostate_alm.report.write import write_report

__all__ = [
    "ARMS",
    "ArmScores",
    "ArmSummary",
    "CaseFacts",
    "Errors",
    "Evaluated",
    "Prediction",
    "Report",
    "by_arm",
    "errors_at",
    "figure_rows",
    "report_of",
    "summarise",
    "write_report",
]
