"""False-positive rates as handlers of an evaluator, against the figures of all cases at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from monai.engines import SupervisedEvaluator
from monai.handlers import CheckpointSaver, from_engine
from torch import nn

from prostate_alm.metrics import fpr_at_fn, fpr_at_tpr
from prostate_alm.training import FPRAtFN, FPRAtTPR


def draw_labels() -> torch.Tensor:
    return torch.tensor(np.random.default_rng(0).permutation(np.repeat([1, 0], [10, 20])))


class Scale(nn.Module):
    """Logits of the image: its first value, and in odd epochs its second."""

    def __init__(self) -> None:
        super().__init__()
        self.column = nn.Parameter(torch.tensor(0), requires_grad=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, int(self.column), None]


def evaluator_on(images: torch.Tensor, labels: torch.Tensor, handlers: dict[str, Any], **more: Any) -> Any:
    batches = [
        {"image": images[start : start + 7], "label": labels[start : start + 7, None]}
        for start in range(0, len(labels), 7)
    ]
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=batches,
        network=Scale(),
        key_val_metric=handlers,
        **more,
    )


@pytest.mark.parametrize("decollate", [False, True])
def test_an_evaluator_reports_the_figure_and_starts_afresh_each_epoch(decollate: bool) -> None:
    labels = draw_labels()
    images = torch.tensor(np.random.default_rng(4).normal(size=(30, 3))) + labels[:, None]
    select = from_engine(["pred", "label"])
    handlers = {"fn": FPRAtFN(1, select), "tpr": FPRAtTPR(0.75, select)}
    evaluator = evaluator_on(
        images, labels, {"fn": handlers["fn"]}, additional_metrics={"tpr": handlers["tpr"]}, decollate=decollate
    )
    for column in (0, 1, 2):
        evaluator.network.column.fill_(column)
        evaluator.run()
        assert evaluator.state.metrics["fn"] == fpr_at_fn(images[:, column], labels, 1).value
        assert evaluator.state.metrics["tpr"] == fpr_at_tpr(images[:, column], labels, 0.75).value


@pytest.mark.parametrize("decollate", [False, True])
@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_a_handler_rounds_no_float64(shape: tuple[int, ...], decollate: bool) -> None:
    """Left alone, ignite makes float32 of decollated scalars, in which these two logits are tied."""
    logits, labels = torch.tensor([1.0, 1.0 + 2.0**-40], dtype=torch.float64), torch.tensor([0, 1])
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=[{"image": logits.reshape(shape), "label": labels.reshape(shape)}],
        network=nn.Identity(),
        key_val_metric={"fpr": FPRAtFN(output_transform=from_engine(["pred", "label"]))},
        decollate=decollate,
    )
    evaluator.run()
    assert evaluator.state.metrics["fpr"] == 0.0


def test_a_bundle_keeps_the_epoch_of_the_lowest_rate(tmp_path: Path) -> None:
    labels = draw_labels()
    images = (
        torch.tensor(np.random.default_rng(6).normal(size=(30, 4)))
        + torch.tensor([1.0, 4.0, 2.0, 0.0]) * (labels[:, None])
    )
    rates = [fpr_at_fn(images[:, column], labels).value for column in range(4)]
    assert rates[1] == min(rates)
    assert rates.count(min(rates)) == 1
    parser = ConfigParser(
        {
            "metric": {
                "_target_": "prostate_alm.training.FPRAtFN",
                "misses": 0,
                "output_transform": "$monai.handlers.from_engine(['pred', 'label'])",
            },
            "better": "$lambda current, best: current < best",
            "saver": {
                "_target_": "CheckpointSaver",
                "save_dir": str(tmp_path),
                "save_dict": {"network": "$@network"},
                "save_key_metric": True,
                "key_metric_filename": "best.pt",
                "key_metric_negative_sign": True,
            },
            "imports": ["$import monai"],
        }
    )
    evaluator = evaluator_on(
        images,
        labels,
        {"val_fpr": parser.get_parsed_content("metric")},
        metric_cmp_fn=parser.get_parsed_content("better"),
    )
    parser["network"] = evaluator.network
    saver = parser.get_parsed_content("saver")
    assert isinstance(saver, CheckpointSaver)
    saver.attach(evaluator)
    trainer = Engine(lambda _engine, _batch: None)

    @trainer.on(Events.EPOCH_COMPLETED)
    def validate() -> None:
        evaluator.network.column.fill_(trainer.state.epoch - 1)
        evaluator.run(trainer.state.epoch)

    trainer.run([0], max_epochs=4)
    assert int(torch.load(tmp_path / "best.pt", weights_only=True)["column"]) == 1
    assert (evaluator.state.best_metric, evaluator.state.best_metric_epoch) == (rates[1], 2)


def test_without_the_negative_sign_the_highest_rate_would_be_kept() -> None:
    """Why the docstring insists on it: MONAI's own comparison prefers the higher value."""
    labels = draw_labels()
    images = torch.tensor(np.random.default_rng(6).normal(size=(30, 2))) + torch.tensor([4.0, 0.0]) * labels[:, None]
    evaluator = evaluator_on(images, labels, {"val_fpr": FPRAtFN(output_transform=from_engine(["pred", "label"]))})
    for epoch in (1, 2):
        evaluator.network.column.fill_(epoch - 1)
        evaluator.run(epoch)
    rates = [fpr_at_fn(images[:, column], labels).value for column in range(2)]
    assert evaluator.state.best_metric == max(rates) > min(rates)
