"""A locked decision threshold, its promise in words, and its sealed file."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

from prostate_alm.errors import IntegrityError, ModelError
from prostate_alm.files import write_text

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


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
