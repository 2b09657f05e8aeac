"""Training: what turns a bundle's configuration into an ensemble of base, continued and ALM networks.

Names are loaded on first use (PEP 562): a process that only waits for tasks need not import MONAI.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prostate_alm.training.batches import label_columns
    from prostate_alm.training.calibration import calibrate, calibrate_out_of_bag, save_threshold
    from prostate_alm.training.checkpoint import StageCheckpoint
    from prostate_alm.training.data import CaseDataset
    from prostate_alm.training.engine import Engine, LocalEngine, run_tasks
    from prostate_alm.training.ensemble import train
    from prostate_alm.training.evaluation import (
        at_class_ratio,
        facts_of,
        find_runs,
        predict_arms,
        refuse_shared_patients,
        require_labels,
    )
    from prostate_alm.training.handlers import ALMHandler, NonNegative, SeedEpoch
    from prostate_alm.training.inferer import AutocastInferer, quickest_precision
    from prostate_alm.training.metric_handlers import FPRAtFN, FPRAtTPR
    from prostate_alm.training.plans import Job, Listeners, Plan, PlanRunner, Tally
    from prostate_alm.training.ranks import (
        BindPadding,
        GatheredLoss,
        join_ranks,
        leave_ranks,
        over_ranks,
        rank_device,
        rank_share,
    )
    from prostate_alm.training.running import Conductor, Progress
    from prostate_alm.training.sampling import CaseSampler, RankSampler
    from prostate_alm.training.settings import TrainingSettings
    from prostate_alm.training.stages import ARMS, BASE, COMPARISON, MemberTask, one_thread, train_arm, train_member
    from prostate_alm.training.trackers import require_package

_HOME = {
    "ALMHandler": "handlers",
    "ARMS": "stages",
    "AutocastInferer": "inferer",
    "BASE": "stages",
    "BindPadding": "ranks",
    "COMPARISON": "stages",
    "CaseDataset": "data",
    "CaseSampler": "sampling",
    "Conductor": "running",
    "Engine": "engine",
    "FPRAtFN": "metric_handlers",
    "FPRAtTPR": "metric_handlers",
    "GatheredLoss": "ranks",
    "Job": "plans",
    "Listeners": "plans",
    "LocalEngine": "engine",
    "MemberTask": "stages",
    "NonNegative": "handlers",
    "Plan": "plans",
    "PlanRunner": "plans",
    "Progress": "running",
    "RankSampler": "sampling",
    "SeedEpoch": "handlers",
    "StageCheckpoint": "checkpoint",
    "Tally": "plans",
    "TrainingSettings": "settings",
    "at_class_ratio": "evaluation",
    "facts_of": "evaluation",
    "find_runs": "evaluation",
    "calibrate": "calibration",
    "calibrate_out_of_bag": "calibration",
    "join_ranks": "ranks",
    "label_columns": "batches",
    "leave_ranks": "ranks",
    "one_thread": "stages",
    "over_ranks": "ranks",
    "predict_arms": "evaluation",
    "quickest_precision": "inferer",
    "rank_device": "ranks",
    "rank_share": "ranks",
    "refuse_shared_patients": "evaluation",
    "require_labels": "evaluation",
    "require_package": "trackers",
    "run_tasks": "engine",
    "save_threshold": "calibration",
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
    "BindPadding",
    "CaseDataset",
    "CaseSampler",
    "Conductor",
    "Engine",
    "FPRAtFN",
    "FPRAtTPR",
    "GatheredLoss",
    "Job",
    "Listeners",
    "LocalEngine",
    "MemberTask",
    "NonNegative",
    "Plan",
    "PlanRunner",
    "Progress",
    "RankSampler",
    "SeedEpoch",
    "StageCheckpoint",
    "Tally",
    "TrainingSettings",
    "at_class_ratio",
    "calibrate",
    "calibrate_out_of_bag",
    "facts_of",
    "find_runs",
    "join_ranks",
    "label_columns",
    "leave_ranks",
    "one_thread",
    "over_ranks",
    "predict_arms",
    "quickest_precision",
    "rank_device",
    "rank_share",
    "refuse_shared_patients",
    "require_labels",
    "require_package",
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
