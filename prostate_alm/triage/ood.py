"""Out of distribution: what in a study lies outside what the model was trained on."""

import math
from collections.abc import Mapping
from typing import Any

FIELD_STRENGTH_TOLERANCE_T = 0.15  # scanners sold as 3 T state 2.89 to 3.0


def out_of_distribution(
    scanner: Mapping[str, Any], features: Mapping[str, float] | None, training_ranges: Mapping[str, Any] | None
) -> list[str]:
    """Reasons why the study is not like the training cohort; empty if it is.

    Args:
        scanner: `vendor`, `model`, `field_strength_t` as the study states them.
        features: intensity features of the preprocessed image (`transforms.image_features`); None if there is no image.
        training_ranges: `vendors`, `models`, `field_strengths_t` and `features` {name: [low, high]} of the training
            cohort; None if the model records none, which is a reason in itself.

    Example:
        >>> ranges = {"vendors": ["A"], "models": ["M"], "field_strengths_t": [3.0], "features": {"t2w_p50": [0, 1]}}
        >>> out_of_distribution({"vendor": "B", "model": "m", "field_strength_t": 2.9}, {"t2w_p50": 0.5}, ranges)
        ["vendor 'B' is not in the training cohort (A)"]
    """
    if training_ranges is None:
        return ["the model records no training ranges"]
    missing = [name for name in ("vendors", "models", "field_strengths_t", "features") if name not in training_ranges]
    if missing:
        return [f"the model's training ranges lack {', '.join(missing)}"]
    reasons = [
        *_unknown_name("vendor", scanner.get("vendor"), training_ranges["vendors"]),
        *_unknown_name("scanner model", scanner.get("model"), training_ranges["models"]),
        *_unknown_field(scanner.get("field_strength_t"), training_ranges["field_strengths_t"]),
    ]
    if features is not None:
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
