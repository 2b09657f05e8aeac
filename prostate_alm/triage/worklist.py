"""The worklist: one row per result in the output folder, those that need a person first."""

import json
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from prostate_alm.errors import OutputError
from prostate_alm.files import write_csv
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
        found: keys of all that it has found.
        pending: those of them that are not decided yet.
        lost: keys of the places where it found a study without a readable file.
        gone: keys of the places that it could read; they stand for nothing unreadable any more.
    """

    settings_key: str
    found: Collection[str] = ()
    pending: Collection[str] = ()
    lost: Collection[str] = ()
    gone: Collection[str] = ()

    def doubt(self, decision: Decision) -> str:
        """Why a stored result does not stand any more, empty if it does."""
        if decision.settings_key != self.settings_key:
            return "decided with another model or threshold; triage again"
        if decision.place_key in self.lost and decision.study_key not in self.found:
            return "decided from files that cannot be read any more; triage again"
        return ""


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


def write_worklist(out: Path, run: Run) -> Path:
    """Write `worklist.csv` over every result in the folder, of this run and of earlier ones.

    First, as undecided, what must not be taken for a decision: a study that was not reached, a result that cannot be
    read back, and one that another model, threshold or setting gave.

    Raises:
        OutputError: if the table cannot be written.
    """
    doubtful = {key: _undecided(key, "not decided yet, the run was interrupted") for key in run.pending}
    decisions: list[Decision] = []
    for key in _stored_keys(out):
        if key in doubtful or (key in run.gone and key not in run.found):
            continue
        decision = stored_result(out, key)
        if decision is None:
            doubtful[key] = _undecided(key, "the stored result is damaged; triage the study again")
        elif reason := run.doubt(decision):
            doubtful[key] = _undecided(key, reason) | _made_by(decision)
        else:
            decisions.append(decision)
    rows = [doubtful[key] for key in sorted(doubtful)] + [
        _row(decision) for decision in sorted(decisions, key=sort_key)
    ]
    return write_csv(out / WORKLIST, COLUMNS, rows)


def _stored_keys(out: Path) -> Iterator[str]:
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
