"""The worklist: one row per result in the output folder, those that need a person first."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prostate_alm import __version__
from prostate_alm.errors import OutputError
from prostate_alm.files import csv_text, write_text
from prostate_alm.triage.decision import Decision, Outcome

WORKLIST = "worklist.csv"
COLUMNS = ("study_key", "decision", "treat_as", "logit", "threshold", "reasons", "harmonised", "notice", "model")
_ORDER = [Outcome.UNDECIDED, Outcome.DCE_REQUIRED, Outcome.DCE_NOT_REQUIRED]
_RESULT = re.compile(r"[0-9a-f]{8,}\.json")


@dataclass(frozen=True)
class Run:
    """What the running triage knows, against which every stored result is held.

    Args:
        settings_key: of its model, threshold and settings.
        model: SHA-256 of its weights.
        threshold: as its decisions state it.
        found: keys of all that it has found.
        pending: those of them that are not decided, with the reason.
        distrusted: keys of the stored results that are not as the audit log has them.
        lost: keys of the places where it found a study without a readable file.
        gone: keys of the places that it could read; they stand for nothing unreadable any more.
    """

    settings_key: str
    model: str = ""
    threshold: Mapping[str, Any] = field(default_factory=dict)
    found: Collection[str] = ()
    pending: Mapping[str, str] = field(default_factory=dict)
    distrusted: Collection[str] = ()
    lost: Collection[str] = ()
    gone: Collection[str] = ()

    def doubt(self, decision: Decision) -> str:
        """Why a stored result does not stand any more, empty if it does."""
        if decision.study_key in self.distrusted:
            return "the stored result is not as the audit log has it; triage the study again"
        if decision.settings_key != self.settings_key:
            return f"decided {self._otherwise(decision)}; triage again"
        if decision.place_key in self.lost and decision.study_key not in self.found:
            return "decided from files that cannot be read any more; triage again"
        return ""

    def _otherwise(self, decision: Decision) -> str:
        """What a stored decision was made with that this run is not."""
        if decision.model["sha256"] != self.model:
            return "with another model"
        if decision.threshold != self.threshold:
            return "with another threshold"
        if decision.software_version != __version__:
            return f"by another version of prostate-alm ({decision.software_version})"
        return "with other settings"


def result_path(out: Path, study_key: str) -> Path:
    """Where the result of a study is stored."""
    return out / f"{study_key}.json"


def stored_result(out: Path, study_key: str) -> Decision | None:
    """The stored result of a study; None if there is none or it cannot be trusted."""
    try:
        decision = Decision.from_json(json.loads(result_path(out, study_key).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return decision if decision.study_key == study_key else None


def sort_key(decision: Decision) -> tuple[int, float, str]:
    """Undecided, required, not required; within each, those without a logit, then the highest logit first."""
    logit = math.inf if decision.logit is None else decision.logit
    return _ORDER.index(decision.outcome), -logit, decision.study_key


def remove_worklist(out: Path) -> None:
    """Remove the table of an earlier run, so that a run that dies leaves none rather than an old one.

    Raises:
        OutputError: if it cannot be removed.
    """
    try:
        (out / WORKLIST).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot replace {out / WORKLIST}: {error.strerror}; choose another output folder") from error


def write_worklist(out: Path, run: Run, record: Callable[[str, int], bool]) -> Path:
    """Write `worklist.csv` over every result in the folder, of this run and of earlier ones.

    First what this run left undecided, those that it did not reach before all; then, as undecided too, what must not be
    taken for a decision: a result that cannot be read back, and one that another model, threshold or setting gave.

    Args:
        out: the output folder.
        run: what the running triage knows.
        record: called with the SHA-256 of the table and the number of its rows before it is written; False if it need
            not be written.

    Raises:
        OutputError: if the table cannot be written.
    """
    pending = {key: _undecided(key, reason) for key, reason in run.pending.items()}
    doubtful: dict[str, dict[str, object]] = {}
    decisions: list[Decision] = []
    for key in stored_keys(out):
        if key in pending or (key in run.gone and key not in run.found):
            continue
        decision = stored_result(out, key)
        if decision is None:
            doubtful[key] = _undecided(key, "the stored result is damaged; triage the study again")
        elif reason := run.doubt(decision):
            doubtful[key] = _undecided(key, reason) | _made_by(decision)
        else:
            decisions.append(decision)
    undecided = [decision for decision in decisions if decision.outcome is Outcome.UNDECIDED]
    decided = [decision for decision in decisions if decision.outcome is not Outcome.UNDECIDED]
    rows = [
        *(pending[key] for key in sorted(pending)),
        *(_row(decision) for decision in sorted(undecided, key=sort_key)),
        *(doubtful[key] for key in sorted(doubtful)),
        *(_row(decision) for decision in sorted(decided, key=sort_key)),
    ]
    text = csv_text(COLUMNS, ({column: safe_cell(value) for column, value in row.items()} for row in rows))
    if record(hashlib.sha256(text.encode()).hexdigest(), len(rows)):
        write_text(out / WORKLIST, text)
    return out / WORKLIST


def safe_cell(value: object) -> str:
    """A cell of one line that no spreadsheet takes for a formula: text that begins like one gets an apostrophe.

    Example:
        >>> safe_cell("=cmd|' /C calc'!A0"), safe_cell("-1.5")
        ("'=cmd|' /C calc'!A0", '-1.5')
    """
    text = " ".join(str(value).split())
    if not text.startswith(("=", "+", "-", "@")):
        return text
    try:
        return text if math.isfinite(float(text)) else f"'{text}"
    except ValueError:
        return f"'{text}"


def stored_keys(out: Path) -> Iterator[str]:
    """The study keys of all results in a folder, whatever they hold."""
    return (path.stem for path in sorted(out.glob("*.json")) if _RESULT.fullmatch(path.name))


def _row(decision: Decision) -> dict[str, object]:
    return {
        "study_key": decision.study_key,
        "decision": str(decision.outcome),
        "treat_as": str(decision.treat_as),
        "logit": "" if decision.logit is None else repr(decision.logit),
        "reasons": "; ".join(decision.reasons),
        "harmonised": str(decision.harmonised).lower(),
    } | _made_by(decision)


def _made_by(decision: Decision) -> dict[str, object]:
    return {
        "threshold": repr(decision.threshold["value"]),
        "notice": decision.notice,
        "model": decision.model["sha256"][:12],
    }


def _undecided(study_key: str, reason: str) -> dict[str, object]:
    return {
        "study_key": study_key,
        "decision": str(Outcome.UNDECIDED),
        "treat_as": str(Outcome.DCE_REQUIRED),
        "reasons": reason,
    }
