"""What a finished run says of a cohort: the logits of every arm and member."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from prostate_alm.bundle import Predictor
from prostate_alm.cohort import Cohort, parse_class_ratio, thin_positives
from prostate_alm.errors import ModelError, RefusedError, UsageError
from prostate_alm.operating_point import Threshold
from prostate_alm.training.data import CaseDataset
from prostate_alm.training.stages import ARMS

NATURAL = "natural"
"""The cohort's own class ratio, as it is asked for."""


def predict_arms(
    model: Path | str,
    cohort: Cohort,
    *,
    device: str = "cpu",
    cache: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[dict[str, Any]]:
    """Logits of every labelled case by every arm that the model holds.

    Args:
        model: a run or a bundle.
        cohort: labelled cases.
        device: a torch device.
        cache: where preprocessed cases are kept, for other models with the same preprocessing; None keeps nothing.
        progress: called with (cases done, cases in all).

    Returns:
        Rows `case_id`, `label`, `arm`, `logit` and `members`, the logit of each of the ensemble's members; the arms in
        the order base, continued, alm.

    Raises:
        UsageError: if the cohort has a case without a label.
        ModelError: if the model does not fit.
    """
    require_labels(cohort)
    main = Predictor.load(model, device)
    found = {main.arm: main} | {arm: Predictor.load(model, device, arm) for arm in main.other_arms}
    predictors = {arm: found[arm] for arm in ARMS if arm in found}
    found_logits: dict[str, list[tuple[float, tuple[float, ...]]]] = {arm: [] for arm in predictors}
    images = CaseDataset(cohort.data(), main.preprocessing, cache_dir=cache)
    for place in range(len(images)):
        image = images[place]["image"]
        for arm, predictor in predictors.items():
            found_logits[arm].append(member_logits(predictor, image))
        progress(place + 1, len(cohort.cases))
    return [
        {"case_id": case.case_id, "label": case.label, "arm": arm, "logit": logit, "members": members}
        for arm, values in found_logits.items()
        for case, (logit, members) in zip(cohort.cases, values, strict=True)
    ]


def member_logits(predictor: Predictor, image: Tensor) -> tuple[float, tuple[float, ...]]:
    """The ensemble's logit and those of its members, in one pass."""
    members: list[float] = []
    hooks = [
        member.register_forward_hook(lambda _module, _input, output: members.append(float(output.reshape(()))))
        for member in getattr(predictor.network, "members", ())
    ]
    try:
        return predictor.logit(image), tuple(members)
    finally:
        for hook in hooks:
            hook.remove()


def at_class_ratio(cohort: Cohort, facts: Mapping[str, Any], class_ratio: str | None = None) -> tuple[Cohort, str]:
    """The test cases at the class ratio that a model was trained at: thinned like its training cases, seeded.

    Args:
        cohort: labelled cases.
        facts: of the model's training, see `facts_of`.
        class_ratio: another one, for example `"1:8"`, or `"natural"`, which thins nothing; None takes the model's own.

    Returns:
        The cases that are left, and the ratio in words: `1:8` or `natural`.

    Raises:
        UsageError: if the cohort has too few positives for the ratio.
    """
    wanted = facts.get("class_ratio") if class_ratio is None else class_ratio
    if wanted in (None, NATURAL):
        return cohort, NATURAL
    require_labels(cohort)
    cases = thin_positives(cohort.cases, parse_class_ratio(wanted), seed=facts.get("seed", 0))
    return replace(cohort, cases=cases), wanted


def facts_of(predictor: Predictor) -> dict[str, Any]:
    """What a model says of its training, see `training_facts`; nothing if it does not say."""
    metadata = json.loads((predictor.folder / "configs" / "metadata.json").read_text(encoding="utf-8"))
    return metadata.get("training", {})


def find_runs(folder: Path) -> list[Path]:
    """The finished runs in a folder, such as a search's or one of several runs, in order of their paths.

    The folder itself is none; runs stand in it, or one folder deeper.

    Raises:
        ModelError: if there is none.
    """
    records = [*folder.glob("*/run.json"), *folder.glob("*/*/run.json")]
    found = sorted(path.parent for path in records if (path.parent / "bundle").is_dir())
    if not found:
        raise ModelError(
            f"{folder} is neither a bundle nor a finished run nor a search; give a folder made by 'prostate-alm train'"
        )
    return found


def refuse_shared_patients(predictor: Predictor, cohort: Cohort, threshold: Threshold | None) -> None:
    """A figure is honest only on patients that neither training nor calibration has seen.

    Raises:
        RefusedError: if the cohort shares a patient with either, or one of them does not say on whom it was made.
    """
    trained = predictor.trained_patients
    if trained is None:
        raise RefusedError(f"model {predictor.name} does not say on whom it was trained: train it again to measure it")
    if threshold is not None and not threshold.patients:
        raise RefusedError("the threshold does not say on whom it was calibrated: make it again with 'calibrate'")
    for what, patients in (("training", trained), ("calibration", frozenset(threshold.patients if threshold else ()))):
        if shared := patients & cohort.patients:
            raise RefusedError(f"{len(shared)} patients of cohort {cohort.folder} were used in {what}: take others")


def require_labels(cohort: Cohort) -> None:
    """Figures need labelled cases.

    Raises:
        UsageError: if the cohort has no case, or one without a label.
    """
    if not cohort.cases:
        raise UsageError(f"cohort {cohort.folder} has no case; its qc.csv says why")
    unlabelled = sum(case.label is None for case in cohort.cases)
    if unlabelled:
        raise UsageError(
            f"cohort {cohort.folder}: {unlabelled} of {len(cohort.cases)} cases have no label; "
            "run 'prostate-alm prepare' with --labels"
        )
