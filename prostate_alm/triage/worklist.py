"""The worklist: one row per result in the output folder, those that need a person first."""

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

from prostate_alm.files import write_csv
from prostate_alm.triage.decision import Decision, Outcome

WORKLIST = "worklist.csv"
COLUMNS = ("study_key", "decision", "treat_as", "logit", "reasons", "harmonised", "notice", "model")
_ORDER = [Outcome.UNDECIDED, Outcome.DCE_REQUIRED, Outcome.DCE_NOT_REQUIRED]
_RESULT = re.compile(r"[0-9a-f]{8,}\.json")


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


def write_worklist(out: Path) -> Path:
    """Write `worklist.csv` over every result in the folder, of this run and of earlier ones.

    A result that cannot be read back is listed first, as undecided: a damaged file must not make a patient vanish.

    Raises:
        OutputError: if the table cannot be written.
    """
    decisions, damaged = [], []
    for path in sorted(out.glob("*.json")):
        if _RESULT.fullmatch(path.name):
            decision = stored_result(out, path.stem)
            if decision is None:
                damaged.append(path.stem)
            else:
                decisions.append(decision)
    rows = [*(_damaged_row(key) for key in damaged), *_rows(sorted(decisions, key=sort_key))]
    return write_csv(out / WORKLIST, COLUMNS, rows)


def _rows(decisions: Iterable[Decision]) -> list[dict[str, object]]:
    return [
        {
            "study_key": decision.study_key,
            "decision": str(decision.outcome),
            "treat_as": str(decision.treat_as),
            "logit": "" if decision.logit is None else repr(decision.logit),
            "reasons": "; ".join(decision.reasons),
            "harmonised": str(decision.harmonised).lower(),
            "notice": decision.notice,
            "model": decision.model["sha256"][:12],
        }
        for decision in decisions
    ]


def _damaged_row(study_key: str) -> dict[str, object]:
    return {
        "study_key": study_key,
        "decision": str(Outcome.UNDECIDED),
        "treat_as": str(Outcome.DCE_REQUIRED),
        "reasons": "the stored result is damaged; triage the study again",
    }
