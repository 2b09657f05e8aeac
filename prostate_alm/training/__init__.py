"""Training: what turns a bundle's configuration into an ensemble of base, continued and ALM networks."""

from prostate_alm.training.batches import label_columns
from prostate_alm.training.checkpoint import StageCheckpoint
from prostate_alm.training.data import CaseDataset, CaseSampler
from prostate_alm.training.engine import Engine, LocalEngine, run_tasks
from prostate_alm.training.ensemble import TrainingSettings, train
from prostate_alm.training.evaluation import (
    calibrate,
    predict_arms,
    refuse_shared_patients,
    require_labels,
    save_threshold,
)
from prostate_alm.training.handlers import ALMHandler, NonNegative, SeedEpoch
from prostate_alm.training.inferer import AutocastInferer, quickest_precision
from prostate_alm.training.metric_handlers import FPRAtFN, FPRAtTPR
from prostate_alm.training.plans import Job, Plan, PlanRunner, Tally
from prostate_alm.training.stages import ARMS, BASE, COMPARISON, MemberTask, one_thread, train_arm, train_member

__all__ = [
    "ARMS",
    "BASE",
    "COMPARISON",
    "ALMHandler",
    "AutocastInferer",
    "CaseDataset",
    "CaseSampler",
    "Engine",
    "FPRAtFN",
    "FPRAtTPR",
    "Job",
    "LocalEngine",
    "MemberTask",
    "NonNegative",
    "Plan",
    "PlanRunner",
    "SeedEpoch",
    "StageCheckpoint",
    "Tally",
    "TrainingSettings",
    "calibrate",
    "label_columns",
    "one_thread",
    "predict_arms",
    "quickest_precision",
    "refuse_shared_patients",
    "require_labels",
    "run_tasks",
    "save_threshold",
    "train",
    "train_arm",
    "train_member",
]
