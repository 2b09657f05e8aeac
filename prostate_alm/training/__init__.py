"""Training: what turns a bundle's configuration into an ensemble of base, continued and ALM networks.

Names are loaded on first use (PEP 562): a process that only waits for tasks need not import MONAI.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOME = {
    "ALMHandler": "handlers",
    "ARMS": "stages",
    "AutocastInferer": "inferer",
    "BASE": "stages",
    "COMPARISON": "stages",
    "CaseDataset": "data",
    "CaseSampler": "data",
    "Engine": "engine",
    "FPRAtFN": "metric_handlers",
    "FPRAtTPR": "metric_handlers",
    "Job": "plans",
    "LocalEngine": "engine",
    "MemberTask": "stages",
    "NonNegative": "handlers",
    "Plan": "plans",
    "PlanRunner": "plans",
    "SeedEpoch": "handlers",
    "StageCheckpoint": "checkpoint",
    "Tally": "plans",
    "TrainingSettings": "ensemble",
    "calibrate": "evaluation",
    "label_columns": "batches",
    "one_thread": "stages",
    "predict_arms": "evaluation",
    "quickest_precision": "inferer",
    "refuse_shared_patients": "evaluation",
    "require_labels": "evaluation",
    "run_tasks": "engine",
    "save_threshold": "evaluation",
    "train": "ensemble",
    "train_arm": "stages",
    "train_member": "stages",
}
"""Name -> the module of this room that defines it."""

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


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
