"""What MONAI's engine and our handlers cost, against a loop that does the least."""

import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_rows import Row, at_most, seconds
from monai.bundle import ConfigWorkflow
from monai.metrics import compute_roc_auc

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10.data import member_data
from prostate_alm.losses import ALMLoss, BCELoss
from prostate_alm.networks import CascadeCNN
from prostate_alm.training import ARMS, CaseSampler

EPOCHS, REPEATS, BATCH = 20, 7, 64
DATA = {"classes": [0, 1], "class_ratio": "1:2", "seed": 0, "member": 0}


def write_images(folder: Path) -> None:
    """Random images in the official CIFAR10 layout: speed does not depend on what they show."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        count = 2000 if name == "test_batch" else 400
        batch = {
            b"data": draw.integers(0, 256, (count, 3072), dtype=np.uint8),
            b"labels": [place % 2 for place in range(count)],
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def trainer_run(data: Path, out: Path, arm: str) -> Callable[[], None]:
    """The trainer of a bundle, built and ready to run once."""
    bundle = find_bundle("cifar10_alm_classification")
    overrides: dict[str, Any] = {"start_from": str(out.parent / "start.pt")} if arm != "base" else {}
    workflow = ConfigWorkflow(
        [str(bundle / "configs" / f"{name}.json") for name in ARMS[arm]],
        logging_file=False,
        dataset_dir=str(data),
        output_dir=str(out / arm),
        max_epochs=EPOCHS,
        patience=None,
        batch_size=BATCH,
        **overrides,
    )
    workflow.initialize()
    return workflow.parser.get_parsed_content("train::trainer").run


def lean_run(data: Path, arm: str) -> Callable[[], None]:
    """The same epochs as a loop that does the least: train, validate by AUC, keep the best weights in memory."""
    sets = member_data(str(data), stage=1, **DATA)
    network = CascadeCNN((32, 32))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    base = BCELoss()
    loss = ALMLoss(base) if arm == "alm" else base
    sampler = CaseSampler(sets["training"], seed=0, stage=1)
    validation = sets["validation"].__getitems__(list(range(len(sets["validation"]))))

    def run() -> None:
        best, kept = -1.0, None
        for epoch in range(1, EPOCHS + 1):
            sampler.set_epoch(epoch)
            order = list(sampler)
            network.train()
            for start in range(0, len(order), BATCH):
                batch = sets["training"].__getitems__(order[start : start + BATCH])
                optimizer.zero_grad()
                image = batch["image"].contiguous(memory_format=torch.channels_last)
                logits = network(image)
                if isinstance(loss, ALMLoss):
                    loss.bind(batch["case_id"])
                loss(logits, batch["label"]).backward()
                if isinstance(loss, ALMLoss):
                    loss.raise_multipliers(logits.detach(), batch["label"])
                optimizer.step()
            network.eval()
            with torch.no_grad():
                image = validation["image"].contiguous(memory_format=torch.channels_last)
                auc = float(compute_roc_auc(network(image), validation["label"].unsqueeze(1)))
            if isinstance(loss, ALMLoss):
                loss.raise_penalty(auc)
            if auc > best:
                best, kept = auc, {name: value.clone() for name, value in network.state_dict().items()}
        assert kept is not None

    return run


def trainer_overhead(arm: str) -> Row:
    """Epochs in the bundle's trainer, its files written as in a real run, against the lean loop, in turn."""
    ours: list[float] = []
    reference: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "cifar-10-batches-py"
        write_images(data)
        torch.save(CascadeCNN((32, 32)).state_dict(), Path(folder) / "start.pt")
        for repeat in range(REPEATS + 1):
            pair = [(ours, trainer_run(data, Path(folder) / str(repeat), arm)), (reference, lean_run(data, arm))]
            for times, run in pair if repeat % 2 else reversed(pair):
                times.append(seconds(run) / EPOCHS)
        del ours[0], reference[0]  # they warmed up
    return at_most(1.25, f"trainer against a lean loop, {arm} arm", ours, reference, "s per epoch")


def rows() -> list[Row]:
    """The trainer with and without the constraint."""
    return [trainer_overhead(arm) for arm in ("base", "alm")]
