"""Holm's adjustment against its definition by sequential rejection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prostate_alm.metrics import holm

P_VALUES = st.lists(st.floats(0, 1), max_size=8)


@given(P_VALUES, st.floats(0.001, 0.5))
def test_adjusted_values_reject_what_the_step_down_procedure_rejects(p_values, level):
    rejected = set()
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        if (len(p_values) - rank) * p_values[place] > level:
            break
        rejected.add(place)
    assert {place for place, p in enumerate(holm(p_values)) if p <= level} == rejected


@given(P_VALUES)
def test_no_p_value_falls(p_values):
    assert all(after >= before for before, after in zip(p_values, holm(p_values), strict=True))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(wrong):
    with pytest.raises(ValueError, match="within"):
        holm([0.5, wrong])
