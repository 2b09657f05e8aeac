"""Random numbers without a generator: each draw is a hash of what it is for.

A draw that depends on its words alone is the same in every batch, process, order and resumed run.
"""

import numpy as np
from numpy.typing import NDArray

Words = int | NDArray[np.integer]

_MASK = (1 << 64) - 1
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = state + _GAMMA
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))


def random_words(*words: Words) -> NDArray[np.uint64]:
    """One uniform 64-bit number for each row of words, a function of these words and their order alone.

    h_0 = 0, h_k = splitmix64(h_{k-1} XOR w_k), all modulo 2^64.

    Args:
        words: integers, or integer arrays of one length (N,); an integer counts for every row.

    Shapes:
        (N,), or (1,) if all words are integers.

    Example:
        >>> random_words(7, np.arange(3)).dtype
        dtype('uint64')
        >>> bool(random_words(7, np.array([2]))[0] == random_words(7, np.arange(3))[2])
        True

    Reference:
        Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (splitmix64).
    """
    state = np.zeros(1, np.uint64)
    for word in words:
        bits = np.array([word & _MASK], np.uint64) if isinstance(word, int) else word.astype(np.uint64)
        state = _mix(state ^ bits)
    return state


def random_below(bound: int, *words: Words) -> NDArray[np.int64]:
    """Uniform integers in [0, bound), one for each row of words; the bias is under bound / 2^32.

    Args:
        bound: in [1, 2^32).
        words: as for `random_words`.

    Raises:
        ValueError: if `bound` is out of range.

    Example:
        >>> draws = random_below(6, 1, np.arange(1000))
        >>> int(draws.min()), int(draws.max())
        (0, 5)
    """
    if not 1 <= bound < 1 << 32:
        raise ValueError(f"bound must be in [1, 2^32), got {bound}")
    return (((random_words(*words) >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)
