"""Gradient accumulation under the constraint, against steps done by hand."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from torch import nn

from prostate_alm.losses import ALMLoss, BCELoss
from prostate_alm.training import ALMHandler

STEPS = 2
BATCHES = [(["a", "n", "b"], [1, 0, 1]), (["n", "m", "a"], [0, 0, 1]), (["b", "m", "o"], [1, 0, 0])]


def batches() -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(4)
    return [
        {
            "image": torch.randn(3, 2, dtype=torch.float64, generator=generator),
            "label": torch.tensor(labels, dtype=torch.float64),
            "case_id": ids,
        }
        for ids, labels in BATCHES
    ]


def with_monai(network: nn.Module, loss: ALMLoss) -> list[dict[str, float]]:
    told: list[dict[str, float]] = []
    handler = ALMHandler(loss, Engine(lambda _engine, _batch: None))  # pyright: ignore[reportArgumentType]
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=2,
        train_data_loader=batches(),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=loss,
        train_handlers=[handler],
        decollate=False,
        accumulation_steps=STEPS,
    )
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: told.append(multipliers(loss)))
    trainer.run()
    return told


def multipliers(loss: ALMLoss) -> dict[str, float]:
    return {name: float(loss.multipliers.of([name])) for name in ("a", "b")}


def by_hand(network: nn.Linear) -> Iterator[dict[str, float]]:
    """Every micro-batch has its own N+ N- and raises its multipliers; every second one, and the last, ends a step."""
    raised = {"a": 0.0, "b": 0.0}
    for _ in range(2):
        gradients = [torch.zeros_like(value) for value in network.parameters()]
        for number, batch in enumerate(batches(), start=1):
            logits, labels = network(batch["image"])[:, 0], batch["label"]
            loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
            positives, negatives = ([i for i in range(3) if labels[i] == y] for y in (1, 0))
            more = {"a": 0.0, "b": 0.0}
            for j in positives:
                q = sum(torch.clamp(1.0 - (logits[j] - logits[k]), min=0) for k in negatives)
                name, pairs = batch["case_id"][j], len(positives) * len(negatives)
                loss = loss + 0.3 * q * q / (2 * pairs) + raised[name] * q / pairs
                more[name] += 0.3 * float(torch.as_tensor(q).detach())
            for total, slope in zip(gradients, torch.autograd.grad(loss, list(network.parameters())), strict=True):
                total += slope / STEPS
            raised = {name: raised[name] + more[name] for name in raised}
            if number % STEPS == 0 or number == len(BATCHES):
                with torch.no_grad():
                    for value, total in zip(network.parameters(), gradients, strict=True):
                        value -= 0.1 * total
                        total.zero_()
            yield dict(raised)


def test_two_accumulated_steps_are_those_done_by_hand() -> None:
    torch.manual_seed(0)
    networks = [nn.Linear(2, 1).double() for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    before = [value.clone() for value in networks[0].parameters()]
    told = with_monai(networks[0], ALMLoss(BCELoss(), margin=1.0, penalty=0.3, growth=4.0))
    wanted = list(by_hand(networks[1]))
    assert len(told) == len(wanted) == 6
    for ours, theirs in zip(told, wanted, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)
    for ours, theirs, first in zip(networks[0].parameters(), networks[1].parameters(), before, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
        assert not torch.allclose(ours, first)
