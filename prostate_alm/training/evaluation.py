"""What a finished run says of a cohort: the logits of every arm, and a locked threshold from calibration cases."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from prostate_alm.bundle import Predictor
from prostate_alm.cohort import Cohort
from prostate_alm.errors import RefusedError, UsageError
from prostate_alm.files import output_folder
from prostate_alm.operating_point import Threshold, certify
from prostate_alm.training.stages import ARMS


def predict_arms(
    model: Path | str,
    cohort: Cohort,
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[dict[str, Any]]:
    """Logits of every labelled case by every arm that the model holds.

    Args:
        model: a run or a bundle.
        cohort: labelled cases.
        device: a torch device.
        progress: called with (cases done, cases in all).

    Returns:
        Rows `case_id`, `label`, `arm`, `logit`, the arms in the order base, continued, alm.

    Raises:
        UsageError: if the cohort has a case without a label.
        ModelError: if the model does not fit.
    """
    require_labels(cohort)
    main = Predictor.load(model, device)
    found = {main.arm: main} | {arm: Predictor.load(model, device, arm) for arm in main.other_arms}
    predictors = {arm: found[arm] for arm in ARMS if arm in found}
    logits: dict[str, list[float]] = {arm: [] for arm in predictors}
    for count, case in enumerate(cohort.data(), start=1):
        image = main.image(case)
        for arm, predictor in predictors.items():
            logits[arm].append(predictor.logit(image))
        progress(count, len(cohort.cases))
    return [
        {"case_id": case.case_id, "label": case.label, "arm": arm, "logit": logit}
        for arm, values in logits.items()
        for case, logit in zip(cohort.cases, values, strict=True)
    ]


def calibrate(model: Path | str, cohort: Cohort, *, fn_rate: float, risk: float, device: str = "cpu") -> Threshold:
    """The locked threshold whose false-negative rate is at most `fn_rate` with confidence 1 - `risk`.

    Args:
        model: a run or a bundle.
        cohort: calibration cases, none of whose patients the model was trained on.
        fn_rate: largest share of positives that may be missed, in (0, 1).
        risk: probability that the promise fails, in (0, 1).
        device: a torch device.

    Raises:
        RefusedError: if a patient is shared with training, or there are too few positives for the promise.

    Reference:
        Tong, Feng & Li 2018, Neyman-Pearson classification algorithms and NP receiver operating characteristics.
    """
    require_labels(cohort)
    predictor = Predictor.load(model, device)
    refuse_shared_patients(predictor, cohort, None)
    positives = [case for case in cohort.data() if case["label"] == 1]
    certify([0.0] * len(positives), fn_rate=fn_rate, risk=risk)  # too few are refused before hours of inference
    threshold = certify(
        [predictor.logit(predictor.image(case)) for case in positives],
        fn_rate=fn_rate,
        risk=risk,
        model_sha256=predictor.sha256,
        cohort_sha256=cohort.digest(),
    )
    return replace(threshold, patients=tuple(sorted(cohort.patients)), notice=predictor.notice)


def refuse_shared_patients(predictor: Predictor, cohort: Cohort, threshold: Threshold | None) -> None:
    """A figure is honest only on patients that neither training nor calibration has seen.

    Raises:
        RefusedError: if the cohort shares a patient with either, or the model does not say on whom it was trained.
    """
    trained = predictor.trained_patients
    if trained is None:
        raise RefusedError(f"model {predictor.name} does not say on whom it was trained: train it again to measure it")
    for what, patients in (("training", trained), ("calibration", frozenset(threshold.patients if threshold else ()))):
        if shared := patients & cohort.patients:
            raise RefusedError(f"{len(shared)} patients of cohort {cohort.folder} were used in {what}: take others")


def save_threshold(threshold: Threshold, path: Path | str) -> Path:
    """Write a locked threshold whole, making its folder if need be."""
    output_folder(Path(path).parent)
    return threshold.save(path)


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
