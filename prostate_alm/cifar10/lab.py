"""Where a run keeps its trainings: one file each, written whole, found again by content key."""

import csv
import json
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle.config_parser import ConfigParser
from numpy.typing import NDArray

from prostate_alm.bundle import load_weights
from prostate_alm.cifar10.data import member_data
from prostate_alm.cifar10.environment import code_hash
from prostate_alm.cifar10.tensors import CifarDataset
from prostate_alm.cifar10.trainings import Training
from prostate_alm.errors import ModelError, NoInputError, UsageError
from prostate_alm.files import output_folder, whole_file, write_csv
from prostate_alm.training import one_thread, train_arm
from prostate_alm.training.checkpoint import RESULT, WEIGHTS

LEDGER = "trainings.csv"
COLUMNS = (
    "key", "classes", "class_ratio", "loss", "arm", "parameter", "penalty", "growth", "margin", "common", "member",
    "seed", "validation_auc", "best_epoch", "epochs", "penalty_reached", "seconds", "weights_sha256",
)  # fmt: skip

Facts = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """A training with all that a worker needs to carry it out.

    Args:
        training: what to train.
        key: its content key.
        start_key: the key of the training it starts from; None for a base.
        data: the images.
        bundle: folder of the bundle.
        out: the run's folder, seen by every worker.
        code: hash of the deciding modules where the key was made.
    """

    training: Training
    key: str
    start_key: str | None
    data: Path
    bundle: Path
    out: Path
    code: str

    @property
    def result(self) -> Path:
        """The one file that says the training is finished, and what came out."""
        return self.out / "trainings" / f"{self.key}.npz"

    @property
    def weights(self) -> Path:
        """The best weights, beside the other files of the stage."""
        return _stage(self.out, self.key) / WEIGHTS


def _stage(out: Path, key: str) -> Path:
    return out / "work" / key


@dataclass(frozen=True)
class Lab:
    """Gives orders their keys and knows what is finished, also from a ledger that an earlier run left.

    Args:
        data: the images.
        bundle: folder of the bundle.
        out: the run's folder.
        environment: see `environment.environment`.
        ledger: key -> row of `trainings.csv`.
        seen: keys of the finished trainings that this run has asked for.
    """

    data: Path
    bundle: Path
    out: Path
    environment: dict[str, Any]
    ledger: dict[str, Facts]
    seen: set[str] = field(default_factory=set)

    def order(self, training: Training) -> Order:
        """The order for a training."""
        start = training.start
        return Order(
            training,
            training.key(self.environment),
            None if start is None else start.key(self.environment),
            self.data,
            self.bundle,
            self.out,
            self.environment["code"],
        )

    def validation_auc(self, training: Training) -> float | None:
        """The best validation AUC of a finished training; None if it is not finished."""
        order = self.order(training)
        if order.key not in self.ledger:
            if not order.result.is_file():
                return None
            self.note(read_facts(order.result))
        self.seen.add(order.key)
        return float(self.ledger[order.key]["validation_auc"])

    def note(self, facts: Facts) -> None:
        """Remember what a training said of itself."""
        self.ledger[facts["key"]] = {name: facts.get(name, "") for name in COLUMNS}
        self.seen.add(facts["key"])

    def write_ledger(self) -> Path:
        """Every known training as a row of `trainings.csv`: enough to go on without the folder `work`."""
        rows = sorted(self.ledger.values(), key=lambda row: [str(row[name]) for name in COLUMNS[1:12]] + [row["key"]])
        return write_csv(self.out / LEDGER, COLUMNS, rows)


def read_ledger(out: Path) -> dict[str, Facts]:
    """The rows of a run's `trainings.csv` by key; none if there is no such file.

    Raises:
        NoInputError: if it is not such a table.
    """
    path = out / LEDGER
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        if tuple(table.fieldnames or ()) != COLUMNS:
            raise NoInputError(f"{path} is no table of trainings; remove it, its trainings are computed again")
        return {row["key"]: dict(row) for row in table}


def train(order: Order) -> Facts:
    """Carry out an order, or read what an earlier run finished.

    Returns:
        What is written beside the validation logits: a row of the ledger and the history.

    Raises:
        UsageError: if this worker's code is not the caller's, or the training diverges.
        ModelError: if the weights to start from are missing.
    """
    if order.result.is_file() and order.weights.is_file():
        return read_facts(order.result)
    if code_hash() != order.code:
        raise UsageError("a worker has other code than the caller: install the same version on every node")
    start = None if order.start_key is None else _stage(order.out, order.start_key) / WEIGHTS
    if start is not None and not start.is_file():
        raise ModelError(f"{start} is missing: run again, it is trained anew")
    folder = _stage(order.out, order.key)
    overrides = order.training.overrides() | {"dataset_dir": str(order.data)}
    if not (folder / RESULT).is_file():
        train_arm(order.bundle, order.training.arm, folder, overrides, start)
    result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    facts = _facts(order, result)
    validation = _validation_data(order)
    with one_thread():
        logits = predict(order, validation)
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


_HISTORY = ("epoch", "val_auc", "train_loss", "penalty", "largest_multiplier", "mean_violation", "satisfied_share")


def read_facts(path: Path) -> Facts:
    """What a training said of itself.

    Raises:
        NoInputError: if the file cannot be read; names it.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return json.loads(str(stored["facts"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise NoInputError(f"{path} cannot be read ({error}); remove it, it is computed again") from error


def validation_history(path: Path) -> NDArray[np.float32]:
    """The validation AUC after every epoch of a finished training, (epochs,)."""
    with np.load(path, allow_pickle=False) as stored:
        return stored["history"][:, _HISTORY.index("val_auc")]


def _facts(order: Order, result: dict[str, Any]) -> Facts:
    training = order.training
    constraint = asdict(training.constraint) if training.constraint else {}
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


@torch.inference_mode()
def predict(order: Order, dataset: CifarDataset) -> NDArray[np.float32]:
    """Logits (N,) of a finished training's best network, in the precision that it was trained in."""
    config = ConfigParser.load_config_file(str(order.bundle / "configs" / "train.json"))
    parser = ConfigParser(config=config | {"bundle_root": str(order.bundle)})
    parser.update(dict(order.training.common))
    device = parser.get_parsed_content("device")
    network = load_weights(parser.get_parsed_content("member_def"), order.weights).eval().to(device)
    inferer = parser.get_parsed_content("inferer")
    logits = [
        inferer(dataset.__getitems__(places)["image"].to(device), network).reshape(-1).cpu()
        for places in _batches(len(dataset), 250)
    ]
    return torch.cat(logits).numpy()


def _batches(count: int, size: int) -> Iterable[list[int]]:
    return (list(range(start, min(start + size, count))) for start in range(0, count, size))
