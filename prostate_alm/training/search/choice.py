"""How a search chooses: by mean validation AUC over the members, ties to the first."""

import statistics
from collections.abc import Callable, Sequence
from typing import TypeVar

Candidate = TypeVar("Candidate")


def best(candidates: Sequence[Candidate], aucs: Callable[[Candidate], Sequence[float]]) -> Candidate:
    """The candidate with the highest mean validation AUC over the members; ties: the first.

    Means are told apart to a millionth: AUCs are stored in float32, and what is less is its rounding.

    Args:
        candidates: in the order of the grid, at least one.
        aucs: of a candidate's members.

    Example:
        >>> best(["a", "b", "c"], {"a": [0.7, 0.8], "b": [0.9, 0.8], "c": [0.8, 0.9 + 1e-9]}.__getitem__)
        'b'
    """
    return max(candidates, key=lambda candidate: round(statistics.fmean(aucs(candidate)), 6))
