"""What a MONAI trainer needs for the Augmented Lagrangian and for draws that can be repeated."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator, Trainer
from monai.engines.utils import IterationEvents

from prostate_alm.errors import UsageError
from prostate_alm.losses import ALMLoss
from prostate_alm.training.data import draw_seed

FIGURES = ("penalty", "largest_multiplier", "mean_violation", "satisfied_share")
"""What `ALMHandler` tells of an epoch."""


class ALMHandler:
    """Runs Algorithm 1 of the paper inside a stock `SupervisedTrainer`.

    Binds the batch's case ids before the loss, raises the multipliers once after backward, and raises the penalty
    after every validation whose AUC fell. In every epoch that validates it writes into `trainer.state.metrics`:
    `penalty` (of the epoch that ended), `largest_multiplier`, `mean_violation` and `satisfied_share` (of the positives,
    those that no negative of their batch comes near by less than the margin); other epochs have none of them.

    Args:
        loss: the trainer's loss.
        evaluator: the validation evaluator, run once per epoch.
        auc_name: name of the validation AUC among the evaluator's metrics.
        case_id_key: key of the case ids in a batch.
        padding_key: key of the marks of a distributed sampler's duplicates, if a batch has them.

    Reference:
        arXiv:2102.12894, Algorithm 1.
    """

    def __init__(
        self,
        loss: ALMLoss,
        evaluator: Evaluator,
        auc_name: str = "val_auc",
        case_id_key: str = "case_id",
        padding_key: str = "padding",
    ) -> None:
        self.loss = loss
        self.evaluator = evaluator
        self.auc_name = auc_name
        self.case_id_key = case_id_key
        self.padding_key = padding_key
        self._violations: list[torch.Tensor] = []

    def attach(self, engine: Trainer) -> None:
        """Register on the trainer and on the evaluator."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start_epoch)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._bind)
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self._raise_multipliers)
        self.evaluator.add_event_handler(Events.COMPLETED, self._end_epoch, engine)

    def _start_epoch(self, engine: Engine) -> None:
        self._violations.clear()
        for name in FIGURES:  # those of an earlier validation
            engine.state.metrics.pop(name, None)

    def _bind(self, engine: Engine) -> None:
        batch = _mapping(engine.state.batch)
        self.loss.bind(batch[self.case_id_key], padding=batch.get(self.padding_key))

    def _raise_multipliers(self, engine: Engine) -> None:
        output = _mapping(engine.state.output)
        self._violations.append(self.loss.raise_multipliers(output["pred"].detach(), output["label"]))

    def _end_epoch(self, evaluator: Engine, trainer: Trainer) -> None:
        if not self._violations:  # the evaluator was run by hand, outside an epoch
            return
        amounts = torch.cat([amount.double().cpu() for amount in self._violations])
        figures = (
            self.loss.schedule.penalty,
            self.loss.multipliers.largest,
            float(amounts.mean()) if amounts.numel() else 0.0,
            float((amounts == 0).double().mean()) if amounts.numel() else 1.0,
        )
        trainer.state.metrics |= dict(zip(FIGURES, figures, strict=True))
        self._violations.clear()
        if self.auc_name not in evaluator.state.metrics:
            raise UsageError(f"the penalty needs the metric {self.auc_name!r}, the evaluator has none of this name")
        self.loss.raise_penalty(float(evaluator.state.metrics[self.auc_name]))


def _mapping(content: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], content)


class NonNegative:
    """Keeps a trained parameter at 0 or above, after every iteration: the alpha of MONAI's `AUCMLoss`.

    The saddle point of the AUC margin loss is over alpha >= 0; below 0 it would pull well separated classes together.

    Args:
        parameter: what is kept.

    Reference:
        Yuan et al. 2021, Large-scale robust deep AUC maximization.
    """

    def __init__(self, parameter: torch.nn.Parameter) -> None:
        self.parameter = parameter

    def attach(self, engine: Engine) -> None:
        """Register on the trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, _engine: Engine) -> None:
        """Clamp."""
        with torch.no_grad():
            self.parameter.clamp_(min=0.0)


class SeedEpoch:
    """Seeds torch's global generator (dropout) from (seed, stage, epoch), so that a resumed epoch draws the same.

    Where several ranks train, each draws for its own cases: the rank is part of the seed.

    Args:
        seed: the run's seed.
        stage: number of the training stage.
    """

    def __init__(self, seed: int, stage: int) -> None:
        self.seed = seed
        self.stage = stage

    def attach(self, engine: Engine) -> None:
        """Register on the trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Seed for the epoch that starts."""
        rank = getattr(engine.state, "rank", 0)
        torch.manual_seed(draw_seed(self.seed, self.stage, engine.state.epoch, *([rank] if rank else [])))
