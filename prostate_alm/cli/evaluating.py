"""From a run and a cohort to the report, for `evaluate` and `demo`."""

from pathlib import Path
from typing import TYPE_CHECKING

from prostate_alm.cli import console

if TYPE_CHECKING:
    from prostate_alm.bundle import Predictor
    from prostate_alm.cohort import Cohort
    from prostate_alm.operating_point import Threshold


def evaluate_run(
    run: Path, cohort_folder: Path, out: Path, threshold_file: Path | None, device: str
) -> tuple[Path, list[str]]:
    """Write predictions.csv, metrics.json and report.html.

    Returns:
        The report's path, and what to print: AUC, FPR@0FN and FPR@1FN of every arm.
    """
    from prostate_alm.bundle import Predictor
    from prostate_alm.cohort import Cohort
    from prostate_alm.files import output_folder
    from prostate_alm.report import summarise, write_report
    from prostate_alm.training import predict_arms, refuse_shared_patients, require_labels

    cohort = Cohort.load(cohort_folder)
    require_labels(cohort)
    predictor = Predictor.load(run, device)
    threshold = locked_threshold(threshold_file, predictor)
    refuse_shared_patients(predictor, cohort, threshold)
    output_folder(out)
    with console.progress("scoring studies") as advance:
        rows = predict_arms(run, cohort, device=device, progress=advance)
    report = write_report(
        out,
        rows,
        notice=predictor.notice,
        threshold=threshold,
        provenance=_provenance(predictor, cohort),
        main_arm=predictor.arm,
    )
    lines = [
        f"{summary.arm}: {figure}"
        for summary in summarise(rows, threshold=threshold, main_arm=predictor.arm)
        for figure in (summary.auc, summary.fpr_at_0fn, summary.fpr_at_1fn)
    ]
    if predictor.notice:
        lines.append(f"warning: {predictor.notice}")
    return report, lines


def locked_threshold(path: Path | None, predictor: "Predictor") -> "Threshold | None":
    """The threshold given, or the model's own, or None; made for this very model.

    Raises:
        IntegrityError: if it was made for another model.
    """
    from prostate_alm.errors import IntegrityError
    from prostate_alm.operating_point import Threshold

    if path is None and not predictor.threshold_file.is_file():
        return None
    threshold = Threshold.load(predictor.threshold_file if path is None else path)
    if threshold.model_sha256 != predictor.sha256:
        raise IntegrityError(f"the threshold was locked for another model than {predictor.name}: calibrate this one")
    return threshold


def _provenance(predictor: "Predictor", cohort: "Cohort") -> dict[str, str]:
    labels = [case.label for case in cohort.cases]
    return {
        "Model": f"{predictor.name}, version {predictor.version}",
        "Model SHA-256": predictor.sha256,
        "Cohort": f"{len(labels)} studies: {labels.count(1)} positive, {labels.count(0)} negative",
        "Cohort SHA-256": cohort.digest(),
        "Harmonised studies": str(sum(case.harmonised for case in cohort.cases)),
        "Software": ", ".join(f"{name} {version}" for name, version in predictor.software.items()),
    }
