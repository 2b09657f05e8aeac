"""Every figure takes numpy and torch, (B,) and (B, 1), and refuses the rest."""

import numpy as np
import pytest
import torch

from prostate_alm.metrics import (
    at_threshold,
    auc,
    fpr_at_fn,
    fpr_at_tpr,
    paired_delong,
    paired_permutation,
    roc_points,
    threshold_at_fn,
)

LOGITS = np.array([2.0, -1.0, 0.5, 1.5, -0.25, 0.75])
LABELS = np.array([1, 0, 1, 0, 0, 1])

METRICS = {
    "auc": auc,
    "fpr_at_fn": fpr_at_fn,
    "fpr_at_tpr": fpr_at_tpr,
    "at_threshold": lambda logits, labels: at_threshold(logits, labels, 0.0),
    "paired_delong": lambda logits, labels: paired_delong(logits, logits, labels),
    "paired_permutation": lambda logits, labels: paired_permutation(logits, logits, labels, permutations=5),
    "threshold_at_fn": threshold_at_fn,
    "roc_points": lambda logits, labels: roc_points(logits, labels).tpr.tolist(),
}
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())

FORMS = {
    "column": (LOGITS[:, None], LABELS[:, None]),
    "mixed": (LOGITS[:, None], LABELS),
    "lists": (LOGITS.tolist(), LABELS.tolist()),
    "float labels": (LOGITS, LABELS.astype(np.float32)),
    "bool labels": (LOGITS, LABELS == 1),
    "torch": (torch.tensor(LOGITS), torch.tensor(LABELS)),
    "torch column with gradient": (torch.tensor(LOGITS[:, None], requires_grad=True), torch.tensor(LABELS[:, None])),
    "bfloat16": (torch.tensor(LOGITS, dtype=torch.bfloat16), torch.tensor(LABELS, dtype=torch.bfloat16)),
}


@every_metric
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_the_form_of_the_input_changes_nothing(metric, form):
    assert metric(*form) == metric(LOGITS, LABELS)


@every_metric
@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ([0.0, np.nan], [0, 1], "finite"),
        ([0.0, np.inf], [0, 1], "finite"),
        ([0.0, 1.0], [0, 2], "0 or 1"),
        ([0.0, 1.0], [0, np.nan], "0 or 1"),
        ([0.0, 1.0], [-1, 1], "0 or 1"),
        ([0.0, 1.0, 2.0], [0, 1], "3 logits but 2 labels"),
        ([[0.0, 1.0], [2.0, 3.0]], [0, 1], "shape"),
        (1.0, 1, "shape"),
        ([0.0, 1.0], [[[0]], [[1]]], "shape"),
    ],
)
def test_what_cannot_be_ranked_is_refused(metric, logits, labels, message):
    with pytest.raises(ValueError, match=message):
        metric(logits, labels)
