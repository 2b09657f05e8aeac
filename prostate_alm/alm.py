"""The constraint of the paper and its Augmented Lagrangian, in plain torch.

One constraint per positive case j asks that its logit exceeds every negative's by a margin (Eq. 7 and 8 of
arXiv:2102.12894):

    q_j = sum over the negatives k of max(0, margin - (f(x_j) - f(x_k)))
    L   = F + penalty * sum_j q_j^2 / (2 N+ N-) + sum_j multiplier_j q_j / (N+ N-)
"""

# torch's tolist and monai's factories are untyped
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportPrivateImportUsage=false

import hashlib
import math
import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

CaseIds = Sequence[str | int] | Tensor

SORT_FROM_PAIRS = 65_536
"""Number of positive-negative pairs from which sorting is cheaper than the dense table of pairs."""


def violations(positives: Tensor, negatives: Tensor, margin: float, sort_from: int = SORT_FROM_PAIRS) -> Tensor:
    """How far each positive case is from beating every negative by the margin: q_j >= 0.

    Small problems build the table of pairs; from `sort_from` pairs on the positives are sorted and the negatives
    counted between them, in O((P + N) log P) time and O(P + N) memory. Both work in float64 and give the same values
    and gradients, ties included (a pair that meets the margin exactly has gradient 0). Can be scripted and compiled.

    Args:
        positives: logits of the critical class, shape (P,); finite, which is not checked here (`ALMLoss` does).
        negatives: logits of the other class, shape (N,); finite.
        margin: delta, in logits, >= 0.
        sort_from: number of pairs from which to sort.

    Returns:
        Tensor of shape (P,), float32 or better. Zeros if there are no negatives; empty if no positives.

    Raises:
        ValueError: if the margin is negative.

    Example:
        >>> violations(torch.tensor([2.0, 0.0]), torch.tensor([0.5, -3.0]), margin=1.0)
        tensor([0.0000, 1.5000])
    """
    if not margin >= 0:
        raise ValueError(f"margin must be >= 0, got {margin}")
    dtype = torch.promote_types(positives.dtype, torch.float32)
    positives, negatives = positives.to(dtype), negatives.to(dtype)
    if positives.numel() * negatives.numel() < sort_from:
        return dense_violations(positives, negatives, margin)
    return sorted_violations(positives, negatives, margin)


def dense_violations(positives: Tensor, negatives: Tensor, margin: float) -> Tensor:
    """`violations` by the table of all pairs: O(P N) time and memory."""
    return torch.relu((margin - positives.double()).unsqueeze(1) + negatives).sum(dim=1).to(positives.dtype)


def sorted_violations(positives: Tensor, negatives: Tensor, margin: float) -> Tensor:
    """`violations` by sorting the positives, the few: q_j = S_j - c_j r_j.

    r_j = f(x_j) - margin is what no negative may exceed, c_j the number of negatives above it and S_j their sum. Each
    negative is placed once among the sorted r; c and S are then sums over the places above. They run in float64, since
    a million float32 terms would lose the small differences.
    """
    reach, order = (positives.double() - margin).sort()
    amounts = negatives.double()
    place = torch.searchsorted(reach.detach(), amounts.detach())  # how many r a negative exceeds
    counts = place.new_zeros(reach.numel() + 1).index_add(0, place, torch.ones_like(place))
    sums = reach.new_zeros(reach.numel() + 1).index_add(0, place, amounts)
    above = counts.flip(0).cumsum(0).flip(0)[1:]
    total = sums.flip(0).cumsum(0).flip(0)[1:]
    ascending = (total - above * reach).clamp_min(0.0)
    return torch.zeros_like(ascending).index_copy(0, order, ascending).to(positives.dtype)


def constraint_term(violations: Tensor, multipliers: Tensor, penalty: float, negatives: int) -> Tensor:
    """What Eq. 8 adds to the base loss.

    Args:
        violations: q, shape (P,).
        multipliers: lambda of the same cases, shape (P,).
        penalty: mu >= 0.
        negatives: number of negatives in the batch, N-.

    Returns:
        Scalar; an exact 0 that still back-propagates if the batch has no positive or no negative.
    """
    pairs = max(1, violations.numel() * negatives)
    return ((0.5 * penalty * violations + multipliers) * violations).sum() / pairs


def case_key(case_id: str | int) -> int:
    """A stable key in 0 .. 2^63 - 1 for a case id: integers stay, strings are hashed (BLAKE2b, 63 bits)."""
    if isinstance(case_id, str):
        return int.from_bytes(hashlib.blake2b(case_id.encode(), digest_size=8).digest(), "big") >> 1
    if isinstance(case_id, bool) or not hasattr(case_id, "__index__"):
        raise ValueError(f"a case id must be a string or an integer, got {case_id!r}")
    if not 0 <= case_id < 2**63:
        raise ValueError(f"case id {case_id} is outside 0 .. 2^63 - 1")
    return operator.index(case_id)


class Multipliers:
    """One Lagrange multiplier per positive training case, found by case id and never by position.

    A case that was never raised has multiplier 0. Values are kept in float64.

    Args:
        case_ids: all training cases; any other id is then refused. None (default) takes ids as they come.

    Raises:
        ValueError: if an id stands twice in `case_ids`.

    Example:
        >>> multipliers = Multipliers()
        >>> multipliers.add(["a", "b", "a"], [0.5, 1.0, 0.25])
        >>> multipliers.of(["b", "a", "c"])
        tensor([1.0000, 0.7500, 0.0000], dtype=torch.float64)
    """

    def __init__(self, case_ids: CaseIds | None = None) -> None:
        self._values: dict[int, float] = {}
        self._names: dict[int, str] = {}
        self._known: frozenset[int] | None = None
        if case_ids is not None:
            keys = self.keys_of(case_ids)
            self._known = frozenset(keys)
            if len(self._known) != len(keys):
                twice = next(key for key in keys if keys.count(key) > 1)
                raise ValueError(f"case id {self._names.get(twice, twice)} stands twice in the training set")

    def __len__(self) -> int:
        return len(self._values)

    def keys_of(self, case_ids: CaseIds) -> list[int]:
        """The stable keys of some case ids.

        Raises:
            ValueError: if two different strings share a key, an id is unknown, or a tensor is not of integers.
        """
        if isinstance(case_ids, Tensor):
            if case_ids.is_floating_point() or case_ids.dtype == torch.bool:
                raise ValueError(f"a tensor of case ids must hold integers, got {case_ids.dtype}")
            case_ids = case_ids.reshape(-1).tolist()
        keys: list[int] = []
        for case_id in case_ids:
            key = case_key(case_id)
            if self._known is not None and key not in self._known:
                raise ValueError(f"case id {case_id!r} is none of the {len(self._known)} training cases")
            if isinstance(case_id, str) and self._names.setdefault(key, case_id) != case_id:
                raise ValueError("two case ids share one key: rename one of them, or use integer ids")
            keys.append(key)
        return keys

    def of(self, case_ids: CaseIds) -> Tensor:
        """Multipliers of the cases, float64, shape (len(case_ids),)."""
        return torch.tensor([self._values.get(key, 0.0) for key in self.keys_of(case_ids)], dtype=torch.float64)

    def add(self, case_ids: CaseIds, increments: Sequence[float]) -> None:
        """Raise multipliers; a case that stands twice gets both increments.

        Raises:
            ValueError: if the lengths differ, or an increment is negative or not finite.
        """
        keys = self.keys_of(case_ids)
        if len(keys) != len(increments):
            raise ValueError(f"{len(keys)} case ids but {len(increments)} increments")
        if any(not (math.isfinite(increment) and increment >= 0) for increment in increments):
            raise ValueError("a multiplier can only be raised by a finite amount >= 0")
        for key, increment in zip(keys, increments, strict=True):
            self._values[key] = self._values.get(key, 0.0) + increment

    @property
    def largest(self) -> float:
        """The largest multiplier, 0.0 if there is none."""
        return max(self._values.values(), default=0.0)

    def state_dict(self) -> dict[str, Tensor]:
        """Keys (int64) and values (float64), in ascending order of the keys."""
        keys = sorted(self._values)
        return {
            "keys": torch.tensor(keys, dtype=torch.int64),
            "values": torch.tensor([self._values[key] for key in keys], dtype=torch.float64),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what `state_dict` gave.

        Raises:
            ValueError: if a case is unknown, or a multiplier is negative or not finite.
        """
        keys, values = self.keys_of(state["keys"]), state["values"].tolist()
        if any(not (math.isfinite(value) and value >= 0) for value in values):
            raise ValueError(f"multipliers must be finite and >= 0, got {min(values)} to {max(values)}")
        self._values = dict(zip(keys, values, strict=True))


class PenaltySchedule:
    """mu: multiplied by `growth` after an epoch whose validation AUC is below that of the epoch before.

    Args:
        penalty: mu(0) > 0.
        growth: rho > 1.
        cap: largest mu; None leaves it unbounded, as in the paper.

    Raises:
        ValueError: for a parameter outside its range.

    Example:
        >>> schedule = PenaltySchedule(penalty=0.2, growth=3.0)
        >>> [schedule.step(auc) for auc in (0.8, 0.9, 0.85, 0.85)]
        [0.2, 0.2, 0.6000000000000001, 0.6000000000000001]
    """

    def __init__(self, penalty: float, growth: float, cap: float | None = None) -> None:
        if not (math.isfinite(penalty) and penalty > 0):
            raise ValueError(f"penalty must be finite and > 0, got {penalty}")
        if not (math.isfinite(growth) and growth > 1):
            raise ValueError(f"growth must be finite and > 1, got {growth}")
        if cap is not None and not cap >= penalty:
            raise ValueError(f"penalty_cap must be at least the penalty {penalty}, got {cap}")
        self.penalty = penalty
        self.growth = growth
        self.cap = math.inf if cap is None else cap
        self.previous_auc: float | None = None

    def step(self, validation_auc: float) -> float:
        """End an epoch and return the penalty of the next one.

        Raises:
            ValueError: if the AUC is not within [0, 1].
        """
        if not 0.0 <= validation_auc <= 1.0:
            raise ValueError(f"validation AUC must be within [0, 1], got {validation_auc}")
        if self.previous_auc is not None and validation_auc < self.previous_auc:
            self.penalty = min(self.penalty * self.growth, self.cap)
        self.previous_auc = validation_auc
        return self.penalty

    def state_dict(self) -> dict[str, Any]:
        """The penalty reached and the AUC of the last epoch."""
        return {"penalty": self.penalty, "previous_auc": self.previous_auc}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Raises:
            ValueError: if the penalty is not finite, not above 0 or above the cap, or the AUC is outside [0, 1].
        """
        penalty, previous = state["penalty"], state["previous_auc"]
        if not (math.isfinite(penalty) and 0 < penalty <= self.cap):
            raise ValueError(f"penalty must be finite, > 0 and at most {self.cap}, got {penalty}")
        if previous is not None and not 0.0 <= previous <= 1.0:
            raise ValueError(f"validation AUC must be within [0, 1], got {previous}")
        self.penalty, self.previous_auc = penalty, previous
