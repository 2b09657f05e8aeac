"""Many studies, one after the other: every study gets exactly one result, and no bad one stops the others."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from prostate_alm.files import lock_folder, output_folder, write_json
from prostate_alm.triage.decision import Decision
from prostate_alm.triage.identity import content_hash, files_of, inputs_key, place_key
from prostate_alm.triage.inputs import Found, find_inputs
from prostate_alm.triage.judge import Findings, Judge
from prostate_alm.triage.keymap import check_keymap, write_keymap
from prostate_alm.triage.worklist import Run, remove_worklist, result_path, stored_result, write_worklist

Progress = Callable[[Decision, Path], None]


def triage_studies(
    paths: Sequence[Path],
    judge: Judge,
    *,
    out: Path,
    force: bool = False,
    keymap: Path | None = None,
    progress: Progress | None = None,
) -> list[Decision]:
    """Decide every study behind the paths and write one JSON each and the worklist.

    A study whose result is already in `out`, from the same files, model, threshold and settings, is not computed
    again. A study that cannot be read is undecided and stands in the worklist like any other. While the studies are
    searched and decided there is no worklist: the one of an earlier run is removed first.

    Args:
        paths: folders, zip archives or files, each with one or many studies.
        judge: model, locked threshold, keys and settings.
        out: gets `<study_key>.json` and `worklist.csv`.
        force: compute again what is already there.
        keymap: the site's private table of study key, accession number and StudyInstanceUID, to be added to.
        progress: called with every decision and the study's folder (for the terminal only) as soon as it is stored.

    Returns:
        The decisions on the given studies, in the order of their discovery.

    Raises:
        NoInputError: if no study could be read behind any path.
        OutputError: if `out` or the key map cannot be written.
        UsageError: if the key map lies inside `out`, or another process works in `out`.
    """
    out = output_folder(out)
    with lock_folder(out), ExitStack() as stack:
        if keymap is not None:
            check_keymap(keymap, out)
        remove_worklist(out)
        found = find_inputs(paths, judge.keys, judge.rules, stack)
        if keymap is not None:
            write_keymap(keymap, found)
        decisions: list[Decision] = []
        try:
            for item in found:
                decisions.append(_result(item, judge, out, force))
                if progress is not None:
                    progress(decisions[-1], item.where)
        finally:
            write_worklist(out, _run(paths, judge, found, decisions))  # also after an interrupt
    return decisions


def _result(item: Found, judge: Judge, out: Path, force: bool) -> Decision:
    if item.study is None:
        decision = judge.decision(item.study_key, Findings(reasons=list(item.reasons)))
    else:
        key = inputs_key(item.content or content_hash(files_of(item.study)), judge)
        stored = None if force else stored_result(out, item.study_key)
        if stored is not None and stored.inputs_key == key:
            here = place_key(Path(item.study.folder), judge.keys)
            if stored.place_key != here:  # the same files, moved: what is lost later is lost here
                stored = replace(stored, place_key=here)
                write_json(result_path(out, item.study_key), stored.to_json())
            return stored
        decision = judge.judge(item.study, item.study_key, key)
    write_json(result_path(out, item.study_key), decision.to_json())
    return decision


def _run(paths: Sequence[Path], judge: Judge, found: Sequence[Found], decisions: Sequence[Decision]) -> Run:
    keys = {item.study_key for item in found}
    roots = {path.resolve() for path in paths}
    lost = {folder for item in found for folder in item.lost}
    places = {folder for item in found if item.study is not None for folder in _up(item.where.resolve(), roots)}
    return Run(
        settings_key=judge.settings_key,
        found=keys,
        pending=keys - {decision.study_key for decision in decisions},
        lost={place_key(folder, judge.keys) for folder in lost},
        gone={place_key(folder, judge.keys) for folder in places},
    )


def _up(folder: Path, roots: set[Path]) -> list[Path]:
    """The folder and those above it, as far as a root."""
    return [place for place in (folder, *folder.parents) if any(place.is_relative_to(root) for root in roots)]
