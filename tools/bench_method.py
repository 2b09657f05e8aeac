"""The constraint: the sorted violations, a training step, and Eq. 8 read pair by pair."""

import multiprocessing
import re
from pathlib import Path

import torch
from bench_rows import Row, at_least, at_most, in_turn, within
from torch import Tensor

from prostate_alm.alm import constraint_term, dense_violations, violations
from prostate_alm.losses import ALMLoss, BCELoss
from prostate_alm.networks import CascadeCNN

POSITIVES, NEGATIVES = 1_000, 1_000_000
BATCH, STEPS = 64, 30


def memory_mb(name: str) -> float:
    """VmRSS (now) or VmHWM (the peak) of this process; Linux."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found.group(1)) / 1024 if found else float("nan")


def _large_problem() -> tuple[list[float], list[float], float]:
    """Seconds of the sorted and of the dense way, forward and backward, and MB that the sorted way took."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    positives = (1 + torch.randn(POSITIVES, generator=generator)).requires_grad_()
    negatives = torch.randn(NEGATIVES, generator=generator).requires_grad_()

    def run(way: object) -> None:
        positives.grad = negatives.grad = None
        way(positives, negatives, 1.0).square().mean().backward()  # type: ignore[operator]

    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = memory_mb("VmRSS")
    run(violations)
    extra = memory_mb("VmHWM") - before
    return *in_turn(lambda: run(violations), lambda: run(dense_violations), repeats=3), extra


def large_problem() -> list[Row]:
    """In a process of its own: the dense way takes some 16 GB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        ours, reference, extra = pool.apply(_large_problem)
    name = "violations 1,000 x 1,000,000, sorted against dense"
    return [at_least(100, name, ours, reference, "s"), within(200, f"{name}: memory", [extra], "MB")]


def training_step() -> Row:
    """A step of the CIFAR10 network with `ALMLoss` (bind, forward, backward, raise, step) against BCE alone."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(BATCH, 3, 32, 32, generator=generator).contiguous(memory_format=torch.channels_last)
    labels, ids = (torch.arange(BATCH) % 3 == 0).float(), torch.arange(BATCH)
    network = CascadeCNN((32, 32))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-6)
    base = BCELoss()
    alm = ALMLoss(base, cases=list(zip(ids.tolist(), labels.int().tolist(), strict=True)))

    def constrained() -> None:
        optimizer.zero_grad()
        logits = network(image)
        alm.bind(ids)
        alm(logits, labels).backward()
        alm.raise_multipliers(logits.detach(), labels)
        optimizer.step()

    def alone() -> None:
        optimizer.zero_grad()
        base(network(image), labels).backward()
        optimizer.step()

    times = in_turn(lambda: [constrained() for _ in range(STEPS)], lambda: [alone() for _ in range(STEPS)], repeats=15)
    return at_most(1.05, f"ALMLoss against BCE, training step, batch {BATCH}", *times, f"s per {STEPS} steps")


def per_pair(logits: Tensor, labels: list[int], multipliers: list[float], penalty: float, margin: float) -> Tensor:
    """Eq. 8 without F, as it is written."""
    positives = [place for place, label in enumerate(labels) if label == 1]
    negatives = [place for place, label in enumerate(labels) if label == 0]
    total = torch.zeros(())
    for j in positives:
        q = torch.zeros(())
        for k in negatives:
            q = q + torch.clamp(margin - (logits[j] - logits[k]), min=0.0)
        total = total + penalty * q**2 / 2 + multipliers[j] * q
    return total / (len(positives) * len(negatives))


def small_batch() -> Row:
    """The constraint of a batch of 64, forward and backward."""
    logits = torch.randn(BATCH, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = (torch.arange(BATCH) % 3 == 0).int()
    positive, weights = labels == 1, torch.rand(BATCH)
    multipliers, numbers, marks = weights[positive], weights.tolist(), labels.tolist()

    def ours() -> None:
        amounts = violations(logits[positive], logits[~positive], 1.0)
        constraint_term(amounts, multipliers, 0.2, BATCH - len(amounts)).backward()

    times = in_turn(ours, lambda: per_pair(logits, marks, numbers, 0.2, 1.0).backward(), repeats=9, calls=20)
    return at_least(50, f"constraint against Eq. 8 pair by pair, batch {BATCH}", *times, "s")


def rows() -> list[Row]:
    """Everything about the constraint."""
    return [*large_problem(), training_step(), small_batch()]
