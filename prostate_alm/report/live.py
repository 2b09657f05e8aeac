"""What the page's script needs to move the threshold: scores, and the exact intervals of every possible count."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from prostate_alm.metrics._distributions import CONFIDENCE, clopper_pearson, upper_bound
from prostate_alm.report import wording
from prostate_alm.report.content import Report
from prostate_alm.report.plots import overlaid


def live_data(report: Report) -> dict[str, Any] | None:
    """The content of the page's data block; None if a class is missing, and nothing can be moved.

    The script only counts: `exact` holds the Clopper-Pearson interval of each count of either class, `joint` the same
    at sqrt(0.95), whose rectangle holds sensitivity and specificity jointly (see `at_prevalence`), and `bound` the
    one-sided upper bound of each count of misses. `learnt` is the prevalence in training, if it is known: net benefit
    needs it.

    Args:
        report: computed.
    """
    if report.operating is None or report.prevalence is None:
        return None
    n1, n0, joint = report.n1, report.n0, math.sqrt(CONFIDENCE)
    return {
        "cases": report.main.scores.case_ids,
        "labels": [int(label) for label in report.main.scores.labels],
        "arms": [
            {"id": summary.arm, "name": wording.arm_name(summary.arm), "logits": summary.scores.logits.tolist()}
            for summary in overlaid(report)
        ],
        "start": report.operating.threshold,
        "kind": report.operating.kind,
        "degenerate": wording.DEGENERATE,
        "prevalence": report.prevalence,
        "learnt": report.evaluated.training_prevalence,
        "n1": n1,
        "n0": n0,
        "exact": {"n1": _table(n1, clopper_pearson), "n0": _table(n0, clopper_pearson)},
        "joint": {
            "n1": _table(n1, lambda count, total: clopper_pearson(count, total, joint)),
            "n0": _table(n0, lambda count, total: clopper_pearson(count, total, joint)),
        },
        "bound": [upper_bound(count, n1) for count in range(n1 + 1)],
    }


def _table(total: int, interval: Callable[[int, int], tuple[float, float]]) -> Sequence[tuple[float, float]]:
    return [interval(count, total) for count in range(total + 1)]
