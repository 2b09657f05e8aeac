"""Where a report comes from, as rows of names and text: its inputs with their hashes, and the model's training."""

from collections.abc import Mapping
from typing import Any

from prostate_alm import __version__
from prostate_alm.report import wording
from prostate_alm.report.content import Report


def provenance_rows(report: Report) -> list[tuple[str, str]]:
    """Cases, what the evaluation said of its inputs, the threshold, the software.

    Args:
        report: computed.

    Example:
        >>> from prostate_alm.report.build import report_of
        >>> from prostate_alm.report.content import Evaluated
        >>> provenance_rows(report_of(Evaluated([("a", 1, "alm", 2.0)], provenance={"seed": 3})))[:2]
        [('cases', '1: 1 positive, 0 negative'), ('seed', '3')]
    """
    threshold = report.evaluated.threshold
    cases = f"{report.n1 + report.n0}: {report.n1} positive, {report.n0} negative"
    rows = [("cases", cases), *wording.flat(report.evaluated.provenance)]
    if threshold is not None:
        rank = f"rank {threshold.rank} of {threshold.n1} calibration positives"
        rows += [
            ("threshold", f"{threshold.value} logits, {threshold.kind}, {rank}"),
            ("threshold: model sha256", threshold.model_sha256 or "not recorded"),
            ("threshold: cohort sha256", threshold.cohort_sha256 or "not recorded"),
        ]
    return [*rows, ("report made by", f"prostate-alm {__version__}")]


def training_rows(report: Report) -> list[tuple[str, str]]:
    """What the model says of its training, as names and text; numbers with four digits.

    Args:
        report: computed.

    Example:
        >>> from prostate_alm.report.build import report_of
        >>> from prostate_alm.report.content import Evaluated
        >>> told = {"class_ratio": None, "hyperparameters": {"mu": 0.123456}}
        >>> training_rows(report_of(Evaluated([("a", 1, "alm", 2.0)], training=told)))
        [('class ratio', "the cohort's own"), ('hyperparameters: mu', '0.1235')]
    """
    told = dict(report.evaluated.training)
    if "class_ratio" in told and told["class_ratio"] is None:
        told["class_ratio"] = "the cohort's own"
    return wording.flat(_shortened(told))


def _shortened(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _shortened(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(one) for one in value]
    return f"{value:.4g}" if isinstance(value, float) else value
