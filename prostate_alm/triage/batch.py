"""Many studies, one after the other: every study gets exactly one result, and no bad one stops the others."""

from collections.abc import Callable, Sequence
from pathlib import Path

from prostate_alm.files import output_folder, write_json
from prostate_alm.triage.decision import Decision
from prostate_alm.triage.inputs import Found, find_inputs, inputs_key
from prostate_alm.triage.judge import Findings, Judge
from prostate_alm.triage.keymap import check_keymap, write_keymap
from prostate_alm.triage.worklist import result_path, stored_result, write_worklist

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
    again. A study that cannot be read is undecided and stands in the worklist like any other.

    Args:
        paths: files or folders of DICOM, each with one or many studies.
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
        UsageError: if the key map lies inside `out`.
    """
    out = output_folder(out)
    if keymap is not None:
        check_keymap(keymap, out)
    found = find_inputs(paths, judge.keys)
    if keymap is not None:
        write_keymap(keymap, found)
    decisions = []
    try:
        for item in found:
            decisions.append(_result(item, judge, out, force))
            if progress is not None:
                progress(decisions[-1], item.where)
    finally:
        write_worklist(out)  # also after an interrupt: what is finished is listed
    return decisions


def _result(item: Found, judge: Judge, out: Path, force: bool) -> Decision:
    if item.study is None:
        decision = judge.decision(item.study_key, Findings(reasons=list(item.reasons)))
    else:
        key = inputs_key(item.study, judge)
        stored = None if force else stored_result(out, item.study_key)
        if stored is not None and stored.inputs_key == key:
            return stored
        decision = judge.judge(item.study, item.study_key, key)
    write_json(result_path(out, item.study_key), decision.to_json())
    return decision
