"""Many studies, one after the other: every study gets exactly one result, and no bad one stops the others."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from prostate_alm.triage.decision import Decision, plain
from prostate_alm.triage.identity import place_key
from prostate_alm.triage.inputs import Found, Shelf, absent, find_inputs
from prostate_alm.triage.judge import Judge
from prostate_alm.triage.keymap import refuse_among
from prostate_alm.triage.session import INTERRUPTED, Options, Session, open_session
from prostate_alm.triage.worklist import Run

Progress = Callable[[Decision, Path], None]
Tell = Callable[[str], None]


def triage_studies(
    paths: Sequence[Path],
    judge: Judge,
    *,
    out: Path,
    options: Options | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> list[Decision]:
    """Decide every study behind the paths and write one JSON each, the worklist and the audit log.

    A study whose result is already in `out`, from the same files, model, threshold and settings, and as the audit log
    has it, is not computed again. A study that cannot be read is undecided and stands in the worklist like any other.
    While the studies are searched and decided there is no worklist: the one of an earlier run is removed first.
    A path at which there is nothing gets no result; studies that were decided from there are in doubt.

    Args:
        paths: folders, zip archives or files, each with one or many studies.
        judge: model, locked threshold, keys and settings.
        out: gets `<study_key>.json`, `worklist.csv` and `audit.jsonl`.
        options: None for the defaults.
        progress: called with every decision and the study's folder (for the terminal only) as soon as it is stored.
        tell: called with the full text of what cannot be read, which names files (for the terminal only).

    Returns:
        The decisions on the given studies, in the order of their discovery.

    Raises:
        NoInputError: if no study could be read behind any path.
        OutputError: if `out` or the key map cannot be written.
        UsageError: if the key map lies inside `out` or a path, another process works in `out`, or there is nothing to
            resume.
        RefusedError: if the run to resume was made with something else.
        IntegrityError: if the audit log was changed.
    """
    options = options or Options()
    refuse_among(options.keymap, paths)
    missing = set(absent(paths))
    paths = [path for path in paths if path not in missing]
    with open_session(judge, out, options) as session, Shelf(judge.rules) as shelf:
        found = find_inputs(paths, judge.keys, shelf)
        tell_all(found, tell)
        session.announce(found)
        decisions: list[Decision] = []
        try:
            for item in found:
                decisions.append(session.decide(item, shelf))
                if progress is not None:
                    progress(decisions[-1], item.where)
        finally:
            run = _run(paths, session, found, decisions)
            lost = {place_key(path, judge.keys) for path in missing}
            session.write_worklist(replace(run, lost={*run.lost, *lost}))  # also after an interrupt
    return decisions


def tell_all(found: Sequence[Found], tell: Tell | None) -> None:
    """Tell the terminal why paths cannot be read."""
    for item in found:
        if tell is not None and item.told:
            tell(item.told)


def _run(paths: Sequence[Path], session: Session, found: Sequence[Found], decisions: Sequence[Decision]) -> Run:
    decided = {decision.study_key for decision in decisions}
    keys = {item.study_key for item in found}
    pending = dict.fromkeys(keys - decided, INTERRUPTED)
    return run_of(found, [path.resolve() for path in paths], session.judge, pending)


def made_with(judge: Judge) -> dict[str, Any]:
    """What the worklist holds stored results against."""
    threshold = {"value": judge.threshold.value, "promise": judge.threshold.promise}
    return {"settings_key": judge.settings_key, "model": judge.predictor.sha256, "threshold": plain(threshold)}


def run_of(found: Sequence[Found], roots: Sequence[Path], judge: Judge, pending: dict[str, str]) -> Run:
    """What is known of stored results after a search.

    Args:
        found: all that was found.
        roots: where it was searched, resolved.
        judge: gives settings and keys.
        pending: those that are not decided, with the reason.
    """
    lost = {folder for item in found for folder in item.lost}
    places = _up((item.where.resolve() for item in found if item.study is not None), roots)
    return Run(
        **made_with(judge),
        found={item.study_key for item in found},
        pending=pending,
        lost={place_key(folder, judge.keys) for folder in lost},
        gone={place_key(folder, judge.keys) for folder in places},
    )


def _up(folders: Iterable[Path], roots: Sequence[Path]) -> set[Path]:
    """The folders and those above them, as far as a root."""
    ends = frozenset(roots)

    @cache  # many studies lie below the same folders
    def below(place: Path) -> bool:
        return place in ends or (place != place.parent and below(place.parent))

    places: set[Path] = set()
    for folder in folders:
        for place in (folder, *folder.parents):
            if place in places or not below(place):
                break
            places.add(place)
    return places
