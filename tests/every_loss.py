"""The nine base losses, each with a parameter that shows."""

from torch import nn

from prostate_alm.losses import (
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

COUNTS, BETA = (300, 15), 0.99


def every_loss(reduction: str = "mean") -> list[nn.Module]:
    return [
        BCELoss(reduction),
        SymmetricMarginLoss(0.5, reduction),
        SymmetricFocalLoss(2.0, reduction),
        AsymmetricMarginLoss(0.5, reduction),
        AsymmetricFocalLoss(2.0, reduction),
        WeightedBCELoss(9.0, reduction),
        ClassBalancedBCELoss(COUNTS, BETA, reduction),
        MSFELoss(reduction),
        MBAUCLoss(reduction),
    ]
