"""Subgroups at a locked threshold: each as if it were alone, small ones suppressed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from prostate_alm.metrics import at_threshold, by_subgroup

LOGITS = np.array([2.0, 1.0, -1.0, -2.0, 3.0, 0.5, -3.0])
LABELS = np.array([1, 1, 1, 0, 0, 1, 0])
VENDORS = ["B", "A", "A", "A", "B", None, ""]


def test_groups_come_sorted_with_their_counts():
    groups = by_subgroup(LOGITS, LABELS, VENDORS, threshold=0.0, minimum=1)
    assert [(group.name, group.n1, group.n0, group.reason) for group in groups] == [
        ("A", 2, 1, None),
        ("B", 1, 1, None),
        ("unknown", 1, 1, None),
    ]
    first = groups[0].figures
    assert (first.tp, first.fn, first.tn, first.fp) == (1, 1, 1, 0)
    assert first.sensitivity.interval == pytest.approx((beta.ppf(0.025, 1, 2), beta.ppf(0.975, 2, 1)), abs=1e-9)
    assert (first.fn_rate.value, first.fn_rate.interval[1]) == (0.5, pytest.approx(beta.ppf(0.95, 2, 1)))
    assert {figure.kind for figure in first.figures} == {"locked"}


def test_a_group_under_the_minimum_is_suppressed():
    groups = by_subgroup(np.ones(12), np.repeat([1, 0], [9, 3]), ["A"] * 5 + ["B"] * 4 + ["C"] * 3, threshold=0.0)
    assert [(group.name, group.n1, group.n0, group.figures is None, group.reason) for group in groups] == [
        ("A", 5, 0, False, None),
        ("B", 4, 0, True, "suppressed: 4 positives, 5 needed"),
        ("C", 0, 3, True, "suppressed: 0 positives, 5 needed"),
    ]
    assert groups[0].figures.specificity.value is None
    assert groups[0].figures.specificity.method == "no negatives"


def test_no_cases_have_no_groups():
    assert by_subgroup([], [], [], threshold=0.0) == ()


def test_columns_and_arrays_of_names_are_taken():
    expected = by_subgroup(LOGITS, LABELS, ["x"] * 7, threshold=0.0, minimum=1)
    assert by_subgroup(LOGITS[:, None], LABELS[:, None], np.array(["x"] * 7), threshold=0.0, minimum=1) == expected


ROWS = st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.sampled_from(["A", "B", "C", None])), max_size=40)


@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 4))
def test_each_group_is_what_it_would_be_alone(rows, random, minimum):
    shuffled = random.sample(rows, len(rows))
    groups = by_subgroup(*[[row[place] for row in rows] for place in range(3)], threshold=0.5, minimum=minimum)
    again = by_subgroup(*[[row[place] for row in shuffled] for place in range(3)], threshold=0.5, minimum=minimum)
    assert groups == again
    assert sum(group.n1 + group.n0 for group in groups) == len(rows)
    for group in groups:
        alone = [row for row in rows if (row[2] or "unknown") == group.name]
        positives = sum(row[1] for row in alone)
        assert (group.figures is None) == (positives < minimum) == (group.reason is not None)
        if group.figures:
            assert group.figures == at_threshold([row[0] for row in alone], [row[1] for row in alone], 0.5)


@pytest.mark.parametrize("groups", [["A"], ["A"] * 3, []])
def test_one_group_per_case_is_needed(groups):
    with pytest.raises(ValueError, match="one group per logit"):
        by_subgroup([1.0, 2.0], [0, 1], groups, threshold=0.0)


@pytest.mark.parametrize("minimum", [0, -1])
def test_a_minimum_below_one_is_refused(minimum):
    with pytest.raises(ValueError, match="below 1"):
        by_subgroup([1.0], [1], ["A"], threshold=0.0, minimum=minimum)


def test_a_threshold_of_nan_is_refused_even_without_cases():
    with pytest.raises(ValueError, match="NaN"):
        by_subgroup([], [], [], threshold=math.nan)


@pytest.mark.parametrize("group", [0, 3.0])
def test_a_group_that_is_no_text_is_refused(group):
    with pytest.raises(ValueError, match=f"must be text or None, got {group}"):
        by_subgroup([1.0, 0.0], [1, 0], ["A", group], 0.5)
