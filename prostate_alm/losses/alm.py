"""The Augmented Lagrangian loss: any base loss plus one AUC constraint per positive case."""

# torch's tolist and monai's factories are untyped
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportPrivateImportUsage=false

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss  # pyright: ignore[reportPrivateUsage]  # the base class of MONAI's losses

from prostate_alm.alm import CaseIds, Multipliers, PenaltySchedule, constraint_term, violations
from prostate_alm.errors import NotFiniteError
from prostate_alm.losses._binary import checked
from prostate_alm.losses.gather import gather_batch, refuse_batch
from prostate_alm.losses.weighted import class_counts


@dataclass(frozen=True)
class _Batch:
    """The cases of all ranks: logits and labels (B,), and their B keys."""

    logits: Tensor
    labels: Tensor
    keys: list[int]

    def violations(self, margin: float) -> tuple[Tensor, list[int], int]:
        """q (P,) and the keys of the positives, and the number of negatives."""
        positive, negative = (places.squeeze(1) for places in (self.labels.nonzero(), (1 - self.labels).nonzero()))
        amounts = violations(self.logits.index_select(0, positive), self.logits.index_select(0, negative), margin)
        return amounts, [self.keys[place] for place in positive.tolist()], len(negative)


class ALMLoss(_Loss):
    """A base loss under the constraint that every positive beats every negative by a margin.

    L = F + penalty * sum_j q_j^2 / (2 N+ N-) + sum_j multiplier_j q_j / (N+ N-), with q_j from `prostate_alm.alm`.

    `forward` changes no state. A training step is: `bind` the batch's case ids, `forward`, backward, then
    `raise_multipliers`; after every epoch `raise_penalty` with the validation AUC. `prostate_alm.training.ALMHandler`
    does this for a MONAI trainer. q is a SUM over the batch's negatives, so a good penalty depends on the batch size.
    Under gradient accumulation N+ and N- are those of the micro-batch.

    Where `torch.distributed` is initialised, base loss and constraint are those of the batch of all ranks together,
    and every rank raises the same multipliers; all ranks must make the same calls.

    Args:
        base: loss F of (logits, labels) that gives a scalar; one of this package's or your own. It gets both in the
            shape of the logits, in float32 or better.
        margin: delta >= 0, in logits. The paper's grid: 1.0, 1.5, 2.0.
        penalty: mu(0) > 0. The paper's grid: 0.2, 0.3.
        growth: rho > 1. The paper's grid: 2, 3, 4.
        penalty_cap: largest mu; None (default) leaves it unbounded, as in the paper.
        cases: (case id, label) of the whole training set, with both classes; any other id or label is then refused.
            None (default) takes ids as they come.

    Shapes:
        input: (B,) or (B, 1); target: the same; output: scalar.

    Raises:
        ValueError: for a parameter outside its range, training cases of one class, wrong shapes, labels outside
            {0, 1} or other than in `cases`, unknown ids, or a base loss that gives no scalar.
        NotFiniteError: a ValueError too; if logits or loss are NaN or infinite; names the penalty.
        RuntimeError: from `forward` and `raise_multipliers`, if no case ids were bound for this batch, or another rank
            has refused its batch.

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
        cases: Sequence[tuple[str | int, int]] | None = None,
    ) -> None:
        super().__init__()
        if not (math.isfinite(margin) and margin >= 0):
            raise ValueError(f"margin must be finite and >= 0, got {margin}")
        if cases is not None:
            class_counts([label for _, label in cases])  # a class without a case is refused
        self.base = base
        self.margin = margin
        self.multipliers = Multipliers(None if cases is None else [case_id for case_id, _ in cases])
        self.schedule = PenaltySchedule(penalty, growth, penalty_cap)
        self._labels: dict[int, int] | None = None
        if cases is not None:
            keys = self.multipliers.keys_of([case_id for case_id, _ in cases])
            self._labels = dict(zip(keys, [int(label) for _, label in cases], strict=True))
        self._keys: list[int] | None = None
        self._padding: list[bool] | None = None

    def bind(self, case_ids: CaseIds, padding: Sequence[bool] | Tensor | None = None) -> None:
        """Say whose logits the next `forward` gets, in their order.

        Args:
            case_ids: B strings, integers or an integer tensor.
            padding: B marks; True for a case that a distributed sampler drew twice to make the ranks even. Such cases
                are left out of base loss, constraint and multipliers. A case drawn twice on purpose is not padding.

        Raises:
            ValueError: for an unknown id, or another number of marks than of ids.
        """
        self._keys = self._padding = None
        keys = self.multipliers.keys_of(case_ids)
        marks = None if padding is None else [bool(mark) for mark in padding]
        if marks is not None and len(marks) != len(keys):
            raise ValueError(f"{len(keys)} case ids but {len(marks)} padding marks")
        self._keys, self._padding = keys, marks

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The Augmented Lagrangian of one batch; a batch with one class only has the base loss alone."""
        batch = self._batch(input, target)
        amounts, keys, negatives = batch.violations(self.margin)
        constraint = constraint_term(amounts, self.multipliers.of(keys).to(amounts), self.schedule.penalty, negatives)
        shape = (-1, *input.shape[1:])
        base = self.base(batch.logits.reshape(shape), batch.labels.reshape(shape))
        if base.dim() != 0:
            raise ValueError(f"the base loss must give a scalar, got shape {tuple(base.shape)}: set its reduction")
        loss = base + constraint
        self._require(bool(loss.isfinite()))
        return loss

    @torch.no_grad()
    def raise_multipliers(self, input: Tensor, target: Tensor) -> Tensor:
        """Raise the multipliers of the batch's positives by penalty * q, once, after backward; unbinds the ids.

        Returns:
            The violations q of the batch's positives, shape (P,), detached.
        """
        amounts, keys, _ = self._batch(input, target).violations(self.margin)
        increments: list[float] = (self.schedule.penalty * amounts.double()).tolist()
        self._require(all(map(math.isfinite, [*increments, self.schedule.penalty])))
        self.multipliers.add(keys, increments)
        self._keys = self._padding = None
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

    def _batch(self, input: Tensor, target: Tensor) -> _Batch:
        try:
            logits, labels, keys = self._own(input, target)
        except (ValueError, RuntimeError):
            refuse_batch(input.device)
            raise
        return _Batch(*gather_batch(logits, labels, keys, self._padding))

    def _own(self, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor, list[int]]:
        """This rank's logits, labels and keys, checked."""
        try:
            logits, labels = checked(input, target)
        except NotFiniteError as error:
            raise NotFiniteError(f"{error}, {self._remedy}") from None
        if self._keys is None:
            raise RuntimeError("no case ids are bound: call bind(case_ids) before each training batch")
        if len(self._keys) != len(logits):
            raise RuntimeError(f"{len(self._keys)} case ids are bound, but the batch has {len(logits)} cases")
        if self._labels is not None:
            for key, label in zip(self._keys, labels.tolist(), strict=True):
                if self._labels[key] != label:
                    raise ValueError(f"the case with key {key} has label {label:g} here, {self._labels[key]} in cases")
        return logits, labels, self._keys

    def _require(self, finite: bool) -> None:
        if not finite:
            raise NotFiniteError(f"the loss is no longer finite, {self._remedy}")

    @property
    def _remedy(self) -> str:
        return f"at penalty mu = {self.schedule.penalty:g}: lower growth or the learning rate, or set penalty_cap"
