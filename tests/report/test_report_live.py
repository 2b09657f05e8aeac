"""What the page's script counts from: every count's interval, and the scores as they are."""

import pytest
from report.evaluations import THRESHOLD, evaluated, three_arms

from prostate_alm.metrics import at_threshold
from prostate_alm.report import Prediction, by_arm, report_of
from prostate_alm.report.live import live_data


@pytest.mark.parametrize("threshold", [None, THRESHOLD])
def test_scores_and_start_are_those_of_the_report(threshold):
    report = report_of(evaluated(threshold=threshold))
    data = live_data(report)
    arms = by_arm(three_arms())
    assert [arm["id"] for arm in data["arms"]] == ["alm", "base", "continued"]
    for arm in data["arms"]:
        assert arm["logits"] == arms[arm["id"]].logits.tolist()
    assert data["labels"] == arms["alm"].labels.tolist()
    assert (data["start"], data["kind"]) == (report.operating.threshold, report.operating.kind)
    assert (data["n1"], data["n0"], data["prevalence"]) == (12, 20, 12 / 32)


def test_the_tables_hold_the_interval_of_every_count():
    data = live_data(report_of(evaluated()))
    logits, labels = range(32), [1] * 12 + [0] * 20
    assert [len(data["exact"][name]) for name in ("n1", "n0")] == [13, 21]
    for threshold in (-1, 3, 11, 20, 32):
        table = at_threshold(logits, labels, threshold)
        assert data["exact"]["n1"][table.tp] == pytest.approx(table.sensitivity.interval)
        assert data["exact"]["n0"][table.tn] == pytest.approx(table.specificity.interval)
        assert data["bound"][table.fn] == pytest.approx(table.fn_rate.interval[1])


@pytest.mark.parametrize("label", [0, 1])
def test_with_one_class_nothing_can_be_moved(label):
    rows = [Prediction(f"case{place}", label, "alm", float(place)) for place in range(4)]
    assert live_data(report_of(evaluated(rows, threshold=THRESHOLD))) is None
