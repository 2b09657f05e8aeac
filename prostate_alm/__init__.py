"""Classifiers for critical findings, trained for the false-positive rate at full sensitivity.

Names are loaded on first use (PEP 562): importing this package costs nothing, importing torch or MONAI does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prostate_alm.losses import (
        ALMLoss,
        AsymmetricFocalLoss,
        AsymmetricMarginLoss,
        BCELoss,
        ClassBalancedBCELoss,
        MBAUCLoss,
        MSFELoss,
        SymmetricFocalLoss,
        SymmetricMarginLoss,
        WeightedBCELoss,
    )
    from prostate_alm.metrics import auc, fpr_at_fn, fpr_at_tpr
    from prostate_alm.networks import DualPathCNN, Ensemble

__version__ = "0.1.0"

_HOME = {
    "ALMLoss": "prostate_alm.losses",
    "AsymmetricFocalLoss": "prostate_alm.losses",
    "AsymmetricMarginLoss": "prostate_alm.losses",
    "BCELoss": "prostate_alm.losses",
    "ClassBalancedBCELoss": "prostate_alm.losses",
    "DualPathCNN": "prostate_alm.networks",
    "Ensemble": "prostate_alm.networks",
    "MBAUCLoss": "prostate_alm.losses",
    "MSFELoss": "prostate_alm.losses",
    "SymmetricFocalLoss": "prostate_alm.losses",
    "SymmetricMarginLoss": "prostate_alm.losses",
    "WeightedBCELoss": "prostate_alm.losses",
    "auc": "prostate_alm.metrics",
    "fpr_at_fn": "prostate_alm.metrics",
    "fpr_at_tpr": "prostate_alm.metrics",
}

__all__ = [
    "ALMLoss",
    "AsymmetricFocalLoss",
    "AsymmetricMarginLoss",
    "BCELoss",
    "ClassBalancedBCELoss",
    "DualPathCNN",
    "Ensemble",
    "MBAUCLoss",
    "MSFELoss",
    "SymmetricFocalLoss",
    "SymmetricMarginLoss",
    "WeightedBCELoss",
    "__version__",
    "auc",
    "fpr_at_fn",
    "fpr_at_tpr",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
