"""What a finished run says of its training: loss, ratio, the hyper-parameters in force, the validation AUCs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monai.bundle.config_parser import ConfigParser

from prostate_alm.cohort import Case, parse_class_ratio, thin_positives
from prostate_alm.losses import BASE_LOSSES
from prostate_alm.training.checkpoint import RESULT
from prostate_alm.training.parameters import CONSTRAINT, named, own_parameter
from prostate_alm.training.settings import TrainingSettings, config_files


def training_facts(run: Path, bundle: Path, settings: TrainingSettings, cases: Sequence[Case]) -> dict[str, Any]:
    """What goes into the metadata of a run's bundle, and from there into its evaluations.

    Args:
        run: the run's folder, all members finished.
        bundle: the bundle that was trained.
        settings: of the run.
        cases: of the training cohort, before its positives are thinned.

    Returns:
        `loss`, `class_ratio` (None: the cohort's own), `prevalence` (see `training_prevalence`), `seed`, `members`,
        `arms`, `hyperparameters` by the paper's names, and `validation_auc`: arm -> each member's.
    """
    stages = {
        arm: [run / "members" / f"{member:02d}" / arm for member in range(settings.members)] for arm in settings.arms
    }
    return {
        "loss": settings.loss,
        "class_ratio": settings.class_ratio,
        "prevalence": training_prevalence(bundle, settings, cases),
        "seed": settings.seed,
        "members": settings.members,
        "arms": list(settings.arms),
        "hyperparameters": hyperparameters(bundle, settings),
        "validation_auc": {arm: [validation_auc(stage) for stage in folders] for arm, folders in stages.items()},
    }


def training_prevalence(bundle: Path, settings: TrainingSettings, cases: Sequence[Case]) -> float:
    """Share of positives among the training's draws: what the probabilities of an unweighted loss are calibrated at.

    Args:
        bundle: the bundle that is trained; it may balance the classes.
        settings: of the run.
        cases: labelled, before the positives are thinned.

    Returns:
        In [0, 1]; the split of a member, stratified by patient, may differ a little.
    """
    if _parser(bundle, settings).get("balanced", False):
        return 0.5
    if settings.class_ratio is not None:
        cases = thin_positives(cases, parse_class_ratio(settings.class_ratio), seed=settings.seed)
    return sum(case.label == 1 for case in cases) / len(cases)


def hyperparameters(bundle: Path, settings: TrainingSettings) -> dict[str, float | str]:
    """The values in force, whether they were given or are the bundle's own: those of the loss, then of ALM.

    Args:
        bundle: the bundle that is trained.
        settings: of the run.
    """
    parser = _parser(bundle, settings)
    own = own_parameter(settings.loss)
    told = {} if own is None else {own: named(parser[f"base_loss::{own}"])}
    return told | ({name: parser[key] for name, key in CONSTRAINT.items()} if settings.alm else {})


def _parser(bundle: Path, settings: TrainingSettings) -> ConfigParser:
    """The bundle's configs with what the run chose."""
    parser = ConfigParser(config=ConfigParser.load_config_files([str(path) for path in config_files(bundle, settings)]))
    parser.update({"base_loss": dict(BASE_LOSSES[settings.loss]), **settings.overrides})
    return parser


def validation_auc(stage: Path) -> float:
    """The validation AUC of a finished stage's weights.

    Args:
        stage: its folder, with `result.json`.
    """
    result = json.loads((stage / RESULT).read_text(encoding="utf-8"))
    best = next((row for row in result["history"] if row["epoch"] == result["best_epoch"]), {})
    return float(best.get("val_auc", result["best_metric"]))
