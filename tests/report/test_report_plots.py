"""Which curves a report draws."""

import pytest
from report.evaluations import THRESHOLD, evaluated

from prostate_alm.render import decision_plot
from prostate_alm.report import report_of
from prostate_alm.report.plots import plots_of


@pytest.mark.parametrize(("threshold", "kind"), [(THRESHOLD, "locked"), (None, "oracle")])
def test_the_decision_curve_is_of_the_reported_threshold_and_names_the_other_rule(threshold, kind):
    report = report_of(evaluated(threshold=threshold, training_prevalence=0.3))
    curves = {
        f"ALM, {kind} threshold": [(point.threshold_probability, point.benefit) for point in report.decision_curve],
        "ALM, cut-off chosen anew": [(point.threshold_probability, point.anew) for point in report.decision_curve],
    }
    assert plots_of(report).decision == decision_plot(curves, title="Decision curve: net benefit of ALM")


def test_without_the_training_s_prevalence_there_is_no_other_rule():
    drawn = plots_of(report_of(evaluated(threshold=THRESHOLD))).decision
    assert "ALM, locked threshold" in drawn
    assert "chosen anew" not in drawn
