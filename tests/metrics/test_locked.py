"""Figures at a locked threshold: the clinical study's golden numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from prostate_alm.metrics import at_threshold
from prostate_alm.metrics._distributions import clopper_pearson, upper_bound


def study(tp, fn, tn, fp):
    """A hundred rows with this two-by-two table at threshold 0."""
    return np.repeat([1.0, -1.0, -1.0, 1.0], [tp, fn, tn, fp]), np.repeat([1, 1, 0, 0], [tp, fn, tn, fp])


@pytest.mark.parametrize(
    ("table", "sensitivity", "specificity"),
    [((34, 2, 44, 20), 0.944, 0.688), ((23, 13, 57, 7), 0.639, 0.891)],
    ids=["CNN", "technician"],
)
def test_golden_numbers_of_the_clinical_study(table, sensitivity, specificity):
    locked = at_threshold(*study(*table), threshold=0.0)
    assert (locked.tp, locked.fn, locked.tn, locked.fp) == table
    assert round(locked.sensitivity.value, 3) == sensitivity
    assert round(locked.specificity.value, 3) == specificity
    assert locked.fpr.value == pytest.approx(1 - locked.specificity.value)
    assert locked.fpr.interval == pytest.approx([1 - bound for bound in reversed(locked.specificity.interval)])
    assert [figure.name for figure in locked.figures] == ["sensitivity", "specificity", "FPR", "FN rate"]
    assert {(figure.kind, figure.n1, figure.n0) for figure in locked.figures} == {("locked", 36, 64)}


@pytest.mark.parametrize(("fn", "n1", "bound"), [(2, 36, 0.165), (0, 36, 0.080), (36, 36, 1.0)])
def test_the_upper_bound_of_the_fn_rate(fn, n1, bound):
    figure = at_threshold(*study(n1 - fn, fn, 10, 0), threshold=0.0).fn_rate
    assert figure.value == fn / n1
    assert figure.interval[0] == 0
    assert round(figure.interval[1], 3) == bound
    if fn == 0:
        assert figure.interval[1] == pytest.approx(1 - 0.05 ** (1 / n1))


def test_a_logit_at_the_threshold_is_positive():
    locked = at_threshold([0.5, 0.5], [1, 0], threshold=0.5)
    assert (locked.tp, locked.fp) == (1, 1)


def test_a_missing_class_leaves_its_figures_undefined():
    without_positives, without_negatives = at_threshold([1.0], [0], 0.0), at_threshold([1.0], [1], 0.0)
    assert [figure.value for figure in without_positives.figures] == [None, 0.0, 1.0, None]
    assert [figure.value for figure in without_negatives.figures] == [1.0, None, None, 0.0]
    assert without_positives.fn_rate.method == "no positives"
    assert without_negatives.fpr.method == "no negatives"


def test_no_threshold_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        at_threshold([1.0], [1], math.nan)


@given(total=st.integers(1, 400), data=st.data(), confidence=st.sampled_from([0.9, 0.95, math.sqrt(0.95)]))
def test_the_exact_interval_is_scipy_s(total, data, confidence):
    count = data.draw(st.integers(0, total))
    wanted = binomtest(count, total).proportion_ci(confidence_level=confidence, method="exact")
    assert clopper_pearson(count, total, confidence) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    one_sided = binomtest(count, total, alternative="less").proportion_ci(confidence_level=confidence, method="exact")
    assert upper_bound(count, total, confidence) == pytest.approx(one_sided.high, abs=1e-9)
