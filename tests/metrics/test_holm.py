"""Paired tests and Holm's adjustment, against its definition by sequential rejection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prostate_alm.figures import Figure
from prostate_alm.metrics import PairedTest, holm

P_VALUES = st.lists(st.none() | st.floats(0, 1), max_size=8)


def paired(p_values):
    return [
        PairedTest(Figure(f"difference {place}", 0.1, None, 0.95, 3, 4, "oracle", "why"), p)
        for place, p in enumerate(p_values)
    ]


@given(P_VALUES, st.floats(0.001, 0.5))
def test_adjusted_values_reject_what_the_step_down_procedure_rejects(p_values, level):
    places = [place for place, p in enumerate(p_values) if p is not None]
    rejected = set()
    for rank, place in enumerate(sorted(places, key=lambda place: p_values[place])):
        if (len(places) - rank) * p_values[place] > level:
            break
        rejected.add(place)
    adjusted = holm(paired(p_values))
    assert {place for place in places if adjusted[place].p_value <= level} == rejected


@given(P_VALUES)
def test_order_and_differences_stay_and_no_p_value_falls(p_values):
    given_tests = paired(p_values)
    count = sum(p is not None for p in p_values)
    for before, after in zip(given_tests, holm(given_tests), strict=True):
        assert after.difference == before.difference
        if before.p_value is None:
            assert after == before
        else:
            assert after.p_value >= before.p_value
            assert after.adjustment == f"Holm, {count} test" + ("s" if count > 1 else "")


def test_what_is_adjusted_already_is_refused():
    with pytest.raises(ValueError, match=r"adjusted already \(Holm, 2 tests\)"):
        holm([*holm(paired([0.1, 0.2])), *paired([0.3])])


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(wrong):
    with pytest.raises(ValueError, match="within"):
        paired([0.5, wrong])
