"""What the reproduction gains: our training against a tutorial's loop, and two workers against one."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from bench_rows import Row, at_least, seconds
from bench_trainer import write_images
from monai.bundle.config_parser import ConfigParser
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10.dataset import Cifar10, read_batches
from prostate_alm.cifar10.environment import environment
from prostate_alm.cifar10.lab import Order, read_facts, train
from prostate_alm.cifar10.protocol import Protocol
from prostate_alm.cifar10.tensors import MEAN, STD
from prostate_alm.cifar10.trainings import Training
from prostate_alm.training import LocalEngine

EPOCHS, MEMBERS, TASKS = 40, 4, 8
SHARED = Path(os.environ.get("PROSTATE_ALM_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "cifar10"


class TutorialDataset(Dataset[tuple[Tensor, Tensor]]):
    """An image at a time, as a beginner's guide has it: scale, flip, pad and crop, normalise."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, shift: int = 0) -> None:
        self.images, self.labels, self.shift = images, labels, shift

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = torch.from_numpy(self.images[index]).float() / 255
        if self.shift:
            if torch.rand(1) < 0.5:
                image = image.flip(-1)
            image = nn.functional.pad(image, [self.shift] * 4)
            top, left = torch.randint(0, 2 * self.shift + 1, (2,)).tolist()
            image = image[:, top : top + 32, left : left + 32]
        image = (image - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
        return image, torch.tensor([self.labels[index]], dtype=torch.float32)


@dataclass(frozen=True)
class Settings:
    """The bundle's own: what both loops train with."""

    channels: list[int]
    hidden: int
    dropout: float
    batch_size: int
    learning_rate: float
    max_shift: int


def bundle_settings() -> Settings:
    """Read off the bundle's config."""
    parser = ConfigParser(
        config=ConfigParser.load_config_file(str(find_bundle("cifar10_alm_classification") / "configs" / "train.json"))
    )
    get = parser.get_parsed_content
    member = parser["member_def"]
    return Settings(
        member["channels"], member["hidden"], member.get("dropout", 0.0), get("batch_size"), get("learning_rate"),
        get("max_shift"),
    )  # fmt: skip


def tutorial(images: Cifar10, member: int, settings: Settings) -> float:
    """Plain float32, a DataLoader, layers as everyone writes them; the best validation AUC."""
    split = Protocol((0, 1), "1:2").member_split(images.train_labels, member)
    torch.manual_seed(member)
    layers: list[nn.Module] = []
    before, size = 3, 32
    for width in settings.channels:
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        before, size = width, size // 2
    hidden = [nn.Linear(before * size * size, settings.hidden), nn.ReLU(), nn.Dropout(settings.dropout)]
    network = nn.Sequential(*layers, nn.Flatten(), *hidden, nn.Linear(settings.hidden, 1))
    training, validation = (
        TutorialDataset(images.train_images[part.indices], part.labels, shift)
        for part, shift in ((split.training, settings.max_shift), (split.validation, 0))
    )
    loader = DataLoader(training, batch_size=settings.batch_size, shuffle=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    best = 0.0
    for _ in range(EPOCHS):
        network.train()
        for image, label in loader:
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(network(image), label).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            pairs = [(network(image), label) for image, label in DataLoader(validation, batch_size=256)]
        logits, labels = (torch.cat(column).flatten().numpy() for column in zip(*pairs, strict=True))
        best = max(best, float(roc_auc_score(labels, logits)))
    return best


def order(data: Path, out: Path, member: int, epochs: int) -> Order:
    """One of the reproduction's trainings, with everything that it writes."""
    common = (("max_epochs", epochs), ("patience", None))
    bundle = find_bundle("cifar10_alm_classification")
    return Order(
        Training("BCE", "1:2", member, common=common), f"{member:02d}", None, data, out, environment("", bundle)
    )


def against_tutorial(data: Path, real: bool) -> list[Row]:
    """Seconds of a training with validation, in turn, and the best validation AUC that either reaches."""
    settings, images = bundle_settings(), read_batches(data)
    ours: list[float] = []
    reference: list[float] = []
    aucs: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        train(order(data, Path(folder) / "warm", 0, 1))
        for member in range(MEMBERS):
            made = order(data, Path(folder), member, EPOCHS)
            ours.append(seconds(lambda made=made: train(made)) / EPOCHS)
            started = time.perf_counter()
            auc = tutorial(images, member, settings)
            reference.append((time.perf_counter() - started) / EPOCHS)
            aucs.append((read_facts(made.result)["validation_auc"], auc))
    made_rows = [at_least(2.5, "our training against a tutorial's loop, BCE 1:2", ours, reference, "s per epoch")]
    if real:
        made_rows.append(same_auc(*map(np.array, zip(*aucs, strict=True))))
    else:
        print("no real images here: validation AUC is not compared", file=sys.stderr)
    return made_rows


def same_auc(ours: np.ndarray, reference: np.ndarray) -> Row:
    """How far we are below the tutorial's validation AUC, in standard errors of the paired difference."""
    below = reference - ours
    ratio = float(below.mean() / (below.std(ddof=1) / len(below) ** 0.5))
    name = f"... best validation AUC of {EPOCHS} epochs, mean of {MEMBERS}"
    comparison = "standard errors below the reference, at most"
    return Row(name, float(ours.mean()), float(reference.mean()), ratio, 2.0, ratio <= 2.0, "AUC", comparison)


def workers(data: Path) -> Row:
    """The same trainings by one worker and by two, both warm."""
    one: list[float] = []
    two: list[float] = []
    for repeat in range(2):
        for processes, times in ((1, one), (2, two)) if repeat else ((2, two), (1, one)):
            with tempfile.TemporaryDirectory() as folder, LocalEngine(processes) as engine:
                warm = [engine.submit(train, order(data, Path(folder) / "warm", place, 8)) for place in range(2)]
                for future in warm:
                    future.result()
                started = time.perf_counter()
                for future in [engine.submit(train, order(data, Path(folder), n, 20)) for n in range(TASKS)]:
                    future.result()
                times.append(time.perf_counter() - started)
    return at_least(1.8, f"two workers against one, {TASKS} trainings", two, one, "s")


def rows() -> list[Row]:
    """Real images where they are, else random ones: speed does not depend on what they show."""
    with tempfile.TemporaryDirectory() as folder:
        data, real = Path(folder) / "cifar-10-batches-py", (SHARED / "to_batches.py").is_file()
        if real:
            subprocess.run([sys.executable, str(SHARED / "to_batches.py"), folder], check=True, capture_output=True)
        else:
            write_images(data)
        return [*against_tutorial(data, real), workers(data)]
