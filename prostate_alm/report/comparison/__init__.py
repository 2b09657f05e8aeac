"""Evaluations side by side: the paper's Tables 1, 3 and 7 on a hospital's own cohort."""

from prostate_alm.report.comparison.compare import Comparison, compare
from prostate_alm.report.comparison.grids import comparison_grids, hyperparameter_grid
from prostate_alm.report.comparison.reading import Evaluation, discard_record, read_evaluations, write_record
from prostate_alm.report.comparison.training import Trained
from prostate_alm.report.comparison.write import comparison_rows, markdown, write_comparison

__all__ = [
    "Comparison",
    "Evaluation",
    "Trained",
    "compare",
    "comparison_grids",
    "comparison_rows",
    "discard_record",
    "hyperparameter_grid",
    "markdown",
    "read_evaluations",
    "write_comparison",
    "write_record",
]
