"""A CIFAR10 lab whose trainings are never carried out: a rule says what validation AUC each would reach."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from prostate_alm.cifar10.lab import Lab, Order
from prostate_alm.cifar10.ledger import COLUMNS
from prostate_alm.cifar10.trainings import Training
from prostate_alm.files import output_folder, sha256, write_json
from prostate_alm.training.checkpoint import RESULT

Rule = Callable[[Training], float]


def lab_in(folder: Path) -> Lab:
    environment = {"data": "images", "code": "code", "precision": "float32"}
    return Lab(folder / "data", folder, environment, {})


def trained(order: Order, rule: Rule, lab: Lab) -> dict[str, Any]:
    """What a worker would say, with its files on disk, without any training; the lab notes it, as a run does."""
    output_folder(order.weights.parent)
    order.weights.write_text(order.key)
    told = {"weights_sha256": sha256(order.weights)}
    write_json(order.weights.parent / RESULT, told)
    training = order.training
    told |= {"key": order.key, "arm": training.arm, "validation_auc": rule(training), "seconds": 1.0}
    facts = dict.fromkeys(COLUMNS, "") | told
    output_folder(order.result.parent)
    np.savez(order.result, facts=np.array(json.dumps(facts)))
    lab.note(facts)
    return facts
