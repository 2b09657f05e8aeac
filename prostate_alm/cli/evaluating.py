"""From a run and a cohort to the report, for `evaluate` and `demo`."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from prostate_alm.cli import console

if TYPE_CHECKING:
    from prostate_alm.bundle import Predictor
    from prostate_alm.cohort import Case, Cohort
    from prostate_alm.operating_point import Threshold
    from prostate_alm.report import CaseFacts, Evaluated, Report


@dataclass(frozen=True)
class Measurement:
    """On what and how runs are measured.

    Args:
        cohort: folder of the labelled cohort.
        threshold: file of a locked threshold; None takes the model's own, if it has one.
        device: a torch device.
        class_ratio: that the test positives are thinned to, or `natural`; None is that of the run's training.
    """

    cohort: Path
    threshold: Path | None = None
    device: str = "cpu"
    class_ratio: str | None = None


def evaluate_all(model: Path, out: Path, asked: Measurement) -> Iterator[tuple[Path, list[str]]]:
    """Evaluate a run or a bundle, or every run below a folder such as a search's, each in a folder of its own.

    Raises:
        UsageError: if a threshold is given for several runs: it belongs to one.

    Yields:
        What `evaluate_run` returns, with the run's name before each line if there are several.
    """
    from prostate_alm.errors import UsageError
    from prostate_alm.training import find_runs, one_thread

    if not any((model / part).is_dir() for part in ("bundle", "configs")):
        runs = find_runs(model)
        if asked.threshold is not None:
            raise UsageError(f"a threshold is locked for one model, and {model} holds {len(runs)}: evaluate that one")
        with TemporaryDirectory(prefix="prostate-alm-") as cache, one_thread():  # many small passes
            for run in runs:
                name = run.relative_to(model)
                report, lines = evaluate_run(run, out / name, asked, Path(cache))
                yield report, [f"{name}: {line}" for line in lines]
        return
    yield evaluate_run(model, out, asked)


def evaluate_run(run: Path, out: Path, asked: Measurement, cache: Path | None = None) -> tuple[Path, list[str]]:
    """Write predictions.csv, metrics.json, report.html, report.pdf and evaluation.json.

    Args:
        run: a run or a bundle.
        out: folder for the files.
        asked: on what and how.
        cache: where preprocessed cases are kept, for one of many runs; it gets neither pictures nor a PDF.

    Returns:
        The report's path, and what to print: AUC, FPR@0FN and FPR@1FN of every arm.
    """
    from prostate_alm.files import output_folder
    from prostate_alm.report import write_report
    from prostate_alm.report.comparison import discard_record, write_record
    from prostate_alm.report.write import PAGE
    from prostate_alm.training import predict_arms

    trial = _trial(run, asked)
    output_folder(out)
    with console.progress("scoring studies") as advance:
        rows = predict_arms(run, trial.cohort, device=asked.device, cache=cache, progress=advance)
    digest = trial.cohort.digest()
    discard_record(out)  # an earlier one must not stand beside other predictions if this ends half-way
    report = write_report(out, replace(_evaluated(trial, digest), predictions=rows, pictured=cache is None))
    predictor = trial.predictor
    model = {"name": predictor.name, "version": predictor.version, "sha256": predictor.sha256}
    write_record(out, trial.facts, cohort=digest, tested=trial.tested, notice=predictor.notice, model=model)
    return out / PAGE, _lines(report, trial.thinned)


@dataclass(frozen=True)
class _Trial:
    """A model and the cases that it is tried on, checked: labelled, and of no patient that it knows."""

    predictor: "Predictor"
    threshold: "Threshold | None"
    facts: dict[str, Any]
    whole: "Cohort"
    cohort: "Cohort"
    tested: str

    @property
    def thinned(self) -> str:
        """What was left out of the test cases; empty if nothing was."""
        count = len(self.whole.cases)
        left = count - len(self.cohort.cases)
        return f"test positives thinned to {self.tested}, seeded: {left} of {count} studies left out" if left else ""


def _trial(run: Path, asked: Measurement) -> _Trial:
    from prostate_alm.bundle import Predictor
    from prostate_alm.cohort import Cohort
    from prostate_alm.training import at_class_ratio, facts_of, refuse_shared_patients, require_labels

    whole = Cohort.load(asked.cohort)
    require_labels(whole)
    predictor = Predictor.load(run, asked.device)
    threshold = locked_threshold(asked.threshold, predictor)
    refuse_shared_patients(predictor, whole, threshold)
    facts = facts_of(predictor)
    cohort, tested = at_class_ratio(whole, facts, asked.class_ratio)
    return _Trial(predictor, threshold, facts, whole, cohort, tested)


def _evaluated(trial: _Trial, digest: str) -> "Evaluated":
    """All that is handed over to the report, but for the predictions."""
    from prostate_alm.report import Evaluated
    from prostate_alm.report.flow import read_flow

    predictor, thinned = trial.predictor, trial.thinned
    return Evaluated(
        (),
        main_arm=predictor.arm,
        threshold=trial.threshold,
        notice=predictor.notice,
        provenance=_provenance(predictor, trial.cohort, digest) | ({"Class ratio": thinned} if thinned else {}),
        cases=_case_facts(trial.cohort),
        training_prevalence=trial.facts.get("prevalence"),
        training=trial.facts,
        flow=read_flow(trial.whole, trial.cohort),
    )


def _lines(report: "Report", thinned: str) -> list[str]:
    lines = [
        f"{summary.arm}: {figure}"
        for summary in report.summaries
        for figure in (summary.auc, summary.fpr_at_0fn, summary.fpr_at_1fn)
    ]
    lines += [thinned] if thinned else []
    return lines + ([f"warning: {report.evaluated.notice}"] if report.evaluated.notice else [])


def _case_facts(cohort: "Cohort") -> "dict[str, CaseFacts]":
    """Of every case the subgroups that its study states, and its volumes."""
    from prostate_alm.report import CaseFacts

    def stated(case: "Case") -> dict[str, str | None]:
        field = case.scanner.get("field_strength_t")
        return {
            "Vendor": case.scanner.get("vendor"),
            "Field strength": None if field is None else f"{field:g} T",
            "b-values": "harmonised" if case.harmonised else "as acquired",
        } | {f"{name[:1].upper()}{name[1:]}": value for name, value in case.groups.items()}

    return {
        case.case_id: CaseFacts(stated(case), {name: cohort.folder / path for name, path in case.images.items()})
        for case in cohort.cases
    }


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


def _provenance(predictor: "Predictor", cohort: "Cohort", digest: str) -> dict[str, str]:
    labels = [case.label for case in cohort.cases]
    return {
        "Model": f"{predictor.name}, version {predictor.version}",
        "Model SHA-256": predictor.sha256,
        "Cohort": f"{len(labels)} studies: {labels.count(1)} positive, {labels.count(0)} negative",
        "Cohort SHA-256": digest,
        "Harmonised studies": str(sum(case.harmonised for case in cohort.cases)),
        "Software": ", ".join(f"{name} {version}" for name, version in predictor.software.items()),
    }
