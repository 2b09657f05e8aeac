"""What a finished run says of its training: loss, ratio, the hyper-parameters in force, the validation AUCs."""

import json
from pathlib import Path
from typing import Any

from monai.bundle.config_parser import ConfigParser

from prostate_alm.losses import BASE_LOSSES
from prostate_alm.training.checkpoint import RESULT
from prostate_alm.training.parameters import CONSTRAINT, named, own_parameter
from prostate_alm.training.settings import TrainingSettings, config_files


def training_facts(run: Path, bundle: Path, settings: TrainingSettings) -> dict[str, Any]:
    """What goes into the metadata of a run's bundle, and from there into its evaluations.

    Args:
        run: the run's folder, all members finished.
        bundle: the bundle that was trained.
        settings: of the run.

    Returns:
        `loss`, `class_ratio` (None: the cohort's own), `seed`, `members`, `arms`, `hyperparameters` by the paper's
        names, and `validation_auc`: arm -> each member's.
    """
    stages = {
        arm: [run / "members" / f"{member:02d}" / arm for member in range(settings.members)] for arm in settings.arms
    }
    return {
        "loss": settings.loss,
        "class_ratio": settings.class_ratio,
        "seed": settings.seed,
        "members": settings.members,
        "arms": list(settings.arms),
        "hyperparameters": hyperparameters(bundle, settings),
        "validation_auc": {arm: [validation_auc(stage) for stage in folders] for arm, folders in stages.items()},
    }


def hyperparameters(bundle: Path, settings: TrainingSettings) -> dict[str, float | str]:
    """The values in force, whether they were given or are the bundle's own: those of the loss, then of ALM.

    Args:
        bundle: the bundle that is trained.
        settings: of the run.
    """
    parser = ConfigParser(config=ConfigParser.load_config_files([str(path) for path in config_files(bundle, settings)]))
    parser.update({"base_loss": dict(BASE_LOSSES[settings.loss]), **settings.overrides})
    own = own_parameter(settings.loss)
    told = {} if own is None else {own: named(parser[f"base_loss::{own}"])}
    return told | ({name: parser[key] for name, key in CONSTRAINT.items()} if settings.alm else {})


def validation_auc(stage: Path) -> float:
    """The validation AUC of a finished stage's weights.

    Args:
        stage: its folder, with `result.json`.
    """
    result = json.loads((stage / RESULT).read_text(encoding="utf-8"))
    best = next((row for row in result["history"] if row["epoch"] == result["best_epoch"]), {})
    return float(best.get("val_auc", result["best_metric"]))
