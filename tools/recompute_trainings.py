"""Do the trainings of a reproduction come out the same under this code, on this machine?

    python tools/recompute_trainings.py results/ --data cifar-10-batches-py

Of every ratio, loss and arm in `trainings.csv` some members are trained anew, each from a base that is trained anew,
and the hashes of their weights are compared. A key says only whether the code was the same; this says whether the
numbers are. Weights depend on the processor, so only trainings of this kind of machine are taken. Nothing is written
into `results/`. A maintainer's script: the package never imports it.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10.dataset import read_batches
from prostate_alm.cifar10.environment import environment, machine
from prostate_alm.cifar10.lab import BUNDLE, Lab, train
from prostate_alm.cifar10.ledger import Facts, read_ledger
from prostate_alm.cifar10.trainings import Constraint, Training
from prostate_alm.errors import UsageError, UserError
from prostate_alm.training import Engine, LocalEngine
from prostate_alm.training.engine import outcome

Name = tuple[str, str, str]  # class ratio, loss, arm


@dataclass(frozen=True)
class Comparison:
    """What came out.

    Args:
        same: trainings with the very same weights.
        other: those with other weights.
        absent: ratio, loss and arm of which this kind of machine has no training in the ledger, or not what it starts
            from.
    """

    same: Sequence[Training]
    other: Sequence[Training]
    absent: Sequence[Name]


def recompute(
    out: Path, data: Path, engine: Engine, *, members: int = 1, size: Mapping[str, Any] | None = None
) -> Comparison:
    """Train members of every ratio, loss and arm anew and compare their weights.

    Args:
        out: the run's folder, with `trainings.csv`; trainings with common settings of their own are passed over.
        data: the images.
        engine: where it is trained; entered by the caller.
        members: how many of every ratio, loss and arm.
        size: `scale` and `constrained_epochs` of the run, which the ledger has not; None is the full run.

    Raises:
        UsageError: if `members` is below 1, or the ledger has no training of this kind of machine, or those of several
            environments.
        UserError: if ledger or images cannot be read, or a training fails.
    """
    if members < 1:
        raise UsageError(f"at least one member of each is needed to compare, got {members}")
    rows = [row for row in read_ledger(out).values() if not row["common"]]
    if (several := len({row["environment"] for row in rows})) > 1:
        raise UsageError(f"{out} has trainings of {several} environments; keep those of one in trainings.csv")
    ledger = {_training(row, size or {}): row["weights_sha256"] for row in rows if row["machine"] == machine()}
    groups: dict[Name, list[Training]] = {(row["class_ratio"], row["loss"], row["arm"]): [] for row in rows}
    for training in sorted(ledger, key=lambda one: (one.classes, one.member)):
        group = groups[training.class_ratio, training.loss, training.arm]
        if len(group) < members and (training.start is None or training.start in ledger):
            group.append(training)
    chosen = [training for group in groups.values() for training in group]
    if not chosen:
        raise UsageError(
            f"{out} has no training with the bundle's common settings from a machine like this: {machine()}"
        )
    made = _weights(chosen, data, engine)
    return Comparison(
        same=[training for training in made if made[training] == ledger[training]],
        other=[training for training in made if made[training] != ledger[training]],
        absent=[name for name, group in groups.items() if not group],
    )


def _weights(chosen: Sequence[Training], data: Path, engine: Engine) -> dict[Training, str]:
    """Hashes of the weights of these trainings and of what they start from, trained anew."""
    here = environment(read_batches(data).digest(), find_bundle(BUNDLE))
    bases = list(dict.fromkeys(training.start or training for training in chosen))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(data, Path(folder), here, {})
        for batch in (bases, [training for training in chosen if training.start]):
            futures = {training: engine.submit(train, lab.order(training)) for training in batch}
            found |= {training: outcome(future)["weights_sha256"] for training, future in futures.items()}
    return found


def _training(row: Facts, size: Mapping[str, Any]) -> Training:
    negative, positive = map(int, row["classes"].split("-"))
    constraint = [float(row[name]) for name in ("penalty", "growth", "margin") if row[name]]
    return Training(
        row["loss"],
        row["class_ratio"],
        int(row["member"]),
        row["arm"],
        classes=(negative, positive),
        seed=int(row["seed"]),
        parameter=float(row["parameter"]) if row["parameter"] else None,
        constraint=Constraint(*constraint) if constraint else None,
        **size,
    )


def main() -> None:
    """Train and say what came out; exit code 1 if any came out otherwise, 2 if nothing was compared."""
    parser = argparse.ArgumentParser(description="Train a part of a reproduction anew and compare the weights.")
    parser.add_argument("out", type=Path, help="the run's folder, with trainings.csv")
    parser.add_argument("--data", type=Path, required=True, help="cifar-10-batches-py or its tar.gz")
    parser.add_argument("--members", type=int, default=1, help="of every ratio, loss and arm")
    parser.add_argument("--processes", type=int, default=None)
    told = parser.parse_args()
    try:
        with LocalEngine(told.processes) as engine:
            found = recompute(told.out, told.data.resolve(), engine, members=told.members)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(f"{len(found.same)} trainings with the same weights, {len(found.other)} with others")
    for training in found.other:
        print(f"other weights: {training}")
    for name in found.absent:
        print(f"not compared, for want of one of this kind of machine with its base: {' '.join(name)}")
    sys.exit(1 if found.other else 0)


if __name__ == "__main__":
    main()
