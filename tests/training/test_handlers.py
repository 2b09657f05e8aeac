"""Algorithm 1 inside a stock MONAI trainer, against plain torch."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from torch import nn

from prostate_alm.losses import ALMLoss, BCELoss
from prostate_alm.training import ALMHandler, SeedEpoch

AUCS = [0.8, 0.7, 0.9]
BATCHES = [(["a", "n", "b"], [1, 0, 1]), (["n", "m", "a"], [0, 0, 1])]


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


def scripted_evaluator() -> Engine:
    """An evaluator whose AUCs are given."""
    aucs = iter(AUCS)
    evaluator = Engine(lambda _engine, _batch: None)
    evaluator.add_event_handler(
        Events.EPOCH_COMPLETED, lambda: evaluator.state.metrics.__setitem__("val_auc", next(aucs))
    )
    return evaluator


def train_with_monai(network: nn.Module, loss: ALMLoss) -> list[dict[str, float]]:
    evaluator, history = scripted_evaluator(), []
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=len(AUCS),
        train_data_loader=batches(),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=loss,
        train_handlers=[ALMHandler(loss, evaluator)],  # pyright: ignore[reportArgumentType]
        decollate=False,
    )
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0], max_epochs=1))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: history.append(dict(trainer.state.metrics)))
    trainer.run()
    return history


def by_hand(network: nn.Linear) -> Iterator[dict[str, float]]:
    """Algorithm 1 with double loops; changes the network as it goes."""
    multipliers: dict[str, float] = {}
    penalty, previous = 0.3, 2.0
    for auc in AUCS:
        amounts: list[float] = []
        for batch in batches():
            logits, labels = network(batch["image"])[:, 0], batch["label"]
            loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
            positives, negatives = ([i for i in range(3) if labels[i] == y] for y in (1, 0))
            raised: dict[str, float] = {}
            for j in positives:
                q = torch.zeros((), dtype=torch.float64)
                for k in negatives:
                    q = q + torch.clamp(1.0 - (logits[j] - logits[k]), min=0)
                name, pairs = batch["case_id"][j], len(positives) * len(negatives)
                loss = loss + penalty * q * q / (2 * pairs) + multipliers.get(name, 0.0) * q / pairs
                raised[name] = penalty * float(q.detach())
                amounts.append(float(q.detach()))
            network.zero_grad()
            loss.backward()
            with torch.no_grad():
                for value in network.parameters():
                    assert value.grad is not None
                    value -= 0.1 * value.grad
            multipliers = multipliers | {name: multipliers.get(name, 0.0) + more for name, more in raised.items()}
        yield {
            "penalty": penalty,
            "largest_multiplier": max(multipliers.values()),
            "mean_violation": sum(amounts) / len(amounts),
            "satisfied_share": sum(amount == 0 for amount in amounts) / len(amounts),
        }
        penalty, previous = penalty * 4.0 if auc < previous and previous <= 1 else penalty, auc


def test_a_monai_trainer_does_what_is_done_by_hand() -> None:
    torch.manual_seed(0)
    networks = [nn.Linear(2, 1).double() for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    history = train_with_monai(networks[0], ALMLoss(BCELoss(), margin=1.0, penalty=0.3, growth=4.0))
    wanted = list(by_hand(networks[1]))
    for ours, theirs in zip(history, wanted, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)
    assert [row["penalty"] for row in history] == pytest.approx([0.3, 0.3, 1.2])
    for ours, theirs in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_an_epoch_without_positives_reports_no_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "BATCHES", [(["n", "m", "o"], [0, 0, 0])])
    history = train_with_monai(nn.Linear(2, 1).double(), ALMLoss(BCELoss()))
    assert history[0] == {"penalty": 0.2, "largest_multiplier": 0.0, "mean_violation": 0.0, "satisfied_share": 1.0}


def test_dropout_is_seeded_by_seed_stage_and_epoch() -> None:
    def draws(seed: int, stage: int, resume_at: int = 0) -> list[float]:
        values: list[float] = []
        engine = Engine(lambda _engine, _batch: values.append(float(torch.rand(()))))
        engine.add_event_handler(Events.STARTED, lambda: setattr(engine.state, "epoch", resume_at))
        SeedEpoch(seed, stage).attach(engine)
        engine.run([0], max_epochs=3)
        return values

    straight = draws(1, 1)
    assert len(set(straight)) == 3
    assert draws(1, 1, resume_at=1) == straight[1:]
    assert not set(straight) & {*draws(2, 1), *draws(1, 2)}


def test_padding_in_the_batch_reaches_the_loss() -> None:
    class Bound(ALMLoss):
        marks: Any = None

        def bind(self, case_ids: Any, padding: Any = None) -> None:
            self.marks = padding
            super().bind(case_ids, padding)

    loss = Bound(BCELoss())
    handler, engine = ALMHandler(loss, scripted_evaluator()), Engine(lambda _engine, _batch: None)  # pyright: ignore[reportArgumentType]
    for batch, wanted in (({"case_id": [1, 2]}, None), ({"case_id": [1, 2], "padding": [False, True]}, [False, True])):
        engine.state.batch = batch
        handler._bind(engine)
        assert loss.marks == wanted
