"""Net benefit against its definition on patients, its limits, its coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from prostate_alm.metrics import at_threshold, net_benefit, net_benefit_at


def at(logits, labels, pt=0.2, p=0.3, calibrated=0.3):
    return net_benefit(logits, labels, threshold_probability=pt, prevalence=p, calibrated_prevalence=calibrated)


def study(tp=34, fn=2, tn=44, fp=20):
    return np.repeat([4.0, -4.0, -4.0, 4.0], [tp, fn, tn, fp]), np.repeat([1, 1, 0, 0], [tp, fn, tn, fp])


def test_the_clinical_study_by_hand():
    """At p = 0.36 the table counts 100 patients; at pt = 0.2 a wrong scan costs w = 1/4 of a critical finding."""
    result = at(*study(), pt=0.2, p=0.36, calibrated=0.36)
    assert result.model.value == pytest.approx((34 - 20 / 4) / 100)
    assert result.dce_for_all.value == pytest.approx((36 - 64 / 4) / 100)
    assert result.net_scans_avoided.value == pytest.approx(44 - 2 * 4)
    assert result.dce_for_all.interval is None
    assert "no sampling error" in result.dce_for_all.method
    assert [figure.name for figure in result.figures] == [
        "net benefit at threshold probability 20%, prevalence 36%",
        "net benefit of DCE for all at threshold probability 20%, prevalence 36%",
        "net scans avoided per 100 at threshold probability 20%, prevalence 36%",
    ]
    assert {(figure.kind, figure.n1, figure.n0) for figure in result.figures} == {("locked", 36, 64)}


def test_the_intervals_are_those_of_the_rectangle():
    result, p, w = at(*study(), pt=0.2, p=0.1, calibrated=0.1), 0.1, 0.25
    tail = (1 - math.sqrt(0.95)) / 2
    se = beta.ppf(tail, 34, 3), beta.ppf(1 - tail, 35, 2)
    sp = beta.ppf(tail, 44, 21), beta.ppf(1 - tail, 45, 20)
    model = [p * se[i] - (1 - p) * (1 - sp[i]) * w for i in (0, 1)]
    avoided = [100 * ((1 - p) * sp[i] - p * (1 - se[i]) / w) for i in (0, 1)]
    assert result.model.interval == pytest.approx(model, abs=1e-7)
    assert result.net_scans_avoided.interval == pytest.approx(avoided, abs=1e-5)


@pytest.mark.parametrize(("pt", "w"), [(0.01, 1 / 99), (0.02, 1 / 49), (0.05, 1 / 19), (0.5, 1.0)])
def test_one_threshold_keeps_its_rates_whatever_a_scan_is_worth(pt, w):
    """Sensitivity 0.9, specificity 0.95, prevalence 1/3, by hand."""
    result = net_benefit_at(at_threshold(*study(27, 3, 57, 3), 0.0), threshold_probability=pt, prevalence=1 / 3)
    assert result.model.value == pytest.approx(0.9 / 3 - 2 / 3 * 0.05 * w)
    assert result.dce_for_all.value == pytest.approx(1 / 3 - 2 / 3 * w)
    assert result.net_scans_avoided.value == pytest.approx(100 * (2 / 3 * 0.95 - 0.1 / 3 / w))
    assert {(figure.kind, figure.n1, figure.n0) for figure in result.figures} == {("locked", 30, 60)}
    assert result.model.interval[0] < result.model.value < result.model.interval[1]


def test_a_threshold_without_negatives_has_no_net_benefit():
    result = net_benefit_at(at_threshold([1.0], [1], 0.0), threshold_probability=0.2, prevalence=0.3)
    assert (result.model.value, result.net_scans_avoided.value) == (None, None)
    assert result.dce_for_all.value == pytest.approx(0.3 - 0.7 / 4)


@pytest.mark.parametrize("wrong", [0.0, 1.0, math.nan])
@pytest.mark.parametrize("name", ["threshold_probability", "prevalence"])
def test_a_threshold_s_probabilities_outside_their_range_are_refused(name, wrong):
    rates = {"threshold_probability": 0.2, "prevalence": 0.3} | {name: wrong}
    with pytest.raises(ValueError, match=name.replace("_", " ") + r" .* outside \(0, 1\)"):
        net_benefit_at(at_threshold(*study(), 0.0), **rates)


ROWS = st.lists(st.tuples(st.floats(-5, 5), st.booleans()), min_size=4, max_size=30)
SHARES = st.floats(0.02, 0.98)


@given(ROWS, SHARES, SHARES, SHARES)
def test_it_is_the_definition_on_weighted_patients(rows, pt, p, calibrated):
    """A loop over patients: recalibrate each by Bayes, scan it or not, count what that gains and costs."""
    positives, negatives = sum(label for _, label in rows), sum(not label for _, label in rows)
    result = at([row[0] for row in rows], [row[1] for row in rows], pt, p, calibrated)
    assert (result.model.value is None) == (min(positives, negatives) == 0)
    if result.model.value is None:
        return
    gain, spared, margins = 0.0, 0.0, []
    for logit, label in rows:
        odds = math.exp(logit) * (1 - calibrated) / calibrated * p / (1 - p)
        margins.append(abs(math.log(odds * (1 - pt) / pt)))
        scan = odds / (1 + odds) >= pt
        patient = p / positives if label else (1 - p) / negatives
        gain += patient * scan * (1.0 if label else -pt / (1 - pt))
        spared += 100 * patient * (not scan) * (-(1 - pt) / pt if label else 1.0)
    if min(margins) > 1e-9:  # a tie is decided by rounding in this loop, not in the code
        assert result.model.value == pytest.approx(gain, abs=1e-9)
        assert result.net_scans_avoided.value == pytest.approx(spared, abs=1e-7)
    # what the scans avoided save, in true positives, is the lead over scanning everybody
    lead = result.model.value - result.dce_for_all.value
    assert result.net_scans_avoided.value * pt / (1 - pt) / 100 == pytest.approx(lead, abs=1e-9)
    for figure in (result.model, result.net_scans_avoided):
        assert figure.interval[0] <= figure.value <= figure.interval[1]


@given(SHARES, SHARES)
def test_a_case_at_the_threshold_probability_is_positive(pt, p):
    """The logit whose recalibrated probability is pt, whatever the shift's rounding."""
    calibrated = 0.37
    tie = math.log(pt / (1 - pt)) - math.log(p / (1 - p)) + math.log(calibrated / (1 - calibrated))
    below = tie - 1e-9
    result = at([tie, tie, below], [1, 0, 0], pt, p, calibrated)
    assert result.model.value == pytest.approx(p - (1 - p) / 2 * pt / (1 - pt))


def test_recalibration_moves_cases_across_the_threshold():
    logits, labels = [0.5, -0.5, 0.5, -0.5], [1, 1, 0, 0]
    assert at(logits, labels, pt=0.5, p=0.5, calibrated=0.5).net_scans_avoided.value == pytest.approx(0)
    rare = at(logits, labels, pt=0.5, p=0.2, calibrated=0.5)  # odds fall by 4: nobody reaches a half
    assert rare.model.value == 0
    assert rare.net_scans_avoided.value == pytest.approx(100 * (0.8 - 0.2))


@pytest.mark.parametrize(("label", "reason"), [(0, "no positives"), (1, "no negatives")])
def test_a_missing_class_leaves_only_dce_for_all(label, reason):
    result = at([1.0, 2.0], [label, label])
    for figure in (result.model, result.net_scans_avoided):
        assert (figure.value, figure.interval, figure.method) == (None, None, reason)
    assert result.dce_for_all.value == pytest.approx(0.3 - 0.7 / 4)


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.1, math.nan])
@pytest.mark.parametrize("name", ["threshold_probability", "prevalence", "calibrated_prevalence"])
def test_probabilities_outside_their_range_are_refused(name, wrong):
    rates = {"threshold_probability": 0.2, "prevalence": 0.3, "calibrated_prevalence": 0.3} | {name: wrong}
    with pytest.raises(ValueError, match=name.replace("_", " ") + r" .* outside \(0, 1\)"):
        net_benefit(*study(), **rates)


def test_the_rectangle_covers_at_least_95_percent():
    generator = np.random.default_rng(0)
    p, w, se, sp, hits, draws = 0.25, 0.25, 0.9, 0.6, np.zeros(2), 300
    truth = p * se - (1 - p) * (1 - sp) * w, 100 * ((1 - p) * sp - p * (1 - se) / w)
    for _ in range(draws):
        tp, tn = generator.binomial(30, se), generator.binomial(50, sp)
        result = at(*study(tp, 30 - tp, tn, 50 - tn), pt=0.2, p=p, calibrated=p)
        for place, figure in enumerate((result.model, result.net_scans_avoided)):
            hits[place] += figure.interval[0] <= truth[place] <= figure.interval[1]
    assert (hits / draws >= 0.95).all()
