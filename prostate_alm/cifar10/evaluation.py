"""The test set: looked at once for each arm, after every choice has been made."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prostate_alm.cifar10.data import balanced_test_data
from prostate_alm.cifar10.lab import Lab, Order, read_facts
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


@dataclass(frozen=True)
class Evaluation:
    """One arm of a row, trained and chosen: its members and where its result goes.

    Args:
        orders: the members' trainings.
        path: the result file.
        settings: where the hyper-parameters come from: `paper` or `search`.
        precision: what the networks compute in.
    """

    orders: tuple[Order, ...]
    path: Path
    settings: str
    precision: str

    @property
    def key(self) -> str:
        """Content key of the result: its members' keys."""
        return content_key({"members": [order.key for order in self.orders], "settings": self.settings})

    def stored(self) -> ArmResult | None:
        """The result if it is there and of these very trainings.

        Raises:
            UsageError: if a result of other size or seed is there, which must not be written over.
        """
        if not self.path.is_file():
            return None
        (there, key), training = load_result(self.path), self.orders[0].training
        size = int((there.test_labels == 0).sum())
        if (len(there.member_aucs), there.seed, size) != (len(self.orders), training.seed, training.scale.test):
            raise UsageError(
                f"{self.path} is of {len(there.member_aucs)} members, seed {there.seed} and {size} test negatives: "
                f"choose another --out for {len(self.orders)}, {training.seed} and {training.scale.test}"
            )
        return there if key == self.key else None


def evaluation_of(lab: Lab, members: Sequence[Training], settings: str) -> Evaluation:
    """The evaluation of one arm; its file is `<settings>/<loss>_<ratio>_<classes>_<arm>.npz` in the run's folder."""
    first = members[0]
    name = "_".join((first.loss, first.class_ratio.replace(":", "-"), "-".join(map(str, first.classes)), first.arm))
    orders = tuple(lab.order(member) for member in members)
    return Evaluation(orders, lab.out / settings / f"{name}.npz", settings, lab.environment["precision"])


def evaluate(evaluation: Evaluation) -> ArmResult:
    """Predict the balanced test set by every member and keep the mean logits.

    Raises:
        ModelError: if a member's weights are missing.
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
        "common": json.loads(json.dumps(dict(training.common))),
        "validation_aucs": [fact["validation_auc"] for fact in facts],
        "best_epochs": [fact["best_epoch"] for fact in facts],
        "epochs": [fact["epochs"] for fact in facts],
        "penalties_reached": [fact["penalty_reached"] or None for fact in facts],
        "weights_sha256": [fact["weights_sha256"] for fact in facts],
        "seconds": round(sum(fact["seconds"] for fact in facts), 1),
        "precision": evaluation.precision,
        "environment": ", ".join(sorted({fact["environment"] for fact in facts})),
        "machine": ", ".join(sorted({fact["machine"] for fact in facts})),
    }
