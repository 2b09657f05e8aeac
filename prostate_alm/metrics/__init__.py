"""Figures on raw logits in float64: AUC, false-positive rates at full sensitivity, and their exact intervals."""

from prostate_alm.metrics.calibration import Calibration, CalibrationPoint, calibration, recalibrated
from prostate_alm.metrics.delong import auc, paired_delong
from prostate_alm.metrics.holm import holm
from prostate_alm.metrics.locked import LockedFigures, at_threshold
from prostate_alm.metrics.net_benefit import NetBenefit, net_benefit
from prostate_alm.metrics.operating import fpr_at_fn, fpr_at_tpr, threshold_at_fn
from prostate_alm.metrics.paired import PairedTest
from prostate_alm.metrics.prevalence import PrevalenceFigures, at_prevalence
from prostate_alm.metrics.roc import RocPoints, roc_points
from prostate_alm.metrics.subgroups import Subgroup, by_subgroup

__all__ = [
    "Calibration",
    "CalibrationPoint",
    "LockedFigures",
    "NetBenefit",
    "PairedTest",
    "PrevalenceFigures",
    "RocPoints",
    "Subgroup",
    "at_prevalence",
    "at_threshold",
    "auc",
    "by_subgroup",
    "calibration",
    "fpr_at_fn",
    "fpr_at_tpr",
    "holm",
    "net_benefit",
    "paired_delong",
    "recalibrated",
    "roc_points",
    "threshold_at_fn",
]
