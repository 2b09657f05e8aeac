import numpy as np
import pytest
from scipy.stats import chisquare

from prostate_alm.cifar10.counter import random_below, random_words

MASK = (1 << 64) - 1


def splitmix64(state: int) -> int:
    """The oracle, on Python's unbounded integers."""
    state = (state + 0x9E3779B97F4A7C15) & MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & MASK
    return state ^ (state >> 31)


def test_the_first_outputs_of_splitmix64_are_the_published_ones() -> None:
    # seed 1234567: reference output of the public-domain C code
    gamma, first = 0x9E3779B97F4A7C15, 6457827717110365317
    assert splitmix64(1234567) == first
    assert int(random_words(1234567)[0]) == first
    assert int(random_words((1234567 + gamma) & MASK)[0]) == 3203168211198807973


@pytest.mark.parametrize("words", [(0,), (1, 2), (2, 1), (-1, 5, MASK), (3, -(1 << 63), 49_999)])
def test_words_are_folded_in_order(words: tuple[int, ...]) -> None:
    state = 0
    for word in words:
        state = splitmix64(state ^ (word & MASK))
    assert int(random_words(*words)[0]) == state


def test_arrays_agree_with_integers_and_may_be_negative() -> None:
    ids = np.array([-5, 0, 7, 1 << 62])
    epochs = np.array([1, 2, 3, 4])
    together = random_words(9, epochs, ids)
    assert [int(random_words(9, int(e), int(i))[0]) for e, i in zip(epochs, ids, strict=True)] == together.tolist()


@pytest.mark.parametrize("bound", [2, 7, 98])
def test_draws_are_uniform(bound: int) -> None:
    counts = np.bincount(random_below(bound, 3, np.arange(100_000)), minlength=bound)
    assert len(counts) == bound
    assert chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("bound", [0, -1, 1 << 32])
def test_bound_out_of_range_is_refused(bound: int) -> None:
    with pytest.raises(ValueError, match="bound"):
        random_below(bound, 1)
