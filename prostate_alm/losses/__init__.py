"""Base losses and the Augmented Lagrangian loss, as MONAI losses on logits."""

from collections.abc import Mapping
from typing import Any

from prostate_alm.losses.alm import ALMLoss
from prostate_alm.losses.bce import BCELoss
from prostate_alm.losses.focal import AsymmetricFocalLoss, SymmetricFocalLoss
from prostate_alm.losses.margin import AsymmetricMarginLoss, SymmetricMarginLoss
from prostate_alm.losses.mbauc import MBAUCLoss
from prostate_alm.losses.msfe import MSFELoss
from prostate_alm.losses.weighted import ClassBalancedBCELoss, WeightedBCELoss, class_counts

BASE_LOSSES: Mapping[str, dict[str, Any]] = {
    "bce": {"_target_": "prostate_alm.losses.BCELoss"},
    "s-ml": {"_target_": "prostate_alm.losses.SymmetricMarginLoss", "margin": 0.5},
    "s-fl": {"_target_": "prostate_alm.losses.SymmetricFocalLoss", "gamma": 2.0},
    "a-ml": {"_target_": "prostate_alm.losses.AsymmetricMarginLoss", "margin": 0.5},
    "a-fl": {"_target_": "prostate_alm.losses.AsymmetricFocalLoss", "gamma": 2.0},
    "w-bce": {
        "_target_": "prostate_alm.losses.WeightedBCELoss",
        "weight": "$@class_counts[0] / @class_counts[1]",
    },
    "cb-bce": {
        "_target_": "prostate_alm.losses.ClassBalancedBCELoss",
        "beta": 0.99,
        "class_counts": "@class_counts",
    },
    "msfe": {"_target_": "prostate_alm.losses.MSFELoss"},
    "mbauc": {"_target_": "prostate_alm.losses.MBAUCLoss"},
}
"""The paper's names of the base losses, each with its entry in a bundle config.

`@class_counts` is the bundle's (negatives, positives) of the training cases, from `class_counts`. Hand a copy to a
`ConfigParser`: it writes overrides into the very dict that it was given.
"""

NEVER_CONSTRAINED = frozenset({"mbauc"})
"""Compared with, never constrained by ALM: it optimises the AUC itself."""

__all__ = [
    "BASE_LOSSES",
    "NEVER_CONSTRAINED",
    "ALMLoss",
    "AsymmetricFocalLoss",
    "AsymmetricMarginLoss",
    "BCELoss",
    "ClassBalancedBCELoss",
    "MBAUCLoss",
    "MSFELoss",
    "SymmetricFocalLoss",
    "SymmetricMarginLoss",
    "WeightedBCELoss",
    "class_counts",
]
