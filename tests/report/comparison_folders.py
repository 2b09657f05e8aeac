"""Evaluations on disk, with scores that a test gives."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prostate_alm.operating_point import Threshold
from prostate_alm.report import summarise
from prostate_alm.report.comparison import write_record
from prostate_alm.report.write import write_figures

LABELS = (1, 1, 0, 0, 0, 0)
GOOD = (3.0, 1.5, 2.0, 1.0, 0.0, -1.0)
"""The positive 3.0 is above all four negatives, 1.5 above three: AUC 7/8, FPR@0FN 1/4, FPR@1FN 0."""
POOR = (2.0, -2.0, 1.5, 1.0, 0.0, -1.0)
"""The positive 2.0 is above all, -2.0 above none: AUC 4/8, FPR@0FN 1, FPR@1FN 0."""


def evaluation(
    folder: Path,
    loss: str = "bce",
    arms: Mapping[str, Sequence[float]] | None = None,
    *,
    labels: Sequence[int] = LABELS,
    tested: str | None = None,
    cohort: str = "c",
    threshold: Threshold | None = None,
    notice: str = "",
    **facts: Any,
) -> Path:
    """What `compare` reads of what `evaluate` writes; an arm's two members are its logits and their reverse."""
    given = {"base": POOR, "continued": POOR, "alm": GOOD} if arms is None else arms
    rows = [
        {"case_id": f"c{place}", "label": label, "arm": arm, "logit": logit, "members": (logit, -logit)}
        for arm, logits in given.items()
        for place, (label, logit) in enumerate(zip(labels, logits, strict=True))
    ]
    told = {
        "loss": loss,
        "class_ratio": None,
        "members": 2,
        "hyperparameters": {"margin": 0.5, "mu": 0.2, "rho": 3.0, "delta": 1.5},
        "validation_auc": {arm: [0.7, 0.8] for arm in given},
    } | facts
    folder.mkdir(parents=True)
    write_figures(folder, summarise(rows, threshold=threshold, main_arm=list(given)[-1]), notice)
    ratio = tested or told["class_ratio"] or "natural"
    write_record(
        folder, told, cohort=cohort, tested=ratio, notice=notice, model={"name": "m", "version": "1", "sha256": "0"}
    )
    return folder
