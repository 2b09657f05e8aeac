"""Figures on raw logits in float64: AUC, false-positive rates at full sensitivity, and their exact intervals."""

from prostate_alm.metrics.delong import PairedDeLong, auc, paired_delong
from prostate_alm.metrics.holm import holm
from prostate_alm.metrics.locked import LockedFigures, at_threshold
from prostate_alm.metrics.operating import fpr_at_fn, fpr_at_tpr, threshold_at_fn
from prostate_alm.metrics.roc import RocPoints, roc_points

__all__ = [
    "LockedFigures",
    "PairedDeLong",
    "RocPoints",
    "at_threshold",
    "auc",
    "fpr_at_fn",
    "fpr_at_tpr",
    "holm",
    "paired_delong",
    "roc_points",
    "threshold_at_fn",
]
