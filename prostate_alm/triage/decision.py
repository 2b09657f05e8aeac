"""The decision on one study, and its JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

SCHEMA_VERSION = 1
SERIES = {"t2": "t2w", "b100": "dwi_b100", "b600": "dwi_b600", "b1000": "dwi_b1000"}


class Outcome(StrEnum):
    """What a decision can be; `undecided` is treated as `dce_required`."""

    UNDECIDED = "undecided"
    DCE_REQUIRED = "dce_required"
    DCE_NOT_REQUIRED = "dce_not_required"


def decide(logit: float | None, threshold: float, reasons: Sequence[str]) -> Outcome:
    """The only place where a study can become `dce_not_required`.

    Args:
        logit: the ensemble's mean logit, None if there is none.
        threshold: the locked threshold; a logit at or above it is positive.
        reasons: everything that speaks against deciding.

    Example:
        >>> decide(-3.0, -1.0, []), decide(-3.0, -1.0, ["another vendor"])
        (<Outcome.DCE_NOT_REQUIRED: 'dce_not_required'>, <Outcome.UNDECIDED: 'undecided'>)
    """
    if reasons or logit is None or not math.isfinite(logit) or not math.isfinite(threshold):
        return Outcome.UNDECIDED
    if logit < threshold:
        return Outcome.DCE_NOT_REQUIRED
    return Outcome.DCE_REQUIRED


@dataclass(frozen=True)
class Decision:
    """One study's decision; the outcome follows from logit, threshold and reasons and cannot be set.

    Args:
        study_key: the salted public key.
        logit: None if it could not be computed.
        threshold: `value` and `promise`.
        reasons: why the study is undecided; empty if it is decided.
        series_used: `t2`, `b100`, `b600`, `b1000` -> `description`, `b`, `source_tag`, or None where missing.
        harmonised: True if b-values were computed by the mono-exponential fit.
        harmonisation: the fit's provenance, None if not harmonised.
        qc: what was measured on the way.
        model: `name`, `version`, `sha256` of the weights.
        rules: `fingerprint`, and `changed`: the keys in which the site's rules differ from the defaults.
        software_version: of this package.
        seconds: time per step; `total` is the sum.
        files: names of what was written beside the result.
        notice: the warning that goes with the model, empty if there is none.
        inputs_key: keyed hash of files and settings; None if the study must be tried again.
        settings_key: keyed hash of model, threshold, settings and software.
        place_key: keyed hash of the study's folder.

    Raises:
        ValueError: if the study is undecided without a reason.
    """

    study_key: str
    logit: float | None
    threshold: dict[str, Any]
    reasons: tuple[str, ...]
    series_used: dict[str, Any]
    harmonised: bool
    qc: dict[str, Any]
    model: dict[str, str]
    rules: dict[str, Any]
    software_version: str
    seconds: dict[str, float]
    harmonisation: dict[str, Any] | None = None
    files: tuple[str, ...] = ()
    notice: str = ""
    inputs_key: str | None = None
    settings_key: str | None = None
    place_key: str | None = None
    outcome: Outcome = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "outcome", decide(self.logit, float(self.threshold["value"]), self.reasons))
        if self.outcome is Outcome.UNDECIDED and not self.reasons:
            raise ValueError("an undecided study needs a reason")

    @property
    def treat_as(self) -> Outcome:
        """What to do about it: an undecided study is treated as `dce_required`."""
        return Outcome.DCE_REQUIRED if self.outcome is Outcome.UNDECIDED else self.outcome

    def to_json(self) -> dict[str, Any]:
        """The object that is stored and printed; `notice` and `harmonisation` only where there is one."""
        content = {
            "schema_version": SCHEMA_VERSION,
            "study_key": self.study_key,
            "decision": str(self.outcome),
            "treat_as": str(self.treat_as),
            "logit": self.logit,
            "threshold": self.threshold,
            "reasons": list(self.reasons),
            "series_used": {name: self.series_used.get(name) for name in SERIES},
            "harmonised": self.harmonised,
            "qc": self.qc,
            "model": self.model,
            "rules": self.rules,
            "software_version": self.software_version,
            "seconds": self.seconds,
            "inputs_key": self.inputs_key,
            "settings_key": self.settings_key,
            "place_key": self.place_key,
            "files": list(self.files),
        }
        if self.notice:
            content["notice"] = self.notice
        if self.harmonised:
            content["harmonisation"] = self.harmonisation or {}
        return plain(content)

    @classmethod
    def from_json(cls, content: Any) -> "Decision":
        """Read a stored object back.

        Raises:
            ValueError, KeyError, TypeError: if it is not one, or its decision does not follow from its own figures.
        """
        if not isinstance(content, dict) or content["schema_version"] != SCHEMA_VERSION:
            raise ValueError("not a triage result of this schema version")
        values: dict[str, Any] = {
            name: value for name, value in content.items() if name not in {"schema_version", "decision", "treat_as"}
        }
        if not isinstance(values["reasons"], list) or not all(isinstance(reason, str) for reason in values["reasons"]):
            raise TypeError("reasons must be a list of strings")
        if not isinstance(values["model"]["sha256"], str):
            raise TypeError("the model must have a hash")
        values["reasons"], values["files"] = tuple(values["reasons"]), tuple(values["files"])
        decision = cls(**values)
        if (decision.outcome, decision.treat_as) != (content["decision"], content["treat_as"]):
            raise ValueError("the decision does not follow from logit, threshold and reasons")
        return decision


def plain(value: Any) -> Any:
    """The value in JSON's own types; NaN and infinity become None, since JSON has neither.

    Example:
        >>> plain({"b": (np.float32(1.5), float("nan"))})
        {'b': [1.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int)) else str(value)
