"""Out-of-bag logits of an ensemble: each case judged by the members that did not train on it."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from prostate_alm.metrics.inputs import Floats, Scores, checked


@dataclass(frozen=True)
class OutOfBag:
    """What an ensemble says of the cases that some member did not train on.

    Args:
        logits: of the kept cases, in their order.
        kept: whether a case has such a member.
        members: how many members each kept case rests on, at least 1.
        excluded: cases that every member trained on.

    Shapes: `kept` (B,) bool; `logits` float64 and `members` int (K,), K = kept cases.
    """

    logits: Floats
    kept: NDArray[np.bool_]
    members: NDArray[np.int64]
    excluded: int

    def of_positives(self, labels: Scores) -> Floats:
        """Logits of the kept positives.

        Args:
            labels: of all cases, also the excluded ones; 1 = critical class.

        Shapes: (B,) or (B, 1) in, (kept positives,) out.

        Raises:
            ValueError: if there is not one label per case, or a label is not 0 or 1.
        """
        logits = np.zeros(len(self.kept))
        logits[self.kept] = self.logits
        return logits[checked(logits, labels).positive & self.kept]


def out_of_bag(member_logits: Scores, trained_on: Scores) -> OutOfBag:
    """Mean logit, for each case, of the ensemble members that did not train on it.

    An approximation of the ensemble only: 10 random 80/20 splits leave 0.8^10 = 10.7% of the cases without a logit, and
    about 2 members for the rest.

    Args:
        member_logits: raw outputs of every member on every case, numpy or torch, finite.
        trained_on: whether the member was trained on the case, or on another of the same patient, bool. A case that
            only validated the member counts as unseen, although it chose the checkpoint: hence an approximation.

    Shapes: (M, B) each: M members, B cases.

    Returns:
        Without members every case is excluded; without cases it is empty.

    Raises:
        ValueError: if the shapes are not (M, B) and equal, a logit is NaN or infinite, or `trained_on` is not bool.

    Example:
        >>> result = out_of_bag([[1.0, 2.0, 3.0], [5.0, 6.0, 7.0]], [[True, False, True], [False, False, True]])
        >>> result.logits.tolist(), result.members.tolist(), result.excluded
        ([5.0, 4.0], [1, 2], 1)
    """
    logits, trained = _array(member_logits).astype(np.float64), _array(trained_on)
    if logits.ndim != 2 or logits.shape != trained.shape:
        raise ValueError(f"logits and trained_on must both be (members, cases), not {logits.shape} and {trained.shape}")
    if trained.dtype != np.bool_:
        raise ValueError(f"trained_on must be bool, not {trained.dtype}")
    if not bool(np.isfinite(logits).all()):
        raise ValueError("member logits must be finite: NaN or infinity has no mean")
    members = np.count_nonzero(~trained, axis=0)
    kept = members > 0
    totals = np.where(trained, 0.0, logits).sum(axis=0)
    return OutOfBag(totals[kept] / members[kept], kept, members[kept], int(np.count_nonzero(~kept)))


def _array(values: Scores) -> NDArray[Any]:
    tensor = cast(Any, values)
    if hasattr(tensor, "detach"):  # a torch tensor, told by its manners: importing torch takes 1.5 s
        tensor = tensor.detach().cpu()
        tensor = tensor.double().numpy() if tensor.is_floating_point() else tensor.numpy()
    return np.asarray(tensor)
