"""What a report knows for its checklists, each fact in a sentence or two; None where it does not know."""

from collections.abc import Callable, Mapping

from prostate_alm import __version__
from prostate_alm.report import remarks, wording
from prostate_alm.report.content import Report
from prostate_alm.report.origin import training_rows

_ALWAYS: Mapping[str, str] = {
    "role": (
        "Reads T2 and DWI and says whether contrast (DCE) is needed. A study that it cannot decide on counts as DCE "
        "required. Research software, not a medical device."
    ),
    "question": "How many needless contrast scans remain when nobody who needs one is missed (FPR at 0 FN).",
    "measures": (
        "AUC; FPR at 0 and 1 false negatives (oracle); sensitivity, specificity, FPR and FN rate at the threshold; "
        "predictive values and scans avoided at a prevalence; calibration; net benefit."
    ),
    "availability": f"Software: prostate-alm {__version__}, Apache-2.0.",
    "audit": "predictions.csv holds every score, metrics.json every figure; triage keeps an audit log chained by hash.",
}

_OF_PREPARED_STUDIES: Mapping[str, str] = {
    "keys": "Studies and patients carry salted keys; no name, birth date, number or path is in any result.",
    "undecided": (
        "The model gives every analysed study a score. A study that lacks T2 or a b-value, or fails a check, is "
        "excluded here; in use it is undecided, which means DCE required."
    ),
    "blind": "The model reads the images alone; it has neither clinical information nor the reference standard.",
}
"""True if the package's own model scored studies that `prepare` read, and of nothing else."""


def facts_of(report: Report) -> Mapping[str, str | None]:
    """All facts by the names that `checklists.yaml` gives them.

    Args:
        report: computed.
    """
    known = report.evaluated.flow is not None and "Model SHA-256" in report.evaluated.provenance
    prepared = {name: fact if known else None for name, fact in _OF_PREPARED_STUDIES.items()}
    return {**_ALWAYS, **prepared, **{name: fact(report) for name, fact in _FACTS.items()}}


def _cohort(report: Report) -> str | None:
    return _provenance(report, "Cohort", "Cohort SHA-256")


def _excluded(report: Report) -> str | None:
    flow = report.evaluated.flow
    if flow is None or flow.read is None:
        return None
    reasons = "; ".join(f"{reason} ({count})" for reason, count in flow.excluded)
    return f"By data: {reasons}." if reasons else "By data: no study was excluded."


def _preprocessing(report: Report) -> str | None:
    if "Model SHA-256" not in report.evaluated.provenance:
        return None
    count = report.evaluated.flow.harmonised if report.evaluated.flow else 0
    harmonised = f" {count} studies have b-values computed by a mono-exponential fit." if count else ""
    return f"Fixed in the model's bundle, in its configuration; the model's SHA-256 covers it.{harmonised}"


def _thinned(report: Report) -> str | None:
    flow = report.evaluated.flow
    if flow is None:
        return None
    if not flow.thinned:
        return "All prepared studies are analysed."
    return f"{flow.thinned} test positives left out at random, seeded, so that the class ratio holds."


def _scanners(report: Report) -> str | None:
    told = [
        f"{grouping.name}: " + ", ".join(f"{group.name} ({group.n1 + group.n0})" for group in grouping.groups)
        for grouping in report.groupings
    ]
    return f"Test cases by {'; '.join(told)}." if told else None


def _devices(report: Report) -> str | None:
    told = [text for text in (_scanners(report), _software(report)) if text]
    return " ".join(told) or None


def _assignment(report: Report) -> str | None:
    if not _trained(report):
        return None
    return "Each ensemble member trains and validates on a seeded split of its own, stratified by class, by patient."


def _disjoint(report: Report) -> str | None:
    if not _trained(report):
        return None
    return "Patients: test cases that share a patient with training or with the threshold's calibration are refused."


def _size(report: Report) -> str:
    return f"Reached: {report.n1} positive and {report.n0} negative cases."


def _model(report: Report) -> str | None:
    return _provenance(report, "Model", "Model SHA-256")


def _software(report: Report) -> str:
    return f"{report.evaluated.provenance.get('Software', f'prostate-alm {__version__}')}."


def _training(report: Report) -> str | None:
    told = [f"{name} {value}" for name, value in training_rows(report) if not name.startswith("validation")]
    return "; ".join(told) + "." if told else None


def _selection(report: Report) -> str | None:
    areas = report.evaluated.training.get("validation_auc", {}).get(report.main.arm)
    if not areas:
        return None
    values = ", ".join(f"{area:.3f}" for area in areas)
    return f"Each member's checkpoint was chosen on its own validation patients; validation AUC {values}."


def _ensemble(report: Report) -> str | None:
    members = len(report.main.scores.members)
    return f"The mean of {members} members' logits; predictions.csv has each member's." if members else None


def _uncertainty(report: Report) -> str:
    pairs = (
        " Arms are compared on the same cases: AUC by paired DeLong, FPR at 0 FN by permutation of ranks, p-values "
        "adjusted by Holm."
        if report.pairs
        else ""
    )
    return (
        "95% intervals: DeLong on the logit scale for the AUC, Clopper-Pearson for rates, exact one-sided bound for "
        f"the FN rate.{pairs}{_same_patients(report)}"
    )


def _same_patients(report: Report) -> str:
    several = remarks.same_patients(report)
    return f" {' '.join(several)}" if several else ""


def _subgroups(report: Report) -> str | None:
    varied = [grouping.name for grouping in report.groupings if grouping.varied]
    if not varied:
        return None
    names = ", ".join(varied)
    return f"Figures by {names}, with exact intervals; suppressed below 5 positives."


def _flow(report: Report) -> str | None:
    flow = report.evaluated.flow
    if flow is None or flow.read is None:
        return None
    excluded = sum(count for _, count in flow.excluded)
    return (
        f"{flow.read} studies read, {excluded} excluded, {flow.prepared} ready, {flow.analysed} analysed "
        f"({flow.positives} positive, {flow.negatives} negative) of {flow.patients} patients."
    )


def _threshold(report: Report) -> str | None:
    point, threshold = report.operating, report.evaluated.threshold
    if point is None:
        return None
    if threshold is None:
        return f"Exploratory: {point.threshold:.3f} logits, read off the test cases themselves (oracle)."
    broken = remarks.against_promise(report)
    promise = f"{threshold.promise}.{broken and f' {broken}'}"
    return f"Prespecified: {point.threshold:.3f} logits, locked on other cases; {promise}"


def _accuracy(report: Report) -> str:
    main, point = report.main, report.operating
    told = [f"AUC {_said(wording.area(main.auc))}", f"FPR at 0 FN {_said(wording.rate(main.fpr_at_0fn))} (oracle)"]
    figures = (point.table.sensitivity, point.table.specificity) if point else ()
    told += [f"{figure.name} {_said(wording.rate(figure))} ({figure.kind} threshold)" for figure in figures]
    return "; ".join(told) + f"; n1 = {report.n1}, n0 = {report.n0}."


def _table(report: Report) -> str | None:
    point = report.operating
    if point is None:
        return None
    table = point.table
    return f"TP {table.tp}, FN {table.fn}, TN {table.tn}, FP {table.fp} at the {point.kind} threshold."


def _failures(report: Report) -> str | None:
    point = report.operating
    if point is None:
        return None
    missed, needless = len(point.errors.missed), len(point.errors.needless)
    shown = sum(bool(case.pictures) for case in report.shown)
    return f"{missed} missed and {needless} needless scans, all listed; {shown} cases shown with pictures."


def _prevalence(report: Report) -> str | None:
    if report.prevalence is None:
        return None
    return f"{report.prevalence:.1%} of the test cases are positive; scans avoided are given at other prevalences too."


def _avoided(report: Report) -> str | None:
    point = report.operating
    if point is None or point.at_prevalence is None:
        return None
    avoided = point.at_prevalence.scans_avoided
    if avoided.value is None:
        return None
    return f"{avoided.value:.1f} of 100 scans avoided at the test cases' prevalence ({avoided.kind} threshold)."


def _limits(report: Report) -> str:
    told = [f"FPR at 0 FN depends on the number of positives ({report.n1}) and cannot be compared between cohorts."]
    if report.evaluated.threshold is None:
        told.append("There is no locked threshold: every figure at a threshold is optimistic.")
    told += [text for text in (remarks.against_promise(report), remarks.few_positives(report)) if text]
    if report.evaluated.notice:
        told.append(f"Warning: {report.evaluated.notice}.")
    return " ".join(told) + _same_patients(report)


_FACTS: Mapping[str, Callable[[Report], str | None]] = {
    "cohort": _cohort,
    "excluded": _excluded,
    "preprocessing": _preprocessing,
    "thinned": _thinned,
    "scanners": _scanners,
    "devices": _devices,
    "assignment": _assignment,
    "disjoint": _disjoint,
    "size": _size,
    "model": _model,
    "software": _software,
    "training": _training,
    "selection": _selection,
    "ensemble": _ensemble,
    "uncertainty": _uncertainty,
    "subgroups": _subgroups,
    "flow": _flow,
    "threshold": _threshold,
    "accuracy": _accuracy,
    "table": _table,
    "failures": _failures,
    "prevalence": _prevalence,
    "avoided": _avoided,
    "limits": _limits,
}


def _provenance(report: Report, *names: str) -> str | None:
    told = [f"{name} {report.evaluated.provenance[name]}" for name in names if name in report.evaluated.provenance]
    return "; ".join(told) + "." if told else None


def _trained(report: Report) -> bool:
    """Whether a trained model that says on whom it was trained stands behind the scores."""
    return bool(report.evaluated.training)


def _said(written: wording.Written) -> str:
    return f"{written.value} ({written.interval})" if written.interval else f"{written.value}: {written.method}"
