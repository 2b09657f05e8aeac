"""From trained members to a bundle that stands alone: ensemble weights, settings, ranges and hashes."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle.config_parser import ConfigParser

from prostate_alm.bundle import Predictor, write_hashes
from prostate_alm.cohort import Case, Cohort
from prostate_alm.files import sha256, write_json, write_text
from prostate_alm.losses import BASE_LOSSES
from prostate_alm.studies import ACQUIRED, protocol_of
from prostate_alm.training.checkpoint import WEIGHTS
from prostate_alm.training.data import CaseDataset
from prostate_alm.training.facts import training_facts
from prostate_alm.training.settings import BASE_ONLY, TrainingSettings
from prostate_alm.training.tensors import save_tensors
from prostate_alm.transforms import image_features

SHARED = ("spacing_mm", "spatial_shape", "member_def", "inferer", "preprocessing")
"""Config ids that training and inference have in common; a run's inference takes them from its training."""

DEMO_NOTICE = "demo weights, trained on synthetic phantoms: not for any clinical use"
PHANTOM_MODEL = "prostate_alm phantom"


def assemble(run: Path, bundle: Path, cohort: Cohort, settings: TrainingSettings, cache: Path | None = None) -> Path:
    """Make `RUN/bundle`: a bundle whose inference is what the members were trained with.

    Args:
        run: the run's folder, with `members/NN/ARM/model.pt`.
        bundle: the bundle that was trained.
        cohort: the training cohort, for the ranges of the out-of-distribution check.
        settings: of the training; the last of its arms gives `model.pt`, the others `model_ARM.pt`.
        cache: where the training kept preprocessed cases; None preprocesses anew.

    Returns:
        The folder, which appears whole.
    """
    folder, part = run / "bundle", run / ".bundle.part"
    arms, members = settings.arms, range(settings.members)
    if folder.is_dir():
        return folder
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(bundle, part, ignore=shutil.ignore_patterns("models", "docs", "eval", "hashes.json"))
    (part / "models").mkdir()
    for arm in arms:
        weights = join_members([run / "members" / f"{member:02d}" / arm / WEIGHTS for member in members])
        save_tensors(part / "models" / ("model.pt" if arm == arms[-1] else f"model_{arm}.pt"), weights)
    _write_inference(part, settings)
    _write_metadata(part, cohort.cases, training_facts(run, bundle, settings, cohort.cases))
    predictor = Predictor(part, part / "models" / "model.pt")
    write_json(part / "models" / "training_ranges.json", training_ranges(cohort, predictor, cache=cache))
    write_json(part / "models" / "patients.json", sorted(cohort.patients))
    write_hashes(part)
    part.rename(folder)
    return folder


def join_members(paths: Sequence[Path]) -> dict[str, torch.Tensor]:
    """The state dict of an `Ensemble` from those of its members."""
    return {
        f"members.{index}.{name}": value
        for index, path in enumerate(paths)
        for name, value in torch.load(path, map_location="cpu", weights_only=True).items()
    }


def _write_inference(folder: Path, settings: TrainingSettings) -> None:
    training = ConfigParser(config=ConfigParser.load_config_file(str(folder / "configs" / "train.json")))
    overrides = {key: value for key, value in settings.overrides.items() if key not in BASE_ONLY}
    training.update({"base_loss": dict(BASE_LOSSES[settings.loss]), **overrides})
    path = folder / "configs" / "inference.json"
    inference = json.loads(path.read_text(encoding="utf-8"))
    inference |= {name: training[name] for name in SHARED} | {"members": settings.members}
    write_json(path, inference)


def _write_metadata(folder: Path, cases: Sequence[Case], facts: Mapping[str, Any]) -> None:
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    synthetic = any(case.scanner.get("model") == PHANTOM_MODEL for case in cases)
    version = f"{metadata['version'].partition('+')[0]}+{sha256(folder / 'models' / 'model.pt')[:8]}"
    metadata["version"] = version
    metadata["changelog"] = {version: "trained by 'prostate-alm train'"}
    metadata["weights"] = DEMO_NOTICE if synthetic else ""
    metadata["arm"] = facts["arms"][-1]
    metadata["training"] = facts
    metadata["data_source"] = f"{len(cases)} studies{', synthetic phantoms among them' if synthetic else ''}"
    metadata["eval_metrics"] = {}
    inference = json.loads((folder / "configs" / "inference.json").read_text(encoding="utf-8"))
    metadata["network_data_format"]["inputs"]["image"]["spatial_shape"] = inference["spatial_shape"]
    write_json(path, metadata)
    (folder / "docs").mkdir()
    write_text(folder / "docs" / "README.md", _readme(metadata))


def _readme(metadata: Mapping[str, Any]) -> str:
    warning = f"**{metadata['weights']}**\n\n" if metadata["weights"] else ""
    return (
        f"# {metadata['name']}\n\n{metadata['description']}\n\n"
        f"**Research software, not a medical device.**\n\n{warning}"
        f"Version {metadata['version']}, trained on {metadata['data_source']}. `models/model.pt` is the ensemble of "
        f"the arm {metadata['arm']}; the other arms are kept for comparison. `models/patients.json` holds salted keys "
        "of the patients it was trained on.\n"
    )


def training_ranges(
    cohort: Cohort, predictor: Predictor, widen: float = 0.25, cache: Path | None = None
) -> dict[str, Any]:
    """What the training cohort looked like, for the out-of-distribution check before a decision.

    Args:
        cohort: the training cohort.
        predictor: gives the preprocessing.
        widen: share of a feature's range that is added on either side.
        cache: where the training kept preprocessed cases; None preprocesses anew.

    Returns:
        `vendors`, `models`, `field_strengths_t`, `features`: name -> [low, high] (widened), `acquisition`: name ->
        [lowest, highest] as it was, and `protocols`: which b-values were acquired or computed. The last two are empty
        if an earlier version prepared the cohort.
    """
    images = CaseDataset(cohort.data(), predictor.preprocessing, cache_dir=cache)
    rows = [image_features(images[place]["image"]) for place in range(len(images))]
    features: dict[str, list[float]] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row[name] for row in rows if name in row]
        low, high = min(values), max(values)
        margin = widen * (high - low)
        features[name] = [low - margin, high + margin]
    scanners = [case.scanner for case in cohort.cases]
    return {
        "vendors": _distinct(scanners, "vendor"),
        "models": _distinct(scanners, "model"),
        "field_strengths_t": _distinct(scanners, "field_strength_t"),
        "features": features,
        "acquisition": _acquired_ranges([case.acquisition for case in cohort.cases]),
        "protocols": sorted(
            {protocol_of(case.acquisition, case.harmonised) for case in cohort.cases if case.acquisition}
        ),
    }


def _acquired_ranges(acquisitions: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    stated = {name: [each[name] for each in acquisitions if each.get(name) is not None] for name in ACQUIRED}
    return {name: [min(values), max(values)] for name, values in stated.items() if values}


def _distinct(scanners: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    return sorted({scanner[name] for scanner in scanners if scanner.get(name) is not None})
