"""A CIFAR10 lab whose trainings are never carried out: a rule says what validation AUC each would reach."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prostate_alm.cifar10.lab import Lab, Order
from prostate_alm.cifar10.ledger import COLUMNS
from prostate_alm.cifar10.trainings import Training

Rule = Callable[[Training], float]


def lab_in(folder: Path) -> Lab:
    environment = {"data": "images", "code": "code", "precision": "float32"}
    return Lab(folder / "data", folder, environment, {})


def trained(order: Order, rule: Rule, lab: Lab) -> dict[str, Any]:
    """What a worker would say, with weights on disk, without any training; the lab notes it, as a run does."""
    order.weights.parent.mkdir(parents=True, exist_ok=True)
    order.weights.touch()
    training = order.training
    told = {"key": order.key, "arm": training.arm, "validation_auc": rule(training), "seconds": 1.0}
    facts = dict.fromkeys(COLUMNS, "") | told
    lab.note(facts)
    return facts
