"""The Augmented Lagrangian loss: any base loss plus one AUC constraint per positive case."""

# torch's tolist and monai's factories are untyped
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportPrivateImportUsage=false

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss  # pyright: ignore[reportPrivateUsage]  # the base class of MONAI's losses

from prostate_alm.alm import Multipliers, PenaltySchedule, constraint_term, violations
from prostate_alm.losses._binary import checked

CaseIds = Sequence[str | int] | Tensor


class ALMLoss(_Loss):
    """A base loss under the constraint that every positive beats every negative by a margin.

    L = F + penalty * sum_j q_j^2 / (2 N+ N-) + sum_j multiplier_j q_j / (N+ N-), with q_j from `prostate_alm.alm`.

    `forward` changes no state. A training step is: `bind` the batch's case ids, `forward`, backward, then
    `raise_multipliers`; after every epoch `raise_penalty` with the validation AUC. `prostate_alm.training.ALMHandler`
    does this for a MONAI trainer. q is a SUM over the batch's negatives, so a good penalty depends on the batch size.
    Under gradient accumulation N+ and N- are those of the micro-batch.

    Args:
        base: loss F of (logits, labels) that gives a scalar; one of this package's or your own.
        margin: delta >= 0, in logits. The paper's grid: 1.0, 1.5, 2.0.
        penalty: mu(0) > 0. The paper's grid: 0.2, 0.3.
        growth: rho > 1. The paper's grid: 2, 3, 4.
        penalty_cap: largest mu; None (default) leaves it unbounded, as in the paper.

    Shapes:
        input: (B,) or (B, 1); target: the same; output: scalar.

    Raises:
        ValueError: for a parameter outside its range, wrong shapes, or labels outside {0, 1}.
        RuntimeError: from `forward` and `raise_multipliers`, if no case ids were bound for this batch.

    Example:
        >>> from prostate_alm.losses import BCELoss
        >>> loss = ALMLoss(BCELoss(), margin=1.0, penalty=0.2, growth=3.0)
        >>> loss.bind(["a", "b"])
        >>> logits, labels = torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0])
        >>> loss(logits, labels)
        tensor(0.7931)
        >>> loss.raise_multipliers(logits, labels).tolist()
        [1.0]
        >>> round(loss.multipliers.largest, 6)
        0.2

    Reference:
        arXiv:2102.12894, Eq. 8 and Algorithm 1.
    """

    def __init__(
        self,
        base: nn.Module,
        margin: float = 1.0,
        penalty: float = 0.2,
        growth: float = 3.0,
        penalty_cap: float | None = None,
    ) -> None:
        super().__init__()
        if not (math.isfinite(margin) and margin >= 0):
            raise ValueError(f"margin must be finite and >= 0, got {margin}")
        self.base = base
        self.margin = margin
        self.multipliers = Multipliers()
        self.schedule = PenaltySchedule(penalty, growth, penalty_cap)
        self._keys: list[int] | None = None

    def bind(self, case_ids: CaseIds) -> None:
        """Say whose logits the next `forward` gets, in their order; strings, integers or an integer tensor."""
        self._keys = self.multipliers.keys_of(case_ids)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The Augmented Lagrangian of one batch; a batch with one class only has the base loss alone.

        Raises:
            FloatingPointError: if the loss is not finite; names the penalty.
        """
        logits, labels = checked(input, target)
        keys = self._bound(labels)
        amounts, negatives = self._violations(logits, labels)
        multipliers = self.multipliers.of(_select(keys, labels)).to(amounts)
        constraint = constraint_term(amounts, multipliers, self.schedule.penalty, negatives)
        loss = self.base(input, target) + constraint
        self._require_finite(loss)
        return loss

    @torch.no_grad()
    def raise_multipliers(self, input: Tensor, target: Tensor) -> Tensor:
        """Raise the multipliers of the batch's positives by penalty * q, once, after backward; unbinds the ids.

        Returns:
            The violations q of the batch's positives, shape (P,), detached.

        Raises:
            FloatingPointError: if a violation or the penalty is no longer finite; names the penalty.
        """
        logits, labels = checked(input, target)
        keys = self._bound(labels)
        amounts, _ = self._violations(logits, labels)
        increments = (self.schedule.penalty * amounts.double()).tolist()
        self._require_finite(torch.tensor([*increments, self.schedule.penalty], dtype=torch.float64))
        self.multipliers.add(_select(keys, labels), increments)
        self._keys = None
        return amounts

    def raise_penalty(self, validation_auc: float) -> float:
        """End an epoch: the penalty grows if the validation AUC, in [0, 1], fell. Returns the new penalty."""
        return self.schedule.step(validation_auc)

    def extra_repr(self) -> str:
        """The parameters, for `repr`."""
        schedule = self.schedule
        return f"margin={self.margin}, penalty={schedule.penalty}, growth={schedule.growth}, penalty_cap={schedule.cap}"

    def get_extra_state(self) -> dict[str, Any]:
        """Multipliers and penalty, for `state_dict`; plain tensors and numbers, so `weights_only` can load them."""
        return {"multipliers": self.multipliers.state_dict(), "schedule": self.schedule.state_dict()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what `get_extra_state` gave."""
        self.multipliers.load_state_dict(state["multipliers"])
        self.schedule.load_state_dict(state["schedule"])

    def _bound(self, labels: Tensor) -> list[int]:
        if self._keys is None:
            raise RuntimeError("no case ids are bound: call bind(case_ids) before each training batch")
        if len(self._keys) != labels.numel():
            raise RuntimeError(f"{len(self._keys)} case ids are bound, but the batch has {labels.numel()} cases")
        return self._keys

    def _require_finite(self, values: Tensor) -> None:
        if not bool(values.isfinite().all()):
            raise FloatingPointError(
                f"the loss is no longer finite at penalty mu = {self.schedule.penalty:g}: "
                "lower growth or the learning rate, or set penalty_cap"
            )

    def _violations(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, int]:
        positive = labels == 1
        negatives = logits[~positive]
        return violations(logits[positive], negatives, self.margin), negatives.numel()


def _select(keys: list[int], labels: Tensor) -> list[int]:
    return [key for key, label in zip(keys, labels.tolist(), strict=True) if label == 1]
