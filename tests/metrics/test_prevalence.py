"""What a threshold means per 100 patients: the clinical study by hand, the limits, the coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from prostate_alm.metrics import at_prevalence, at_threshold


def table(tp, fn, tn, fp):
    logits, labels = np.repeat([1.0, -1.0, -1.0, 1.0], [tp, fn, tn, fp]), np.repeat([1, 1, 0, 0], [tp, fn, tn, fp])
    return at_threshold(logits, labels, threshold=0.0)


def exact(count, total, confidence):
    """Clopper-Pearson by its beta quantiles."""
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else beta.ppf(tail, count, total - count + 1)
    return low, 1.0 if count == total else beta.ppf(1 - tail, count + 1, total - count)


def test_the_clinical_study_at_its_own_prevalence():
    """At p = 36/100 a hundred patients are the study's own: every figure is a count of its table."""
    result = at_prevalence(table(34, 2, 44, 20), 0.36)
    assert result.scans_avoided.value == pytest.approx(46)  # 2 + 44
    assert result.wrongly_avoided.value == pytest.approx(2)
    assert result.ppv.value == pytest.approx(34 / 54)
    assert result.npv.value == pytest.approx(44 / 46)
    assert [figure.name for figure in result.figures] == [
        "PPV at prevalence 36%",
        "NPV at prevalence 36%",
        "scans avoided per 100 at prevalence 36%",
        "scans wrongly avoided per 100 at prevalence 36%",
    ]
    assert {(figure.kind, figure.n1, figure.n0) for figure in result.figures} == {("locked", 36, 64)}


def test_the_clinical_study_at_a_site_with_fewer_critical_cases():
    """Of 1000 patients 100 are positive: 94.4 are found, 5.6 missed; of 900 negatives 618.75 are spared."""
    result = at_prevalence(table(34, 2, 44, 20), 0.1)
    assert result.ppv.value == pytest.approx(94.444 / (94.444 + 281.25), abs=1e-5)
    assert result.npv.value == pytest.approx(618.75 / (618.75 + 5.5556), abs=1e-5)
    assert result.scans_avoided.value == pytest.approx(62.43, abs=0.005)
    assert result.wrongly_avoided.value == pytest.approx(0.5556, abs=1e-4)


def test_the_intervals_are_those_of_the_rectangle():
    result, p = at_prevalence(table(34, 2, 44, 20), 0.2), 0.2
    se, sp = exact(34, 36, math.sqrt(0.95)), exact(44, 64, math.sqrt(0.95))
    ppv = [p * se[i] / (p * se[i] + (1 - p) * (1 - sp[i])) for i in (0, 1)]
    npv = [(1 - p) * sp[i] / ((1 - p) * sp[i] + p * (1 - se[i])) for i in (0, 1)]
    avoided = [100 * (p * (1 - se[1 - i]) + (1 - p) * sp[i]) for i in (0, 1)]  # rises with Sp, falls with Se
    assert result.ppv.interval == pytest.approx(ppv, abs=1e-7)
    assert result.npv.interval == pytest.approx(npv, abs=1e-7)
    assert result.scans_avoided.interval == pytest.approx(avoided, abs=1e-5)
    low, high = exact(34, 36, 0.95)
    assert result.wrongly_avoided.interval == pytest.approx((20 * (1 - high), 20 * (1 - low)), abs=1e-5)


@pytest.mark.parametrize(
    ("counts", "undefined"),
    [
        ((0, 0, 3, 2), {"PPV": "no positives", "NPV": "no positives", "avoided": "no positives"}),
        ((3, 2, 0, 0), {"PPV": "no negatives", "NPV": "no negatives", "avoided": "no negatives"}),
        ((0, 4, 5, 0), {"PPV": "no case is called positive"}),
        ((4, 0, 0, 5), {"NPV": "no case is called negative"}),
    ],
)
def test_what_has_no_denominator_says_why(counts, undefined):
    result = at_prevalence(table(*counts), 0.3)
    for name, figure in {"PPV": result.ppv, "NPV": result.npv, "avoided": result.scans_avoided}.items():
        if name in undefined:
            assert (figure.value, figure.interval, figure.method) == (None, None, undefined[name])
        else:
            assert figure.interval[0] <= figure.value <= figure.interval[1]
    wrongly = result.wrongly_avoided
    assert (wrongly.value is None) == (counts[0] + counts[1] == 0)
    assert wrongly.value is not None or wrongly.method == "no positives"


@pytest.mark.parametrize("counts", [(5, 0, 7, 0), (0, 5, 0, 7), (5, 0, 3, 4), (2, 3, 7, 0)])
def test_perfect_and_useless_tables_keep_wide_intervals(counts):
    for figure in at_prevalence(table(*counts), 0.3).figures:
        assert figure.interval[0] <= figure.value <= figure.interval[1]
        assert figure.interval[1] - figure.interval[0] > 0.05


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.1, 1.1, math.nan])
def test_a_prevalence_outside_its_range_is_refused(wrong):
    with pytest.raises(ValueError, match=r"prevalence .* outside \(0, 1\)"):
        at_prevalence(table(1, 1, 1, 1), wrong)


@given(*[st.integers(1, 40)] * 4, st.floats(0.01, 0.99))
def test_the_figures_are_shares_of_one_population(tp, fn, tn, fp, p):
    result = at_prevalence(table(tp, fn, tn, fp), p)
    avoided, wrongly = result.scans_avoided.value, result.wrongly_avoided.value
    assert result.npv.value * avoided == pytest.approx(avoided - wrongly)
    assert result.ppv.value * (100 - avoided) == pytest.approx(100 * p - wrongly)
    for figure in result.figures:
        assert figure.interval[0] <= figure.value <= figure.interval[1]


@pytest.mark.parametrize(("se", "sp", "n1", "n0", "p"), [(0.95, 0.7, 18, 25, 0.3), (0.8, 0.9, 12, 20, 0.1)])
def test_the_rectangle_covers_at_least_95_percent(se, sp, n1, n0, p):
    """Every pair of tables weighted by its probability: the exact coverage, without simulation."""
    truth = [
        p * se / (p * se + (1 - p) * (1 - sp)),
        (1 - p) * sp / ((1 - p) * sp + p * (1 - se)),
        100 * (p * (1 - se) + (1 - p) * sp),
        100 * p * (1 - se),
    ]
    covered = np.zeros(4)
    for tp in range(n1 + 1):
        for tn in range(n0 + 1):
            weight = binom.pmf(tp, n1, se) * binom.pmf(tn, n0, sp)
            if weight < 1e-5:  # leaves out of the count at most 0.6%, to the disadvantage of the claim
                continue
            for place, figure in enumerate(at_prevalence(table(tp, n1 - tp, tn, n0 - tn), p).figures):
                inside = figure.interval is not None and figure.interval[0] <= truth[place] <= figure.interval[1]
                covered[place] += weight * inside
    assert (covered >= 0.95).all()
    assert (covered <= 1 + 1e-9).all()
