"""Predictions to figures: what fits together, what each arm gets."""

import numpy as np
import pytest

from prostate_alm.errors import UsageError
from prostate_alm.figures import Figure
from prostate_alm.metrics import at_threshold, auc, fpr_at_fn
from prostate_alm.operating_point import Threshold
from prostate_alm.report import Prediction, by_arm, errors_at, summarise, wording

THRESHOLD = Threshold(0.25, "certified", 0.1, 0.1, 22, 1)


@pytest.fixture
def rows():
    generator = np.random.default_rng(1)
    labels = np.repeat([1, 0], [20, 30])
    return [
        Prediction(f"case{case:02}", int(labels[case]), arm, float(gain * labels[case] + generator.normal()))
        for arm, gain in (("alm", 2.0), ("base", 1.0), ("continued", 1.2))
        for case in generator.permutation(50)
    ]


def test_arms_and_cases_come_in_order_whatever_the_rows_order(rows):
    arms = by_arm(rows)
    assert list(arms) == ["base", "continued", "alm"]
    assert list(arms["alm"].case_ids) == sorted(arms["alm"].case_ids)
    shuffled = by_arm([row._asdict() for row in reversed(rows)])
    for arm, scores in arms.items():
        np.testing.assert_array_equal(scores.logits, shuffled[arm].logits)
        np.testing.assert_array_equal(scores.labels, shuffled[arm].labels)


def test_another_arm_comes_last():
    assert list(by_arm([("a", 1, "aucm", 0.0), ("a", 1, "alm", 0.0)])) == ["alm", "aucm"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no predictions"),
        ([("a", 1, "alm", 0.0), ("a", 1, "alm", 1.0)], "stands twice"),
        ([("a", 1, "alm", 0.0), ("b", 1, "base", 1.0)], "differ in cases"),
        ([("a", 1, "alm", 0.0), ("a", 0, "base", 1.0)], "differ in cases or labels"),
    ],
)
def test_rows_that_do_not_fit_together_are_refused(rows, message):
    with pytest.raises(UsageError, match=message):
        by_arm(rows)


def test_a_missing_main_arm_is_refused(rows):
    with pytest.raises(UsageError, match="no predictions of the arm other, only of base, continued, alm"):
        summarise(rows, main_arm="other")


def test_each_arm_gets_the_figures_of_the_metrics_room(rows):
    arms = by_arm(rows)
    base, continued, alm = summarise(rows, threshold=THRESHOLD)
    for summary in (base, continued, alm):
        scores = arms[summary.arm]
        assert summary.auc == auc(scores.logits, scores.labels)
        assert summary.fpr_at_0fn == fpr_at_fn(scores.logits, scores.labels, 0)
        assert summary.fpr_at_1fn == fpr_at_fn(scores.logits, scores.labels, 1)
    assert (base.locked, continued.locked) == (None, None)
    assert alm.locked == at_threshold(arms["alm"].logits, arms["alm"].labels, 0.25)


def test_errors_are_those_of_the_table_worst_first(rows):
    alm = summarise(rows, threshold=THRESHOLD)[-1]
    errors = errors_at(alm.scores, THRESHOLD.value)
    assert (len(errors.missed), len(errors.needless)) == (alm.locked.fn, alm.locked.fp)
    labels = {row.case_id: row.label for row in rows}
    assert all(labels[case_id] == 1 and logit < 0.25 for case_id, logit in errors.missed)
    assert all(labels[case_id] == 0 and logit >= 0.25 for case_id, logit in errors.needless)
    assert [logit for _, logit in errors.missed] == sorted(logit for _, logit in errors.missed)
    assert [logit for _, logit in errors.needless] == sorted((logit for _, logit in errors.needless), reverse=True)
    assert errors_at(alm.scores, alm.oracle_threshold.value).missed == ()


def figure(value, interval):
    return Figure("x", value, interval, 0.95, 3, 4, "locked", "why")


@pytest.mark.parametrize(
    ("value", "interval", "as_rate", "as_area"),
    [
        (None, None, ("undefined", ""), ("undefined", "")),
        (0.5, None, ("50.0%", "no interval: why"), ("0.500", "no interval: why")),
        (1.0, (1.0, 1.0), ("100.0%", wording.DEGENERATE), ("1.000", wording.DEGENERATE)),
        (0.0004, (0.0, 0.0009), ("< 0.1%", "0.0 to 0.1%"), ("< 0.001", "0.000 to 0.001")),
        (0.9999, (0.9996, 1.0), ("> 99.9%", "> 99.9 to 100.0%"), ("1.000", "1.000 to 1.000")),
        (0.0, (0.0, 0.0004), ("0.0%", "0.0 to < 0.1%"), ("0.000", "0.000 to < 0.001")),
        (0.3125, (0.2, 0.4406), ("31.2%", "20.0 to 44.1%"), ("0.312", "0.200 to 0.441")),
    ],
)
def test_wording_of_figures(value, interval, as_rate, as_area):
    written, area = wording.rate(figure(value, interval)), wording.area(figure(value, interval))
    assert (written.value, written.interval, written.method) == (*as_rate, "why")
    assert (area.value, area.interval) == as_area


@pytest.mark.parametrize(
    ("value", "text"), [(0.00012, "1 in 833333 patients"), (8.0, "1 in 13 patients"), (0.0, ""), (1e-15, "")]
)
def test_a_share_of_a_hundred_is_one_in_so_many(value, text):
    assert wording.one_in(figure(value, None)) == text


def test_a_figure_of_patients_or_an_area_below_its_top_does_not_say_the_top():
    assert wording.count(figure(99.97, (99.9, 100.0))).value == "> 99.9"
    assert wording.area(Figure("AUC", 0.9999, (0.9, 1.0), 0.95, 3, 4, "oracle", "DeLong")).value == "> 0.999"


def test_wording_of_a_bound_that_is_not_there():
    assert wording.upper_bound(figure(None, None)) == "undefined"
