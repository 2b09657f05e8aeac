"""What a run was made with, and whether another one may go on with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prostate_alm.errors import RefusedError, UsageError
from prostate_alm.triage.audit import AUDIT

if TYPE_CHECKING:
    from prostate_alm.triage.judge import Judge


def run_settings(judge: "Judge") -> dict[str, Any]:
    """What a run's decisions follow from beside the files, as the log states it; `settings_key` covers all of it."""
    predictor, threshold = judge.predictor, judge.threshold
    return {
        "model": {"name": predictor.name, "version": predictor.version, "sha256": predictor.sha256},
        "threshold": {"value": threshold.value, "promise": threshold.promise},
        "rules": judge.stated_rules,
        "harmonise": judge.harmonise,
        "settings_key": judge.settings_key,
    }


def check_no_new_folder(out: Path) -> None:
    """Refuse to resume where nothing ran, before a folder is made.

    Raises:
        UsageError: if there is no audit log.
    """
    if not (out / AUDIT).is_file():
        raise _no_run(out)


def check_resume(run: Mapping[str, Any] | None, judge: "Judge", out: Path) -> None:
    """Refuse to go on with a run that was made with something else.

    Raises:
        UsageError: if no run was begun.
        RefusedError: names what differs.
    """
    if run is None:
        raise _no_run(out)
    mine = run_settings(judge)
    if run["settings_key"] == mine["settings_key"]:
        return
    names = ("model", "threshold", "rules", "harmonise")
    different = [name for name in names if run[name] != mine[name]]
    what = ", ".join(different) or "version, training ranges, full threshold or salt"
    raise RefusedError(
        f"--resume: the run in {out} was made with another {what}; go on with the same, "
        "or leave --resume out to compute anew"
    )


def _no_run(out: Path) -> UsageError:
    return UsageError(f"--resume: {out} holds no run; leave it out for a first run, or name the run's folder")
