"""A decision threshold with a promise: Neyman-Pearson umbrella over held-out calibration positives.

The FN rate of the k-th smallest of n1 exchangeable positive logits is Beta(k, n1 - k + 1). The largest k with
sum_{j<k} C(n1, j) a^j (1 - a)^(n1 - j) <= d keeps the FN rate at most a with confidence 1 - d.
Source: Tong, Feng & Li 2018, with positives as the protected class.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from prostate_alm.errors import IntegrityError, ModelError, RefusedError, UsageError
from prostate_alm.files import write_text
from prostate_alm.metrics.inputs import Scores, finite

MARGIN = 1e-3  # logits; exports differ by 1e-5 and must not turn the very case that set the threshold into a miss


@dataclass(frozen=True)
class Threshold:
    """A locked threshold and what is known about it.

    Args:
        value: in logits; a case at or above it needs DCE.
        kind: `certified` on a separate calibration cohort; `approximate` on out-of-bag logits.
        fn_rate: bound a of the population FN rate, in (0, 1).
        risk: d, the probability that the bound fails, in (0, 1).
        n1: calibration positives.
        rank: k, the rank of the chosen logit among them, from 1.
        margin: logits taken off the chosen one.
        model_sha256: the model that it belongs to, weights and preprocessing.
        cohort_sha256: hash of the calibration cohort, manifest and volumes.
        excluded: cases left out of the calibration for want of a logit.
        patients: salted keys of the calibration patients, who must not evaluate the threshold.
        notice: what the model says of its weights, repeated in the promise.

    Raises:
        ValueError: if a number is outside its range or the kind is unknown.
    """

    value: float
    kind: Literal["certified", "approximate"]
    fn_rate: float
    risk: float
    n1: int
    rank: int
    margin: float = MARGIN
    model_sha256: str | None = None
    cohort_sha256: str | None = None
    excluded: int = 0
    patients: tuple[str, ...] = ()
    notice: str = ""

    def __post_init__(self) -> None:
        ok = math.isfinite(self.value) and 0 <= self.margin < math.inf and 1 <= self.rank <= self.n1
        if not (ok and 0 < self.fn_rate < 1 and 0 < self.risk < 1 and self.excluded >= 0):
            raise ValueError(f"not a threshold: {self}")
        if self.kind not in ("certified", "approximate"):
            raise ValueError(f"kind is certified or approximate, not {self.kind!r}")

    @property
    def confidence(self) -> float:
        """1 - risk."""
        return float(1 - Fraction(str(self.risk)))

    @property
    def promise(self) -> str:
        """What the threshold promises, and what breaks the promise, in one sentence for people."""
        bound = f"FN rate at most {self.fn_rate:.1%} with {self.confidence:.1%} confidence"
        warning = f" ({self.notice})" if self.notice else ""
        if self.kind == "certified":
            return (
                f"certified: {bound} ({self.n1} calibration positives), for cases exchangeable with the calibration "
                f"cohort; another vendor, protocol or mix of positives breaks it{warning}"
            )
        return (
            f"approximate: fewer members, validation-selected; aims at {bound} ({self.n1} out-of-bag positives, "
            f"{self.excluded} cases excluded), not certified{warning}"
        )

    def to_json(self) -> str:
        """The threshold as JSON text, sealed with the SHA-256 of its own content."""
        content = asdict(self) | {"confidence": self.confidence, "promise": self.promise}
        return json.dumps(content | {"sha256": _seal(content)}, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Threshold":
        """Read what `to_json` wrote.

        Raises:
            IntegrityError: if the text is not such JSON, or was changed after it was written.
        """
        try:
            content = cast(dict[str, Any], json.loads(text))
            if content.pop("sha256") != _seal(content):
                raise ValueError("its content does not match its hash")
            content["patients"] = tuple(content["patients"])
            return cls(**{field.name: content[field.name] for field in fields(cls)})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(
                f"not a valid threshold ({error}); make it again with 'prostate-alm calibrate'"
            ) from error

    def save(self, path: Path | str) -> Path:
        """Write the threshold file whole or not at all."""
        return write_text(path, self.to_json())

    @classmethod
    def load(cls, path: Path | str) -> "Threshold":
        """Read a threshold file.

        Raises:
            ModelError: if there is no such file, or it cannot be read.
            IntegrityError: if it is malformed or was changed after it was written.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise ModelError(f"threshold file {path} cannot be read ({error.strerror}); see 'calibrate'") from error
        except UnicodeDecodeError as error:
            raise IntegrityError(f"threshold file {path} is not text; make it again with 'calibrate'") from error
        try:
            return cls.from_json(text)
        except IntegrityError as error:
            raise IntegrityError(f"threshold file {path}: {error}") from error


def certify(
    positive_logits: Scores,
    *,
    fn_rate: float,
    risk: float,
    model_sha256: str | None = None,
    cohort_sha256: str | None = None,
) -> Threshold:
    """The highest threshold whose population FN rate is at most `fn_rate` with confidence 1 - `risk`.

    Args:
        positive_logits: of the positives of a separate calibration cohort, (n1,) or (n1, 1).
        fn_rate: a, in (0, 1).
        risk: d, in (0, 1).
        model_sha256: the model that made the logits.
        cohort_sha256: hash of the calibration cohort.

    Raises:
        RefusedError: if there are too few positives: n1 >= ln d / ln(1 - a) is needed.
        UsageError: if `fn_rate` or `risk` is outside (0, 1).
        ValueError: if a logit is not finite or the shape another.

    Example:
        >>> certify([float(logit) for logit in range(22)], fn_rate=0.1, risk=0.1).value
        -0.001
    """
    value, rank, n1 = _umbrella(positive_logits, fn_rate, risk)
    return Threshold(value, "certified", fn_rate, risk, n1, rank, MARGIN, model_sha256, cohort_sha256)


def approximate(
    positive_logits: Scores,
    *,
    fn_rate: float,
    risk: float,
    excluded: int,
    model_sha256: str | None = None,
    cohort_sha256: str | None = None,
) -> Threshold:
    """The same rule on out-of-bag ensemble logits, marked approximate and never called certified.

    Args:
        positive_logits: for each positive with one, the mean logit of the members that did not train on it.
        fn_rate: a, in (0, 1).
        risk: d, in (0, 1).
        excluded: cases that every member trained on, which therefore have no logit.
        model_sha256: the model that made the logits.
        cohort_sha256: hash of the calibration cohort.

    Raises:
        RefusedError, UsageError, ValueError: as `certify`.
    """
    value, rank, n1 = _umbrella(positive_logits, fn_rate, risk)
    return Threshold(value, "approximate", fn_rate, risk, n1, rank, MARGIN, model_sha256, cohort_sha256, excluded)


def positives_needed(fn_rate: float, risk: float) -> int:
    """Calibration positives without which no threshold can be certified: the smallest n with (1 - a)^n <= d.

    Raises:
        UsageError: if an argument is outside (0, 1).

    Example:
        >>> positives_needed(0.1, 0.05)
        29
    """
    a, d = _probability(fn_rate, "FN rate"), _probability(risk, "risk")
    estimate = math.log(d) / math.log1p(-float(a))
    nearest = round(estimate)
    if nearest >= 1 and abs(estimate - nearest) < 1e-9 * estimate:  # too close for floating point: decide exactly
        return nearest if (1 - a) ** nearest <= d else nearest + 1
    return math.ceil(estimate)


def _umbrella(positive_logits: Scores, fn_rate: float, risk: float) -> tuple[float, int, int]:
    """The stored threshold, the rank that it came from, and the number of positives."""
    a, d = _probability(fn_rate, "FN rate"), _probability(risk, "risk")
    logits = np.sort(finite(positive_logits))
    rank = _largest_rank(len(logits), a, d)
    if rank == 0:
        needed = positives_needed(fn_rate, risk)
        raise RefusedError(
            f"not certifiable with {len(logits)} positives, {needed} needed for FN rate {fn_rate:g} at risk {risk:g}; "
            "add positive cases or relax one of the two"
        )
    return float(logits[rank - 1]) - MARGIN, rank, len(logits)


def _largest_rank(n: int, a: Fraction, d: Fraction) -> int:
    """Largest k with sum_{j<k} C(n, j) a^j (1 - a)^(n - j) <= d, in whole numbers; 0 if there is none."""
    hit, miss, whole = a.numerator, a.denominator - a.numerator, a.denominator
    limit = d.numerator * whole**n
    term = tail = d.denominator * miss**n
    rank = 0
    while rank < n and tail <= limit:
        rank += 1
        term = term * (n - rank + 1) * hit // (rank * miss)
        tail += term
    return rank


def _probability(value: float, name: str) -> Fraction:
    if not 0 < value < 1:
        raise UsageError(f"{name} {value} is outside (0, 1); give a fraction such as 0.1")
    return Fraction(str(value))


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
