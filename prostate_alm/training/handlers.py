"""What a MONAI trainer needs for the Augmented Lagrangian and for draws that can be repeated."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator, Trainer
from monai.engines.utils import IterationEvents

from prostate_alm.losses import ALMLoss
from prostate_alm.training.data import draw_seed


class ALMHandler:
    """Runs Algorithm 1 of the paper inside a stock `SupervisedTrainer`.

    Binds the batch's case ids before the loss, raises the multipliers once after backward, and raises the penalty
    after every validation whose AUC fell. Every epoch it writes into `trainer.state.metrics`: `penalty` (of the epoch
    that ended), `largest_multiplier`, `mean_violation` and `satisfied_share` (of the positives, those that beat every
    negative of their batch).

    Args:
        loss: the trainer's loss.
        evaluator: the validation evaluator, run once per epoch.
        auc_name: name of the validation AUC among the evaluator's metrics.
        case_id_key: key of the case ids in a batch.

    Reference:
        arXiv:2102.12894, Algorithm 1.
    """

    def __init__(
        self, loss: ALMLoss, evaluator: Evaluator, auc_name: str = "val_auc", case_id_key: str = "case_id"
    ) -> None:
        self.loss = loss
        self.evaluator = evaluator
        self.auc_name = auc_name
        self.case_id_key = case_id_key
        self._violations: list[torch.Tensor] = []

    def attach(self, engine: Trainer) -> None:
        """Register on the trainer and on the evaluator."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start_epoch)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._bind)
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self._raise_multipliers)
        self.evaluator.add_event_handler(Events.COMPLETED, self._end_epoch, engine)

    def _start_epoch(self, _engine: Engine) -> None:
        self._violations.clear()

    def _bind(self, engine: Engine) -> None:
        self.loss.bind(_mapping(engine.state.batch)[self.case_id_key])

    def _raise_multipliers(self, engine: Engine) -> None:
        output = _mapping(engine.state.output)
        self._violations.append(self.loss.raise_multipliers(output["pred"].detach(), output["label"]))

    def _end_epoch(self, evaluator: Engine, trainer: Trainer) -> None:
        if not self._violations:  # the evaluator was run by hand, outside an epoch
            return
        amounts = torch.cat([amount.double().cpu() for amount in self._violations])
        trainer.state.metrics |= {
            "penalty": self.loss.schedule.penalty,
            "largest_multiplier": self.loss.multipliers.largest,
            "mean_violation": float(amounts.mean()) if amounts.numel() else 0.0,
            "satisfied_share": float((amounts == 0).double().mean()) if amounts.numel() else 1.0,
        }
        self._violations.clear()
        self.loss.raise_penalty(float(evaluator.state.metrics[self.auc_name]))


def _mapping(content: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], content)


class SeedEpoch:
    """Seeds torch's global generator (dropout) from (seed, stage, epoch), so that a resumed epoch draws the same.

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
        torch.manual_seed(draw_seed(self.seed, self.stage, engine.state.epoch))
