"""Figures on raw logits in float64: AUC, false-positive rates at full sensitivity, and their exact intervals.

The MONAI metrics are loaded on first use (PEP 562): everything else here needs neither torch nor MONAI.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from prostate_alm.metrics.calibration import Calibration, CalibrationPoint, calibration, recalibrated
from prostate_alm.metrics.delong import auc, paired_delong
from prostate_alm.metrics.holm import holm
from prostate_alm.metrics.locked import LockedFigures, at_threshold
from prostate_alm.metrics.net_benefit import NetBenefit, net_benefit, net_benefit_at
from prostate_alm.metrics.operating import fpr_at_fn, fpr_at_tpr, threshold_at_fn
from prostate_alm.metrics.paired import PairedTest
from prostate_alm.metrics.permutation import paired_permutation
from prostate_alm.metrics.prevalence import PrevalenceFigures, at_prevalence
from prostate_alm.metrics.roc import RocPoints, roc_points
from prostate_alm.metrics.spread import Spread, spread
from prostate_alm.metrics.subgroups import Subgroup, by_subgroup

if TYPE_CHECKING:
    from prostate_alm.metrics.cumulative import FPRAtFNMetric, FPRAtTPRMetric

__all__ = [
    "Calibration",
    "CalibrationPoint",
    "FPRAtFNMetric",
    "FPRAtTPRMetric",
    "LockedFigures",
    "NetBenefit",
    "PairedTest",
    "PrevalenceFigures",
    "RocPoints",
    "Spread",
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
    "net_benefit_at",
    "paired_delong",
    "paired_permutation",
    "recalibrated",
    "roc_points",
    "spread",
    "threshold_at_fn",
]


def __getattr__(name: str) -> Any:
    if name not in ("FPRAtFNMetric", "FPRAtTPRMetric"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("prostate_alm.metrics.cumulative"), name)


def __dir__() -> list[str]:
    return __all__
