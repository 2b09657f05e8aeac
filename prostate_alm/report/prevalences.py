"""Scans avoided at several prevalences, for a reader who cannot move a slider."""

from prostate_alm.metrics import PrevalenceFigures, at_prevalence
from prostate_alm.report.content import Report
from prostate_alm.report.operating import of_kind

SHOWN = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares of positives among a site's patients."""


def at_prevalences(report: Report) -> tuple[tuple[float, PrevalenceFigures], ...]:
    """Predictive values and scans avoided of the operating point, at usual prevalences and at the test cases' own.

    Args:
        report: computed.

    Returns:
        (prevalence, figures), prevalences rising; empty if there is no operating point or a class is missing.

    Example:
        >>> from prostate_alm.report.build import report_of
        >>> from prostate_alm.report.content import Evaluated
        >>> report = report_of(Evaluated([("a", 1, "alm", 2.0), ("b", 0, "alm", 1.0), ("c", 0, "alm", 3.0)]))
        >>> [f"{prevalence:.0%}" for prevalence, _ in at_prevalences(report)]
        ['10%', '20%', '30%', '33%', '40%', '50%']
    """
    point = report.operating
    if point is None or point.prevalence is None or point.at_prevalence is None:
        return ()
    others = {prevalence: of_kind(at_prevalence(point.table, prevalence), point.kind) for prevalence in SHOWN}
    return tuple(sorted((others | {point.prevalence: point.at_prevalence}).items(), key=lambda row: row[0]))
