"""Keeping a training stage: its best weights, everything needed to go on after a kill, and its result."""

import math
import pickle
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator, Trainer
from torch import nn

from prostate_alm.errors import UsageError
from prostate_alm.files import sha256, write_json
from prostate_alm.training.identity import stage_identity
from prostate_alm.training.ranks import all_agree, bare
from prostate_alm.training.tensors import save_tensors

WEIGHTS, STATE, RESULT = "model.pt", "train_state.pt", "result.json"


class StageCheckpoint:
    """Keeps the best network by a validation metric, resumes a killed stage bit for bit, stops early if told to.

    Must stand after the `ValidationHandler` and after a scheduler's handler among the trainer's handlers. The
    evaluator's metrics are shown among the trainer's in the epochs that validate, for trackers that stand between.
    Where several ranks train, rank 0 alone writes, and all of them resume. Files in `folder`:

    - `model.pt`: the network's state at the best epoch (ties: the earliest), nothing else.
    - `train_state.pt`: everything of the last completed epoch, for resuming.
    - `result.json`: written once, at the end: history, best epoch and metric, hash of the weights, seconds.

    Args:
        folder: where the stage keeps its files.
        parts: everything that has a state, by name: `network`, whose weights are kept, optimizer, loss, schedulers;
            those that are None are left out. Of a `DistributedDataParallel` the network itself is kept.
        evaluator: the validation evaluator, run once per epoch or less often.
        data: what the stage is trained on, for recognising it: anything that JSON or `str` can write down.
        patience: stop after so many epochs without a better metric; None trains all epochs.
        state_interval: epochs between two `train_state.pt`; 0 writes none (short runs that are rather repeated).
        metric: name of the deciding one among the evaluator's metrics: `val_auc`, or for example an FPR at 0 FN.
        smaller_is_better: True for a false-positive rate.

    Raises:
        UsageError: for a patience below 1; when it starts, if the folder holds a stage of other data, settings or
            first weights, or one that cannot be read, or ranks see different states in it; while it trains, if the
            loss or the metric is no longer finite.
    """

    def __init__(
        self,
        folder: Path | str,
        parts: Mapping[str, Any],
        evaluator: Evaluator,
        data: Any = None,
        patience: int | None = None,
        state_interval: int = 1,
        metric: str = "val_auc",
        smaller_is_better: bool = False,
    ) -> None:
        if patience is not None and patience < 1:
            raise UsageError(f"patience must be 1 epoch or more, or null to train all, got {patience}")
        self.folder = Path(folder)
        self.network: nn.Module = bare(parts["network"])
        self.parts = {name: part for name, part in parts.items() if part is not None} | {"network": self.network}
        self.evaluator = evaluator
        self.data = data
        self.patience = patience
        self.state_interval = state_interval
        self.metric = metric
        self.smaller_is_better = smaller_is_better
        self.best_metric, self.best_epoch = math.inf if smaller_is_better else -math.inf, 0
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self._unwritten: dict[str, torch.Tensor] | None = None
        self._started = 0.0
        self._validated = False
        self._writes = True
        self._identity: dict[str, str] = {}

    def attach(self, engine: Trainer) -> None:
        """Register on the trainer."""
        engine.add_event_handler(Events.STARTED, self._resume)
        engine.add_event_handler(Events.EPOCH_STARTED, self._hide_validation)
        self.evaluator.add_event_handler(Events.COMPLETED, self._note_validation, engine)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._keep)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _resume(self, engine: Engine) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._started = time.monotonic()
        self._identity = stage_identity(
            cast(Trainer, engine), self.parts, self.data, f"{self.metric} {self.smaller_is_better}"
        )
        self._writes = cast(Trainer, engine).state.rank == 0
        path = self.folder / STATE
        if path.is_file():
            self._load(engine, path)
        if not all_agree(engine.state.epoch, cast(Trainer, engine).state.device):
            raise UsageError(f"the ranks see different states in {self.folder}: put it where all of them can read it")
        self._stop_early(engine)

    def _load(self, engine: Engine, path: Path) -> None:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise UsageError(f"{path} is damaged: remove {self.folder} to train the stage anew") from error
        differing = [name for name, value in self._identity.items() if state["identity"].get(name) != value]
        if differing:
            raise UsageError(
                f"{self.folder} holds a stage of other {' and '.join(differing)}: choose another folder, or remove it"
            )
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        self.best_metric, self.best_epoch = state["best_metric"], state["best_epoch"]
        self.history, self.seconds = state["history"], state["seconds"]
        engine.state.epoch = state["epoch"]
        engine.state.iteration = state["iteration"]

    def _hide_validation(self, engine: Engine) -> None:
        for name in self.evaluator.state.metrics:
            engine.state.metrics.pop(name, None)

    def _note_validation(self, evaluator: Engine, engine: Engine) -> None:
        self._validated = True
        engine.state.metrics |= evaluator.state.metrics

    def _keep(self, engine: Engine) -> None:
        if not self._validated:
            return
        self._validated = False
        if self.metric not in self.evaluator.state.metrics:
            found = ", ".join(self.evaluator.state.metrics)
            raise UsageError(f"the evaluator has no metric {self.metric!r} to select on, only {found}")
        epoch, value = engine.state.epoch, float(self.evaluator.state.metrics[self.metric])
        validated = self.evaluator.state.metrics
        scalars = {name: float(value) for name, value in engine.state.metrics.items() if name not in validated}
        if not all(map(math.isfinite, scalars.values())):
            raise UsageError(f"training diverged in epoch {epoch} ({scalars}): lower learning_rate and train anew")
        if not math.isfinite(value):
            raise UsageError(f"{self.metric} is undefined in epoch {epoch}: it needs validation cases of both classes")
        scalars = {self.metric: value, **scalars}
        self.history.append({"epoch": epoch, **scalars})
        if value < self.best_metric if self.smaller_is_better else value > self.best_metric:
            self.best_metric, self.best_epoch = value, epoch
            self._unwritten = {name: value.cpu().clone() for name, value in self.network.state_dict().items()}
        if self.state_interval and epoch % self.state_interval == 0:
            self._write_state(engine)
        self._stop_early(engine)

    def _write_weights(self) -> None:
        if self._unwritten is not None and self._writes:
            save_tensors(self.folder / WEIGHTS, self._unwritten)
            self._unwritten = None

    def _write_state(self, engine: Engine) -> None:
        if not self._writes:
            return
        self._write_weights()  # first: a state must never name a best epoch whose weights are lost
        state = {
            "identity": self._identity,
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "epoch": engine.state.epoch,
            "iteration": engine.state.iteration,
            "best_metric": self.best_metric,
            "best_epoch": self.best_epoch,
            "history": self.history,
            "seconds": self.seconds + time.monotonic() - self._started,
        }
        save_tensors(self.folder / STATE, state)

    def _stop_early(self, engine: Engine) -> None:
        if self.patience is not None and engine.state.epoch - self.best_epoch >= self.patience:
            engine.terminate()

    def _finish(self, engine: Engine) -> None:
        self._write_weights()
        if not self.history:
            raise UsageError(f"{self.folder}: no epoch was validated; lower val_interval or raise max_epochs")
        if not self._writes:
            return
        result = {
            "best_metric": self.best_metric,
            "best_epoch": self.best_epoch,
            "epochs": engine.state.epoch,
            "weights_sha256": sha256(self.folder / WEIGHTS),
            "seconds": round(self.seconds + time.monotonic() - self._started, 3),
            "history": self.history,
        }
        write_json(self.folder / RESULT, result)
