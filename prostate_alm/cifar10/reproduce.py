"""From images to a table's rows: train the members by the bundle, predict the test set once, keep the logits."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle.config_parser import ConfigParser

from prostate_alm.bundle import find_bundle, load_weights
from prostate_alm.cifar10.data import balanced_test_data
from prostate_alm.cifar10.dataset import read_batches
from prostate_alm.cifar10.protocol import PAPER, Protocol, Scale
from prostate_alm.cifar10.results import ArmResult, content_key, ensemble_of, save_result, stored_result
from prostate_alm.cifar10.tables import paper_rows
from prostate_alm.files import lock_folder, output_folder, sha256
from prostate_alm.losses import BASE_LOSSES
from prostate_alm.training import COMPARISON, MemberTask, run_tasks, train_member
from prostate_alm.training.checkpoint import RESULT, WEIGHTS

BUNDLE = "cifar10_alm_classification"


@dataclass(frozen=True)
class Row:
    """One loss at one class ratio, all arms.

    Args:
        loss: as the paper names it, for example `BCE`.
        class_ratio: for example `"1:9"`.
        classes: class numbers, negative and positive.
        members: size of the ensemble.
        seed: of splits and every draw.
        scale: numbers of negatives.
        epochs: most epochs of the base stage; None leaves the bundle's value.
        constrained_epochs: epochs of the continued and ALM stages; None leaves the bundle's value.
    """

    loss: str
    class_ratio: str
    classes: tuple[int, int] = (0, 1)
    members: int = 10
    seed: int = 0
    scale: Scale = PAPER
    epochs: int | None = None
    constrained_epochs: int | None = None

    @property
    def protocol(self) -> Protocol:
        """The protocol of this row."""
        return Protocol(self.classes, self.class_ratio, self.seed, self.scale)


SMOKE = Row("BCE", "1:2", members=2, epochs=12, constrained_epochs=8)
"""Small enough to run while one watches; its figures show that everything runs, not how good the method is."""


def reproduce_row(
    data: Path, out: Path, row: Row, *, processes: int | None = None, progress: Callable[[str], None] = lambda _: None
) -> list[ArmResult]:
    """Base, continued and ALM of one row; what `out` already holds is not computed again.

    Args:
        data: CIFAR10, the official python layout or its tar.gz.
        out: gets one `.npz` per arm, and the members' files below `work/`.
        row: what to train.
        processes: members at a time; None takes the number of cores.
        progress: called with one line per finished member.

    Raises:
        NoInputError: if the images cannot be read.
        OutputError: if `out` cannot be written.
    """
    out = output_folder(out).resolve()
    bundle = find_bundle(BUNDLE)
    key = content_key(_parts(data, bundle, row))
    name = f"{row.loss}_{row.class_ratio.replace(':', '-')}_{'-'.join(map(str, row.classes))}"
    paths = {arm: out / f"{name}_{arm}.npz" for arm in COMPARISON}
    with lock_folder(out):
        stored = [stored_result(path, key=key) for path in paths.values()]
        found = [result for result in stored if result is not None]
        if len(found) == len(COMPARISON):
            return found
        tasks = [_task(data, bundle, out / "work" / key[:16], row, member) for member in range(row.members)]
        for count, folder in enumerate(run_tasks(train_member, tasks, processes=processes), start=1):
            progress(f"{row.loss} {row.class_ratio}: member {folder.name} trained ({count} of {row.members})")
        results = [_ensemble(data, bundle, tasks, row, arm) for arm in COMPARISON]
        for result in results:
            save_result(paths[result.arm], result, key=key)
    return results


def _parts(data: Path, bundle: Path, row: Row) -> dict[str, Any]:
    """What determines the numbers of a row: images, settings, configs and the modules that compute."""
    package = Path(__file__).resolve().parents[1]
    modules = ["alm.py", "networks.py", "losses", "training", "transforms.py", "bundle", "cifar10"]
    files = [path for name in modules for path in sorted((package / name).rglob("*.py")) or [package / name]]
    return {
        "data": read_batches(data).digest(),
        "row": repr(row),
        "configs": {path.name: sha256(path) for path in sorted((bundle / "configs").glob("*.json"))},
        "versions": {name: version(name) for name in ("torch", "monai", "pytorch-ignite", "numpy")},
        "modules": {path.relative_to(package).as_posix(): sha256(path) for path in files},
    }


def _task(data: Path, bundle: Path, folder: Path, row: Row, member: int) -> MemberTask:
    overrides: dict[str, Any] = {
        "dataset_dir": str(data.resolve()),
        "seed": row.seed,
        "member": member,
        "classes": list(row.classes),
        "class_ratio": row.class_ratio,
        "scale::training": row.scale.training,
        "scale::validation": row.scale.validation,
        "scale::test": row.scale.test,
        "base_loss": dict(BASE_LOSSES[row.loss.lower()]),
    }
    constrained: dict[str, Any] = {} if row.constrained_epochs is None else {"max_epochs": row.constrained_epochs}
    stage_overrides: dict[str, Mapping[str, Any]] = {
        "base": {} if row.epochs is None else {"max_epochs": row.epochs},
        "continued": constrained,
        "alm": constrained | paper_constraint(row),
    }
    return MemberTask(bundle, folder / f"{member:02d}", COMPARISON, overrides, stage_overrides)


def paper_constraint(row: Row) -> dict[str, float]:
    """The paper's mu(0), rho and delta of a row (Table 8)."""
    for line in paper_rows(8):
        if (line["class_ratio"], line["loss"], line["alm"]) == (row.class_ratio, row.loss, "true"):
            return {"penalty": float(line["mu"]), "growth": float(line["rho"]), "margin": float(line["delta"])}
    raise KeyError(f"the paper has no ALM row for {row.loss} at {row.class_ratio}")


def _ensemble(data: Path, bundle: Path, tasks: list[MemberTask], row: Row, arm: str) -> ArmResult:
    """The mean logits of one arm's members on the test set, which nothing before has looked at."""
    members = [_predict(data, bundle, task, row, arm, member) for member, task in enumerate(tasks)]
    results = [json.loads((task.folder / arm / RESULT).read_text(encoding="utf-8")) for task in tasks]
    details = {
        "members": row.members,
        "epochs": [result["epochs"] for result in results],
        "validation_aucs": [result["best_metric"] for result in results],
        "penalties_reached": [result["history"][-1].get("penalty") for result in results],
    }
    return replace(ensemble_of(members), details=details)


@torch.inference_mode()
def _predict(data: Path, bundle: Path, task: MemberTask, row: Row, arm: str, member: int) -> ArmResult:
    parser = ConfigParser(config=ConfigParser.load_config_file(str(bundle / "configs" / "train.json")))
    network = load_weights(parser.get_parsed_content("member_def"), task.folder / arm / WEIGHTS).eval()
    inferer = parser.get_parsed_content("inferer")
    dataset = balanced_test_data(str(data.resolve()), row.protocol)
    batches = np.array_split(np.arange(len(dataset)), max(1, len(dataset) // 250))
    logits = [inferer(dataset.__getitems__(batch.tolist())["image"], network).reshape(-1) for batch in batches]
    whole = dataset.__getitems__(list(range(len(dataset))))
    return ArmResult(
        class_ratio=row.class_ratio,
        loss=row.loss,
        arm=arm,
        test_logits=torch.cat(logits).numpy(),
        test_labels=whole["label"].long().numpy(),
        test_case_ids=whole["case_id"].numpy(),
        classes=row.classes,
        seed=row.seed,
        member=member,
    )
