"""What a reader must be told about this very report, in sentences that the page and the PDF share."""

from collections.abc import Iterator

from prostate_alm.figures import Figure
from prostate_alm.metrics._distributions import clopper_pearson
from prostate_alm.operating_point import positives_needed
from prostate_alm.report import wording
from prostate_alm.report.content import CaseFacts, Report

ASSESSED = ("Vendor", "Field strength", "Site", "Age band")
"""Groupings that a reader expects: the report says which of them are unknown."""


def cautions(report: Report) -> list[tuple[str, str]]:
    """What to read before anything is relied on: the point in brief, and what follows.

    Args:
        report: computed.
    """
    promised = report.evaluated.threshold is not None
    told = [("An avoided scan can be a missed patient:", "read both numbers together.")]
    if promised:
        told.append(("A promise is about the population:", "a group can miss more."))
    told += [
        ("Another vendor, protocol or mix of patients", f"breaks figures{' and promise' if promised else ''}."),
        ("Use the prevalence of your site:", "that of the test cases is an accident."),
    ]
    several = same_patients(report)
    return [*told, several] if several else told


def same_patients(report: Report) -> tuple[str, str] | None:
    """That some studies are of one patient; None if none are, or it is unknown."""
    flow = report.evaluated.flow
    if flow is None or flow.patients >= flow.analysed:
        return None
    return (
        f"Some patients have several studies ({flow.analysed} studies, {flow.patients} patients):",
        "intervals treat studies as independent and are too narrow.",
    )


def chosen_here(report: Report) -> str:
    """That nobody is missed by choice alone; empty for a locked threshold."""
    if report.operating is None or report.operating.kind == "locked":
        return ""
    return (
        "Nobody is missed here only because the threshold was chosen on these very cases: expect missed patients "
        "elsewhere."
    )


def few_positives(report: Report) -> str:
    """That missing none of a few says little; empty if there are enough for the weakest usual promise."""
    needed, oracle = positives_needed(0.1, 0.1), report.oracle
    if oracle is None or report.n1 >= needed:
        return ""
    bound = wording.upper_bound(oracle.table.fn_rate)
    cases = "1 positive says" if report.n1 == 1 else f"{report.n1} positives say"
    return f"Only {cases} little: up to {bound} of those who need contrast may be missed."


def against_promise(report: Report) -> str:
    """What these cases say against the threshold's promise; empty if nothing."""
    threshold, table = report.evaluated.threshold, report.main.locked
    if threshold is None or table is None or not table.fn:
        return ""
    bound, missed = f"{threshold.fn_rate:.1%}", f"{table.fn} of {report.n1} missed"
    if clopper_pearson(table.fn, report.n1, 0.9)[0] > threshold.fn_rate:  # each tail has 5%
        return f"{missed}: these cases contradict the promise of at most {bound}. Do not use this threshold here."
    if table.fn / report.n1 > threshold.fn_rate:
        return f"{missed}: more than the promised {bound}; that may be chance."
    return ""


def no_probabilities(report: Report) -> str:
    """Why the scores of this arm are no probabilities."""
    arm, loss = report.main.arm, report.evaluated.training.get("loss")
    told = f" (base loss {loss})" if loss else ""
    if arm == "alm":
        return f"ALM's constraint shifts the scores{told}: these are not probabilities. The decision uses scores alone."
    return (
        f"{wording.arm_name(arm)}{told}: a loss that weighs or ranks the classes does not give probabilities. The "
        "decision uses scores alone."
    )


def miscalibrated(report: Report) -> str:
    """That probabilities and outcomes differ by more than chance; empty if not."""
    shown = report.calibration or report.raw_calibration
    wrong = [*_off("slope", shown.slope, 1), *_off("intercept", shown.intercept, 0)]
    if not wrong:
        return ""
    return (
        f"Miscalibrated: {' and '.join(wrong)}. Do not read these scores as probabilities, nor rely on a cut-off that "
        "is chosen by them."
    )


def not_assessed(report: Report) -> str:
    """The groupings that are unknown for all cases; empty if none."""
    cases = [report.evaluated.cases.get(case_id, CaseFacts()) for case_id in report.main.scores.case_ids]
    unknown = [name for name in ASSESSED if not any(case.groups.get(name) for case in cases)]
    return f"Not assessed: {', '.join(unknown).lower()} (unknown for all cases)." if unknown else ""


def shown_cases(report: Report) -> str:
    """Which cases are pictured, of how many."""
    point = report.operating
    if point is None:
        return ""
    shown = [case.role for case in report.shown]
    missed, needless = len(point.errors.missed), len(point.errors.needless)
    told = [
        _part(shown.count("missed"), missed, "missed", "worst"),
        _part(shown.count("needless"), needless, "given contrast without need", "nearest the threshold"),
    ]
    if not missed:
        lowest = _part(shown.count("lowest positive"), report.n1, "who need contrast", "nearest the threshold")
        told[0] = f"nobody is missed, so {lowest}"
    return "; then ".join(part for part in told if part)


def no_pictures(report: Report) -> str:
    """Why there is no picture at all; empty if there is one, or the reasons differ from case to case."""
    reasons = {case.lacking for case in report.shown}
    if len(reasons) != 1 or "" in reasons:
        return ""
    return f"No pictures: {wording.NO_PICTURES_AT_ALL[reasons.pop()]}."


def _part(shown: int, total: int, who: str, order: str) -> str:
    if not total:
        return ""
    if order == "worst":
        return f"all {total} {who}, worst first" if shown == total else f"the worst {shown} of {total} {who}"
    return f"all {total} {who}, {order} first" if shown == total else f"the {shown} of {total} {who} that lie {order}"


def _off(name: str, figure: Figure, ideal: float) -> Iterator[str]:
    if figure.interval is not None and not figure.interval[0] <= ideal <= figure.interval[1]:
        yield f"the {name}'s interval ({wording.area(figure).interval}) does not hold {ideal}"
