"""Let a reproduction go on under code that computes the same numbers: prove it, then renew the keys.

    python tools/rekey_ledger.py results/ --data cifar-10-batches-py

A change of the modules in `environment.DECIDING` changes every key, also where it only moves code about. Of every
ratio, loss and arm this trains some members anew. Only if all of them come out with the very same weights are the keys
of `trainings.csv` and of the results renewed; the column `environment` goes on telling what a training was computed
with. A maintainer's script: the package never imports it.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10.dataset import read_batches
from prostate_alm.cifar10.environment import environment, machine
from prostate_alm.cifar10.evaluation import evaluation_of
from prostate_alm.cifar10.lab import BUNDLE, Lab, train
from prostate_alm.cifar10.ledger import (
    Facts,
    environment_name,
    note_environment,
    read_environments,
    read_ledger,
    write_ledger,
)
from prostate_alm.cifar10.results import ArmResult, load_result, save_result
from prostate_alm.cifar10.sets import SETS
from prostate_alm.cifar10.trainings import Constraint, Training
from prostate_alm.errors import UsageError
from prostate_alm.training import Engine, LocalEngine
from prostate_alm.training.engine import outcome

FULL: Mapping[str, Any] = {}  # of a training: scale and constrained_epochs, which the ledger has not, as they come


def rekey(
    out: Path, data: Path, engine: Engine, *, members: int = 1, size: Mapping[str, Any] = FULL
) -> tuple[int, list[str]]:
    """Prove that this code computes a run's numbers, and renew its keys.

    Args:
        out: the run's folder: `trainings.csv`, `environments.json`, results.
        data: the images.
        engine: where the proof is trained; entered by the caller.
        members: how many of every ratio, loss and arm are trained anew.
        size: `scale` and `constrained_epochs` of the run's trainings; none is the full run.

    Returns:
        How many trainings were made anew, and which ratio, loss and arm this machine could not prove.

    Raises:
        UsageError: if a key is of no known environment, or a training came out with other weights; nothing is written.
    """
    here = environment(read_batches(data).digest(), find_bundle(BUNDLE))
    known = [*read_environments(out).values(), here]
    # where two environments have a training, the row of this one comes last and stays
    rows = sorted(read_ledger(out).values(), key=lambda row: row["environment"] == environment_name(here))
    ledger = {_of_row(row, known, size): row for row in rows}
    chosen, unproved = sample(ledger, members)
    with tempfile.TemporaryDirectory() as folder:
        other = differing(ledger, chosen, Lab(data, Path(folder), here, {}), engine)
    if other:
        raise UsageError(f"other weights than in {out}: {'; '.join(other)}; the keys stay as they are")
    note_environment(out, here)
    for name in SETS:
        for path in sorted((out / name).glob("*.npz")):
            _renew(path, [Lab(data, out, one, {}) for one in known], name, size)
    renewed = {key: row | {"key": key} for training, row in ledger.items() if (key := training.key(here))}
    write_ledger(out, renewed)
    return len(chosen), unproved


def sample(ledger: Mapping[Training, Facts], members: int) -> tuple[list[Training], list[str]]:
    """Members of every ratio, loss and arm that were trained on this processor, and so was what they started from."""
    here = machine()
    groups: dict[tuple[str, str, str], list[Training]] = {}
    for training in sorted(ledger, key=lambda one: (one.class_ratio, one.loss, one.arm, one.classes, one.member)):
        group = groups.setdefault((training.class_ratio, training.loss, training.arm), [])
        rows = [ledger.get(one, {}) for one in (training, training.start) if one is not None]
        if len(group) < members and all(row.get("machine") == here for row in rows):
            group.append(training)
    return [one for group in groups.values() for one in group], [
        " ".join(name) for name, group in groups.items() if not group
    ]


def differing(ledger: Mapping[Training, Facts], chosen: Sequence[Training], lab: Lab, engine: Engine) -> list[str]:
    """What comes out with other weights when it is trained anew."""
    first = {training.start or training: None for training in chosen}
    found = []
    for batch in (list(first), [training for training in chosen if training not in first]):
        made: dict[Training, Future[Any]] = {training: engine.submit(train, lab.order(training)) for training in batch}
        for training, future in made.items():
            if outcome(future)["weights_sha256"] != ledger[training]["weights_sha256"]:
                found.append(f"{training.loss} {training.class_ratio} {training.arm}, member {training.member}")
    return found


def _of_row(row: Facts, known: Sequence[dict[str, Any]], size: Mapping[str, Any]) -> Training:
    """The training that a row of the ledger is of; its key must say so too."""
    training = _training(
        row,
        classes=tuple(map(int, row["classes"].split("-"))),
        parameter=float(row["parameter"]) if row["parameter"] else None,
        constraint={name: float(row[name]) for name in ("penalty", "growth", "margin")} if row["penalty"] else None,
        common={
            name: json.loads(value) for name, value in (pair.split("=") for pair in row["common"].split(";") if pair)
        },
        size=size,
    )
    if row["key"] not in {training.key(one) for one in known}:
        raise UsageError(f"{row['key']} in the ledger is of no environment in environments.json, or of another size")
    return training


def _training(
    told: Mapping[str, Any],
    *,
    classes: tuple[int, ...],
    parameter: float | None,
    constraint: Mapping[str, float] | None,
    common: Mapping[str, Any],
    size: Mapping[str, Any],
) -> Training:
    return Training(
        told["loss"],
        told["class_ratio"],
        int(told["member"]),
        told["arm"],
        classes=(classes[0], classes[1]),
        seed=int(told["seed"]),
        parameter=parameter,
        constraint=None if constraint is None else Constraint(**constraint),
        common=tuple(sorted(common.items())),
        **size,
    )


def _renew(path: Path, labs: Sequence[Lab], settings: str, size: Mapping[str, Any]) -> None:
    """Give a result the last lab's key, if its own is one of the labs'."""
    result, key = load_result(path)
    members = [_member(result, number, size) for number in range(len(result.member_aucs))]
    keys = [evaluation_of(lab, members, settings).key for lab in labs]
    if key not in keys:
        raise UsageError(f"{path} is of no environment in environments.json, or of another size")
    save_result(path, result, key=keys[-1])


def _member(result: ArmResult, number: int, size: Mapping[str, Any]) -> Training:
    details = result.details
    told = {name: getattr(result, name) for name in ("loss", "class_ratio", "arm", "seed")} | {"member": number}
    return _training(
        told,
        classes=result.classes,
        parameter=details["parameter"],
        constraint=details["constraint"],
        common=details["common"],
        size=size,
    )


def main() -> None:
    """Read the arguments, prove, renew, and say what was done."""
    parser = argparse.ArgumentParser(description="Prove that this code computes a run's numbers; renew its keys.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    told = parser.parse_args()
    with LocalEngine(told.processes) as engine:
        try:
            made, unproved = rekey(told.out, told.data.resolve(), engine, members=told.members)
        except UsageError as error:
            sys.exit(str(error))
    print(f"{made} trainings made anew, all with the same weights; the keys are renewed")
    if unproved:
        print(f"none of this machine's: {'; '.join(unproved)}")


if __name__ == "__main__":
    main()
