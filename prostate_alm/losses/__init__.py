"""Base losses and the Augmented Lagrangian loss, as MONAI losses on logits."""

from prostate_alm.losses.alm import ALMLoss
from prostate_alm.losses.bce import BCELoss
from prostate_alm.losses.focal import AsymmetricFocalLoss, SymmetricFocalLoss

BASE_LOSSES = {
    "bce": "prostate_alm.losses.BCELoss",
    "s-fl": "prostate_alm.losses.SymmetricFocalLoss",
    "a-fl": "prostate_alm.losses.AsymmetricFocalLoss",
}
"""The paper's names of the base losses, and the classes as a bundle names them."""

__all__ = ["BASE_LOSSES", "ALMLoss", "AsymmetricFocalLoss", "BCELoss", "SymmetricFocalLoss"]
