"""Where a run keeps its trainings: one file each, written whole, found again by content key."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10.data import member_data
from prostate_alm.cifar10.environment import environment, machine
from prostate_alm.cifar10.ledger import COLUMNS, Facts, environment_name
from prostate_alm.cifar10.predict import predict
from prostate_alm.cifar10.results import readable
from prostate_alm.cifar10.tensors import CifarDataset
from prostate_alm.cifar10.trainings import Training
from prostate_alm.errors import ModelError, UsageError
from prostate_alm.files import output_folder, sha256, whole_file, write_json
from prostate_alm.training import train_arm
from prostate_alm.training.checkpoint import RESULT, WEIGHTS

BUNDLE = "cifar10_alm_classification"
START = "start.json"  # beside the weights: where they were trained, and from what, which may be made anew since


@dataclass(frozen=True)
class Order:
    """A training with all that a worker needs to carry it out.

    Args:
        training: what to train.
        key: its content key.
        start_key: the key of the training it starts from; None for a base.
        data: the images.
        out: the run's folder, seen by every worker.
        environment: the one that the key was made of, see `environment.environment`.
    """

    training: Training
    key: str
    start_key: str | None
    data: Path
    out: Path
    environment: dict[str, Any]

    @property
    def result(self) -> Path:
        """The one file that says the training is finished, and what came out."""
        return self.out / "trainings" / f"{self.key}.npz"

    @property
    def weights(self) -> Path:
        """The best weights, beside the other files of the stage."""
        return _stage(self.out, self.key) / WEIGHTS

    def outcome(self) -> dict[str, Any] | None:
        """What the trainer wrote at the end; None unless the weights beside it are the very ones that it names."""
        told = _read_dict(_stage(self.out, self.key) / RESULT)
        try:
            return told if told.get("weights_sha256") == sha256(self.weights) else None
        except OSError:
            return None

    def is_kept(self) -> bool:
        """Whether the weights and the result file are both there, and the file is of these weights.

        Raises:
            NoInputError: if the result file cannot be read; names it.
        """
        told = self.outcome()
        if told is None or not self.result.is_file():
            return False
        return read_facts(self.result)["weights_sha256"] == told["weights_sha256"]

    def overrides(self) -> dict[str, Any]:
        """Config id -> value for the bundle, with the precision that the key names."""
        told = {"dataset_dir": str(self.data), "inferer::precision": self.environment["precision"]}
        return self.training.overrides() | told

    def own_bundle(self) -> Path:
        """The bundle of the process that carries the order out.

        Raises:
            UsageError: if its code, configs or libraries are not those that the key was made of.
        """
        bundle = find_bundle(BUNDLE)
        here = environment(self.environment["data"], bundle) | {"precision": self.environment["precision"]}
        if here != self.environment:
            differing = ", ".join(name for name, value in here.items() if value != self.environment.get(name))
            raise UsageError(f"a worker has other {differing} than the caller: install the same version everywhere")
        return bundle


def _stage(out: Path, key: str) -> Path:
    return out / "work" / key


class Lab:
    """Gives orders their keys and knows what is finished, also from a ledger that an earlier run left.

    Args:
        data: the images.
        out: the run's folder.
        environment: see `environment.environment`.
        ledger: key -> row of `trainings.csv`; it grows.

    Attributes:
        seen: keys of the finished trainings that this run has asked for.
        differing: keys of trainings that came out with other weights when they were made anew.
    """

    def __init__(self, data: Path, out: Path, environment: dict[str, Any], ledger: dict[str, Facts]) -> None:
        self.data = data
        self.out = out
        self.environment = environment
        self.ledger = ledger
        self.seen: set[str] = set()
        self.differing: set[str] = set()

    def order(self, training: Training) -> Order:
        """The order for a training."""
        start = training.start
        return Order(
            training,
            training.key(self.environment),
            None if start is None else start.key(self.environment),
            self.data,
            self.out,
            self.environment,
        )

    def validation_auc(self, training: Training) -> float | None:
        """The best validation AUC of a finished training, in [0, 1]; None if it is not finished.

        Raises:
            NoInputError: if its result file cannot be read; names it.
        """
        order = self.order(training)
        if order.key not in self.ledger:
            if not order.result.is_file():
                return None
            self.note(read_facts(order.result))
        self.seen.add(order.key)
        return float(self.ledger[order.key]["validation_auc"])

    def note(self, facts: Facts) -> None:
        """Remember what a training said of itself; what it was chosen by stays when its lost weights are made anew.

        Args:
            facts: as `train` returns them; `COLUMNS` of them are a row of the ledger.
        """
        key = facts["key"]
        row = self.ledger.setdefault(key, {name: facts.get(name, "") for name in COLUMNS})
        self.seen.add(key)
        if row["weights_sha256"] != facts["weights_sha256"]:
            self.differing.add(key)


def train(order: Order) -> Facts:
    """Carry out an order, or read what an earlier run finished.

    What a kill left is used: of weights without a result file only the file is made.

    Args:
        order: what to train, and the run's folder, which gets the result file and the weights.

    Returns:
        What is written beside the validation logits: a row of the ledger, and the hash of the weights it started from.

    Raises:
        UsageError: if this worker's environment is not the caller's, or the training diverges.
        ModelError: if the weights to start from are missing.
        NoInputError: if the result file that is there cannot be read; names it.
    """
    if order.is_kept():
        return read_facts(order.result)
    bundle = order.own_bundle()
    result = order.outcome() or _trained(order, bundle)
    facts = _facts(order, result)
    validation = _validation_data(order)
    logits = predict(bundle, order.overrides(), order.weights, validation)
    output_folder(order.result.parent)
    with whole_file(order.result) as part:
        np.savez_compressed(
            part,
            facts=np.array(json.dumps(facts, sort_keys=True, allow_nan=False)),
            validation_logits=logits,
            validation_case_ids=validation.case_ids,
            history=np.array([[row.get(name, np.nan) for name in _HISTORY] for row in result["history"]], np.float32),
        )
    return facts


def _trained(order: Order, bundle: Path) -> dict[str, Any]:
    """Train; what the trainer wrote at the end."""
    folder = _stage(order.out, order.key)
    start = None if order.start_key is None else _stage(order.out, order.start_key) / WEIGHTS
    if start is not None and not start.is_file():
        raise ModelError(f"{start} is missing: run again, it is trained anew")
    output_folder(folder)
    began = {"weights_sha256": "" if start is None else sha256(start), "machine": machine()}
    write_json(folder / START, began)
    train_arm(bundle, order.training.arm, folder, order.overrides(), start)
    return json.loads((folder / RESULT).read_text(encoding="utf-8"))


def _read_dict(path: Path) -> dict[str, Any]:
    """What a JSON file says; nothing if it is missing or damaged."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


_HISTORY = ("epoch", "val_auc", "train_loss", "penalty", "largest_multiplier", "mean_violation", "satisfied_share")


def read_facts(path: Path) -> Facts:
    """What a training said of itself.

    Args:
        path: its result file, `Order.result`.

    Raises:
        NoInputError: if the file cannot be read; names it.
    """
    with readable(path) as stored:
        return json.loads(str(stored["facts"]))


def validation_history(path: Path) -> NDArray[np.float32]:
    """The validation AUC after every epoch of a finished training, in [0, 1].

    Args:
        path: its result file, `Order.result`.

    Shapes:
        float32 (epochs,).

    Raises:
        NoInputError: if the file cannot be read; names it.
    """
    with readable(path) as stored:
        return stored["history"][:, _HISTORY.index("val_auc")]


def _facts(order: Order, result: dict[str, Any]) -> Facts:
    training = order.training
    constraint = asdict(training.constraint) if training.constraint else {}
    began = _read_dict(_stage(order.out, order.key) / START)
    return {
        "key": order.key,
        "classes": "-".join(map(str, training.classes)),
        "class_ratio": training.class_ratio,
        "loss": training.loss,
        "arm": training.arm,
        "parameter": "" if training.parameter is None else training.parameter,
        **{name: constraint.get(name, "") for name in ("penalty", "growth", "margin")},
        "common": ";".join(f"{name}={json.dumps(value)}" for name, value in training.common),
        "member": training.member,
        "seed": training.seed,
        "validation_auc": result["best_metric"],
        "best_epoch": result["best_epoch"],
        "epochs": result["epochs"],
        "penalty_reached": result["history"][-1].get("penalty", ""),
        "seconds": result["seconds"],
        "weights_sha256": result["weights_sha256"],
        "start_sha256": began.get("weights_sha256", ""),  # empty for a base, or where it was not recorded
        "environment": environment_name(order.environment),
        "machine": began.get("machine") or machine(),
    }


def _validation_data(order: Order) -> CifarDataset:
    training = order.training
    data = member_data(
        str(order.data),
        classes=training.classes,
        class_ratio=training.class_ratio,
        seed=training.seed,
        member=training.member,
        stage=1,
        scale=training.scale,
    )
    return data["validation"]
