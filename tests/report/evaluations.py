"""Evaluations to report: the clinical study's table, three arms, and whatever a DICOM header may hold."""

from typing import Any

import numpy as np

from prostate_alm.operating_point import Threshold
from prostate_alm.report import CaseFacts, Evaluated, Prediction

THRESHOLD = Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256="a" * 64, cohort_sha256="b" * 64)
NOTICE = "demo weights, trained on synthetic phantoms: not for any clinical use"


def clinical_study(true_positives: int = 34, true_negatives: int = 44) -> list[Prediction]:
    """The table of the clinical study at threshold 0, 36 positives and 64 negatives; by default that of the CNN."""
    counts = [true_positives, 36 - true_positives, true_negatives, 64 - true_negatives]
    logits = np.repeat([1.0, -1.0, -1.0, 1.0], counts) + np.linspace(0, 0.5, 100)
    labels = np.repeat([1, 1, 0, 0], counts)
    return [Prediction(f"case{i:03}", int(labels[i]), "alm", float(logits[i])) for i in range(100)]


def three_arms(n1: int = 12, n0: int = 20, seed: int = 2) -> list[Prediction]:
    """Base, continued and ALM on the same cases; some scores tie, within a class and across."""
    generator = np.random.default_rng(seed)
    labels = np.repeat([1, 0], [n1, n0])
    return [
        Prediction(f"case{i:03}", int(labels[i]), arm, round(float(gain * labels[i] + generator.normal()), 1))
        for arm, gain in (("base", 1.0), ("continued", 1.0), ("alm", 2.0))
        for i in range(n1 + n0)
    ]


def evaluated(predictions: Any = None, **changes: Any) -> Evaluated:
    """Three arms without pictures or PDF, unless told otherwise."""
    return Evaluated(**{"predictions": predictions or three_arms(), "pictured": False} | changes)


def grouped(predictions: list[Prediction], **values: list[str | None]) -> dict[str, CaseFacts]:
    """Facts of all cases: each grouping's values come in turns."""
    ids = sorted({row.case_id for row in predictions})
    return {
        case_id: CaseFacts({name: turns[place % len(turns)] for name, turns in values.items()})
        for place, case_id in enumerate(ids)
    }
