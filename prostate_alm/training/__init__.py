"""Training: what turns a bundle's configuration into an ensemble of base, continued and ALM networks."""

from prostate_alm.training.checkpoint import StageCheckpoint
from prostate_alm.training.data import CaseDataset, CaseSampler
from prostate_alm.training.handlers import ALMHandler, SeedEpoch
from prostate_alm.training.inferer import AutocastInferer

__all__ = ["ALMHandler", "AutocastInferer", "CaseDataset", "CaseSampler", "SeedEpoch", "StageCheckpoint"]
