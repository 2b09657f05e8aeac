"""The test set: looked at once for each arm, after every choice has been made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from prostate_alm.cifar10.data import balanced_test_data
from prostate_alm.cifar10.lab import Lab, Order, read_facts
from prostate_alm.cifar10.ledger import Facts
from prostate_alm.cifar10.predict import predict
from prostate_alm.cifar10.results import (
    ArmResult,
    content_key,
    ensemble_of,
    load_result,
    save_result,
)
from prostate_alm.cifar10.trainings import Training
from prostate_alm.errors import UsageError
from prostate_alm.training import BASE


@dataclass(frozen=True)
class Evaluation:
    """One arm of a row, trained and chosen: its members and where its result goes.

    Args:
        orders: the members' trainings.
        path: the result file.
        settings: where the hyper-parameters come from: `paper` or `search`.
        precision: what the networks compute in.
        ledger: key -> row of the ledger that the member was chosen by; its weights may have been made anew since.
    """

    orders: tuple[Order, ...]
    path: Path
    settings: str
    precision: str
    ledger: Mapping[str, Facts] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Content key of the result: its members' keys."""
        return content_key({"members": [order.key for order in self.orders], "settings": self.settings})

    def stored(self) -> ArmResult | None:
        """The result if it is there and of these very trainings.

        Returns:
            None if there is none, or one of the same run under other choices, code or libraries: it is made anew.

        Raises:
            UsageError: if a result of another size, seed or common settings is there, which must not be written over.
            NoInputError: if the result cannot be read; names it.
        """
        if not self.path.is_file():
            return None
        there, key = load_result(self.path)
        if key == self.key:
            return there
        found, asked = _found(there), _asked(self.orders)
        differing = "; ".join(
            f"{name} {told}, not {asked[name]}" for name, told in found.items() if told != asked[name]
        )
        if differing:
            raise UsageError(f"{self.path} is of another run ({differing}): choose another --out")
        return None


def _asked(orders: Sequence[Order]) -> dict[str, str]:
    """What all rows of a run share, in words."""
    training = orders[0].training
    return _in_words(len(orders), training.seed, asdict(training.scale), _shared(orders[0]))


def _found(result: ArmResult) -> dict[str, str]:
    """The same of a stored result; what older code did not store is left out."""
    scale = result.details.get("scale", {}) | {"test": int((result.test_labels == 0).sum())}
    return _in_words(len(result.member_aucs), result.seed, scale, result.details)


def _shared(order: Order) -> dict[str, Any]:
    """Those details of a result that all rows of a run share."""
    training = order.training
    return {
        "common": json.loads(json.dumps(dict(training.common))),
        "constrained_epochs": None if training.arm == BASE else training.constrained_epochs,  # a base has no such stage
        "scale": asdict(training.scale),
        "images": order.environment["data"],
    }


def _in_words(members: int, seed: int, scale: Mapping[str, int], details: Mapping[str, Any]) -> dict[str, str]:
    words = {"members": str(members), "seed": str(seed)} | {f"{part} negatives": str(n) for part, n in scale.items()}
    if "common" in details:
        words["common settings"] = json.dumps(details["common"], sort_keys=True)
    if "constrained_epochs" in details:
        words["epochs of the second stage"] = str(details["constrained_epochs"] or "the bundle's")
    if "images" in details:
        words["images"] = details["images"][:12]
    return words


def evaluation_of(lab: Lab, members: Sequence[Training], settings: str) -> Evaluation:
    """The evaluation of one arm; its file is `<settings>/<loss>_<ratio>_<classes>_<arm>.npz` in the run's folder.

    Args:
        lab: knows the run's folder and what the members were chosen by.
        members: one arm's trainings, at least one.
        settings: where the hyper-parameters come from: `paper` or `search`.
    """
    first = members[0]
    name = "_".join((first.loss, first.class_ratio.replace(":", "-"), "-".join(map(str, first.classes)), first.arm))
    orders = tuple(lab.order(member) for member in members)
    ledger = {order.key: lab.ledger[order.key] for order in orders if order.key in lab.ledger}
    return Evaluation(orders, lab.out / settings / f"{name}.npz", settings, lab.environment["precision"], ledger)


def evaluate(evaluation: Evaluation) -> ArmResult:
    """Predict the balanced test set by every member and keep the mean logits.

    Args:
        evaluation: of members that are all trained, weights and result files in their places.

    Returns:
        What is written to `evaluation.path`.

    Raises:
        UsageError: if this worker's environment is not the caller's.
        ModelError: if a member's weights are missing.
        NoInputError: if the images or a member's result file cannot be read; names it.
        OutputError: if the result cannot be written.
    """
    training = evaluation.orders[0].training
    dataset = balanced_test_data(str(evaluation.orders[0].data), training.protocol)
    whole = dataset.__getitems__(list(range(len(dataset))))
    labels, case_ids = whole["label"].long().numpy(), whole["case_id"].numpy()
    bundle = evaluation.orders[0].own_bundle()
    members = [
        ArmResult(
            class_ratio=training.class_ratio,
            loss=training.loss,
            arm=training.arm,
            test_logits=predict(bundle, order.overrides(), order.weights, dataset),
            test_labels=labels,
            test_case_ids=case_ids,
            classes=training.classes,
            seed=training.seed,
            member=order.training.member,
        )
        for order in evaluation.orders
    ]
    result = ensemble_of(members, _details(evaluation))
    save_result(evaluation.path, result, key=evaluation.key)
    return result


def _details(evaluation: Evaluation) -> dict[str, Any]:
    facts = [read_facts(order.result) for order in evaluation.orders]
    training = evaluation.orders[0].training
    return {
        "settings": evaluation.settings,
        "members": len(facts),
        "parameter": training.parameter,
        "constraint": None if training.constraint is None else asdict(training.constraint),
        **_shared(evaluation.orders[0]),
        "best_epochs": [fact["best_epoch"] for fact in facts],
        "epochs": [fact["epochs"] for fact in facts],
        "penalties_reached": [fact["penalty_reached"] or None for fact in facts],
        "weights_sha256": [fact["weights_sha256"] for fact in facts],
        "start_sha256": [fact.get("start_sha256") or None for fact in facts],
        "seconds": round(sum(fact["seconds"] for fact in facts), 1),
        "precision": evaluation.precision,
        "environment": ", ".join(sorted({fact["environment"] for fact in facts})),
        "machine": ", ".join(sorted({fact["machine"] for fact in facts})),
        **_chosen_by(facts, evaluation.ledger),
    }


def _chosen_by(facts: Sequence[Facts], ledger: Mapping[str, Facts]) -> dict[str, Any]:
    """The validation AUCs that the members were chosen by, and how many were tested with other weights."""
    rows = [ledger.get(fact["key"], fact) for fact in facts]
    anew = [row["weights_sha256"] != fact["weights_sha256"] for row, fact in zip(rows, facts, strict=True)]
    return {
        "validation_aucs": [float(row["validation_auc"]) for row in rows],
        "retrained": sum(anew),
    }
