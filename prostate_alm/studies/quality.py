"""Numbers for the QC table: one flat row per reading."""

from typing import Any

import numpy as np

from prostate_alm.studies.reading import REQUIRED, StudyReading
from prostate_alm.studies.volumes import Volume

_PER_STUDY = ("overlap", "lower_end_mm", "upper_end_mm", "signal_ratio")
_FIGURES = ("extent_mm", "not_finite", "blank_slices", "contrast", "saturated", "snr")
_PER_VOLUME = ("shape", "spacing_mm", "p01", "median", "p99", *_FIGURES)
COLUMNS = (
    "study_key", "ready", "reasons", "notes", "label", "vendor", "model", "field_strength_t", "b_values_found",
    "b_sources", "harmonised", "harmonisation_residual", "median_adc_mm2_per_s", *_PER_STUDY,
    *(f"{name}_{figure}" for name in REQUIRED for figure in _PER_VOLUME),
)  # fmt: skip
"""Columns of qc.csv."""


def quality_row(reading: StudyReading) -> dict[str, Any]:
    """The row of one study; figures that do not exist are empty.

    Args:
        reading: ready or not.

    Returns:
        A dict with the keys `COLUMNS` (`label` left empty).
    """
    fit = reading.harmonisation or {}
    tags = {str(source["source_tag"]) for source in reading.sources.values() if source["source_tag"]}
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    row |= {
        "study_key": reading.study_key,
        "ready": int(reading.ready),
        "reasons": "; ".join(reading.problems),
        "notes": "; ".join(reading.notes),
        **{name: "" if value is None else value for name, value in reading.scanner.items()},
        "b_values_found": " ".join(map(str, reading.b_values_found)),
        "b_sources": " ".join(sorted(tags)),
        "harmonised": int(reading.harmonised),
        "harmonisation_residual": _short(fit.get("median_relative_residual")),
        "median_adc_mm2_per_s": _short(fit.get("median_adc_mm2_per_s")),
    }
    row |= {name: _short(value) for name, value in reading.measures.items() if name in row}
    for name in REQUIRED:
        if name in reading.volumes:
            figures = _figures(reading.volumes[name])
            row |= {f"{name}_{figure}": value for figure, value in figures.items()}
    return row


def _figures(volume: Volume) -> dict[str, str]:
    low, middle, high = np.percentile(volume.voxels, (1, 50, 99))
    return {
        "shape": "x".join(map(str, volume.voxels.shape)),
        "spacing_mm": "x".join(f"{length:.3g}" for length in volume.spacing_mm),
        "p01": _short(low),
        "median": _short(middle),
        "p99": _short(high),
    }


def _short(value: Any) -> str:
    return "" if value is None else f"{value:.4g}"
