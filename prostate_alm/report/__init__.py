"""An evaluation as people and programs read it: figures, table of predictions, one self-contained page."""

from prostate_alm.report.predictions import ARMS, ArmScores, Prediction, by_arm
from prostate_alm.report.summary import ArmSummary, Errors, errors_at, figure_rows, summarise
from prostate_alm.report.write import write_report

__all__ = [
    "ARMS",
    "ArmScores",
    "ArmSummary",
    "Errors",
    "Prediction",
    "by_arm",
    "errors_at",
    "figure_rows",
    "summarise",
    "write_report",
]
