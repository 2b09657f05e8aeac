"""False-positive rates as MONAI metrics, batch by batch, against the figures of all cases at once."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, decollate_batch

import prostate_alm.metrics
from prostate_alm.metrics import FPRAtFNMetric, FPRAtTPRMetric, fpr_at_fn, fpr_at_tpr

FORMS = ["column", "flat", "mixed"]


def cases(seed: int = 0, count: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.repeat([1, 0], [10, count - 10]))
    return torch.tensor(generator.normal(size=count) + labels), torch.tensor(labels)


def shaped(logits: torch.Tensor, labels: torch.Tensor, form: str) -> tuple[torch.Tensor, torch.Tensor]:
    return (logits if form == "flat" else logits[:, None]), (labels[:, None] if form == "column" else labels)


@pytest.mark.parametrize("decollate", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_batches_give_the_figure_of_all_cases(form: str, decollate: bool) -> None:
    logits, labels = cases(seed=3)
    metrics = [FPRAtFNMetric(0), FPRAtFNMetric(2), FPRAtTPRMetric(0.65)]
    expected = [fpr_at_fn(logits, labels), fpr_at_fn(logits, labels, 2), fpr_at_tpr(logits, labels, 0.65)]
    assert len({figure.value for figure in expected}) == 3
    for metric, figure in zip(metrics, expected, strict=True):
        for part in (slice(0, 7), slice(7, 8), slice(8, None)):
            pair: Any = shaped(logits[part], labels[part], form)
            if decollate:
                pair = [[case[key] for case in decollate_batch(dict(enumerate(pair)))] for key in (0, 1)]
            metric(*pair)
        assert metric.aggregate() == figure.value


@pytest.mark.parametrize("decollate", [False, True])
def test_float64_is_not_rounded(decollate: bool) -> None:
    logits = torch.tensor([1.0, 1.0 + 2.0**-40], dtype=torch.float64)
    batch: Any = logits.tolist() if decollate else logits
    metric = FPRAtFNMetric()
    metric(batch, torch.tensor([0, 1]))
    assert metric.aggregate() == 0.0  # in float32 the two would be tied
    assert metric.get_buffer()[0].dtype == torch.float64


def test_meta_tensors_and_gradients_are_taken() -> None:
    logits, labels = cases()
    metric = FPRAtFNMetric()
    metric(MetaTensor(logits[:, None]).requires_grad_(), MetaTensor(labels[:, None]))
    assert metric.aggregate() == fpr_at_fn(logits, labels).value


@pytest.mark.parametrize(
    "make", [lambda: FPRAtFNMetric(0), lambda: FPRAtFNMetric(1), FPRAtTPRMetric], ids=["0FN", "1FN", "95%TPR"]
)
def test_what_is_undefined_is_nan(make: Callable[[], FPRAtFNMetric | FPRAtTPRMetric]) -> None:
    metric = make()
    assert math.isnan(metric.aggregate())
    metric(torch.tensor([1.0, 2.0]), torch.tensor([0, 0]))
    assert math.isnan(metric.aggregate())
    metric.reset()
    metric(torch.tensor([1.0]), torch.tensor([1]))
    assert math.isnan(metric.aggregate())


def test_wrong_settings_and_batches_are_refused() -> None:
    with pytest.raises(TypeError):
        FPRAtFNMetric(misses=0.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="outside"):
        FPRAtTPRMetric(tpr=1.5)
    metric = FPRAtFNMetric()
    metric(torch.tensor([1.0, math.nan]), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="finite"):
        metric.aggregate()


def test_the_metrics_room_offers_them_and_names_what_it_has_not() -> None:
    assert {"FPRAtFNMetric", "FPRAtTPRMetric", "auc"} <= set(dir(prostate_alm.metrics))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = prostate_alm.metrics.nothing  # pyright: ignore[reportAttributeAccessIssue]
