"""One figure over seeds."""

import numpy as np
import pytest

from prostate_alm.figures import Figure
from prostate_alm.metrics import spread


def figures(*values, name="AUC", kind="oracle", n1=3, n0=4):
    return [
        Figure(name, value, None, 0.95, n1, n0, kind, "DeLong" if value is not None else "no positives")
        for value in values
    ]


def test_mean_and_sample_deviation():
    values = (0.7, 0.9, 0.65, 0.8)
    found = spread(figures(*values))
    assert (found.name, found.values, found.reason) == ("AUC", values, None)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-15)
    assert found.standard_deviation == pytest.approx(np.std(values, ddof=1), abs=1e-15)


def test_cases_are_those_of_the_repetition_with_the_fewest():
    found = spread(figures(0.7, n1=9, n0=2) + figures(0.8, n1=5, n0=7))
    assert (found.n1, found.n0, found.kind) == (5, 2, "oracle")


def test_one_value_has_no_deviation():
    found = spread(figures(0.7))
    assert (found.mean, found.standard_deviation, found.values, found.reason) == (0.7, None, (0.7,), None)


def test_one_undefined_figure_leaves_the_mean_undefined():
    found = spread(figures(0.7, None, 0.9))
    assert (found.mean, found.standard_deviation, found.values) == (None, None, (0.7, None, 0.9))
    assert found.reason == "undefined in 1 of 3: no positives"


def test_different_figures_and_none_are_refused():
    with pytest.raises(ValueError, match=r"one figure, got AUC \(oracle\), FPR \(oracle\)"):
        spread(figures(0.7) + figures(0.1, name="FPR"))
    with pytest.raises(ValueError, match=r"one figure, got AUC \(oracle\), AUC \(locked\)"):
        spread(figures(0.7) + figures(0.1, kind="locked"))
    with pytest.raises(ValueError, match="at least one"):
        spread([])
