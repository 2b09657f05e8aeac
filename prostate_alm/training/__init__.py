"""Training: what turns a bundle's configuration into an ensemble of base, continued and ALM networks."""

from prostate_alm.training.batches import label_columns
from prostate_alm.training.checkpoint import StageCheckpoint
from prostate_alm.training.data import CaseDataset, CaseSampler
from prostate_alm.training.engine import run_tasks
from prostate_alm.training.ensemble import TrainingSettings, train
from prostate_alm.training.evaluation import (
    calibrate,
    predict_arms,
    refuse_shared_patients,
    require_labels,
    save_threshold,
)
from prostate_alm.training.handlers import ALMHandler, NonNegative, SeedEpoch
from prostate_alm.training.inferer import AutocastInferer
from prostate_alm.training.metric_handlers import FPRAtFN, FPRAtTPR
from prostate_alm.training.stages import ARMS, BASE, COMPARISON, MemberTask, train_member

__all__ = [
    "ARMS",
    "BASE",
    "COMPARISON",
    "ALMHandler",
    "AutocastInferer",
    "CaseDataset",
    "CaseSampler",
    "FPRAtFN",
    "FPRAtTPR",
    "MemberTask",
    "NonNegative",
    "SeedEpoch",
    "StageCheckpoint",
    "TrainingSettings",
    "calibrate",
    "label_columns",
    "predict_arms",
    "refuse_shared_patients",
    "require_labels",
    "run_tasks",
    "save_threshold",
    "train",
    "train_member",
]
