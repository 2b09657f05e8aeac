"""Out of distribution: what in a study lies outside what the model was trained on."""

import math
from collections.abc import Mapping
from typing import Any

from prostate_alm.studies import ACQUIRED, protocol_of

FIELD_STRENGTH_TOLERANCE_T = 0.15  # scanners sold as 3 T state 2.89 to 3.0
TOLERANCES = {"spacing": 0.10, "extent": 0.20, "slices": 0.20, "echo_time": 0.15, "repetition_time": 0.25}
"""Share by which a figure may pass the ends of what the training cohort held: a repetition time hangs on the number of
slices, a coverage on the patient, but a pixel is planned."""
NEVER_LESS = ("slices", "extent_z")
"""Figures that may not fall below the training cohort's: a study that lost its last slices looks like a shorter one."""
RECORDED = ("vendors", "models", "field_strengths_t", "features", "acquisition", "protocols")
"""What a model must record of its training cohort."""


def out_of_distribution(
    scanner: Mapping[str, Any],
    features: Mapping[str, float] | None,
    training_ranges: Mapping[str, Any] | None,
    acquisition: Mapping[str, Any],
    harmonised: bool = False,
) -> list[str]:
    """Reasons why the study is not like the training cohort; empty if it is.

    Args:
        scanner: `vendor`, `model`, `field_strength_t` as the study states them.
        features: intensity features of the preprocessed image (`transforms.image_features`); None if there is no image.
        training_ranges: `RECORDED` of the training cohort (`training.assemble.training_ranges`); None if the model
            records none. What is missing there is a reason in itself.
        acquisition: geometry, timing and b-values of the study, as `StudyReading.acquisition`.
        harmonised: True if b-values were computed by the fit.

    Example:
        >>> stated = dict.fromkeys(ACQUIRED, 3.0) | {"b_values": [100, 600, 1000]}
        >>> ranges = {"vendors": ["A"], "models": ["M"], "field_strengths_t": [3.0], "features": {"t2w_p50": [0, 1]}}
        >>> ranges |= {"acquisition": dict.fromkeys(ACQUIRED, [3, 4]), "protocols": ["b 100, 600, 1000 as acquired"]}
        >>> scanner = {"vendor": "B", "model": "m", "field_strength_t": 2.9}
        >>> out_of_distribution(scanner, {"t2w_p50": 0.5}, ranges, stated)
        ["vendor 'B' is not in the training cohort (A)"]
    """
    if training_ranges is None:
        return ["the model records no training ranges"]
    if missing := [name for name in RECORDED if name not in training_ranges]:
        return [f"the model's training ranges lack {', '.join(missing)}"]
    reasons = [
        *_unknown_name("vendor", scanner.get("vendor"), training_ranges["vendors"]),
        *_unknown_name("scanner model", scanner.get("model"), training_ranges["models"]),
        *_unknown_field(scanner.get("field_strength_t"), training_ranges["field_strengths_t"]),
    ]
    whole = features is not None
    reasons += _acquired_otherwise(acquisition, training_ranges["acquisition"], whole)
    if features is not None:
        reasons += _unknown_protocol(protocol_of(acquisition, harmonised), training_ranges["protocols"])
        reasons += _outside(features, training_ranges["features"])
    return reasons


def _unknown_name(what: str, found: Any, known: list[str]) -> list[str]:
    if not found:
        return [f"the study does not state its {what}"]
    if _folded(found) in {_folded(name) for name in known}:
        return []
    return [f"{what} {str(found)[:64]!r} is not in the training cohort ({_listed(known)})"]


def _unknown_field(found: Any, known: list[float]) -> list[str]:
    if found is None:
        return ["the study does not state its field strength"]
    if any(abs(float(found) - float(strength)) <= FIELD_STRENGTH_TOLERANCE_T for strength in known):
        return []
    return [f"field strength {float(found):g} T is not in the training cohort ({_listed(known)} T)"]


def _unknown_protocol(found: str, known: list[str]) -> list[str]:
    return [] if found in known else [f"{found}: not in the training cohort ({'; '.join(known) or 'none recorded'})"]


def _acquired_otherwise(acquisition: Mapping[str, Any], ranges: Mapping[str, Any], whole: bool) -> list[str]:
    """Geometry and timing against the cohort's; of a study that is not `whole` only what is known counts."""
    if lacking := [name for name in ACQUIRED if name not in ranges]:
        return [f"the model's training ranges lack {', '.join(lacking[:3])}{', ...' if len(lacking) > 3 else ''}"]
    reasons = []
    for name in ACQUIRED:
        value = acquisition.get(name)
        if value is None:
            reasons += [f"the study does not state its {name}"] if whole else []
            continue
        low, high = (float(end) for end in ranges[name])
        tolerance = next(share for kind, share in TOLERANCES.items() if kind in name)
        below = 0.0 if any(kind in name for kind in NEVER_LESS) else tolerance
        if not low * (1 - below) <= float(value) <= high * (1 + tolerance):  # also true for NaN
            reasons.append(
                f"{name} = {float(value):.4g} is outside the training range [{low:.4g}, {high:.4g}] "
                f"with its tolerance of {tolerance:.0%}{'' if below else ' upwards'}"
            )
    return reasons


def _outside(features: Mapping[str, float], ranges: Mapping[str, Any]) -> list[str]:
    if not ranges:
        return ["the model's training ranges hold no intensity feature"]
    reasons = []
    for name, (low, high) in ranges.items():
        value = features.get(name, math.nan)
        if not low <= value <= high:  # also true for NaN
            reasons.append(f"{name} = {value:.4g} is outside the training range [{low:.4g}, {high:.4g}]")
    return reasons


def _folded(name: Any) -> str:
    return " ".join(str(name).casefold().split())


def _listed(known: list[Any]) -> str:
    return ", ".join(str(name) for name in known) or "none"
