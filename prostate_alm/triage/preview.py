"""`--dry-run`: what a run would do with every study, without the model's inference and without writing anything."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prostate_alm.errors import OutputError
from prostate_alm.triage.audit import AUDIT, Ledger, sound_log
from prostate_alm.triage.batch import Tell, tell_all
from prostate_alm.triage.decision import Decision
from prostate_alm.triage.extras import Extras
from prostate_alm.triage.identity import content_hash, files_of, inputs_key, place_key
from prostate_alm.triage.inputs import Found, Shelf, absent, find_inputs
from prostate_alm.triage.judge import Judge
from prostate_alm.triage.keymap import read_keymap, refuse_among, refuse_inside
from prostate_alm.triage.resuming import check_no_new_folder, check_resume
from prostate_alm.triage.scratch import scratch_folder
from prostate_alm.triage.session import CHANGED, Options, standing


def preview_studies(
    paths: Sequence[Path],
    judge: Judge,
    *,
    out: Path,
    options: Options | None = None,
    progress: Callable[[dict[str, Any], Path], None] | None = None,
    tell: Tell | None = None,
) -> list[dict[str, Any]]:
    """What `triage_studies` would do.

    Args:
        paths: as for `triage_studies`.
        judge: as for `triage_studies`.
        out: as for `triage_studies`; need not exist, and is not made.
        options: as for `triage_studies`.
        progress: called with every row and the study's folder.
        tell: as for `triage_studies`.

    Returns:
        `study_key`, `would` (`decide`, `reuse` or `undecided`), `reasons` and `series_used` of every study. Intensities
        are judged by the model's preprocessing only, so that a study that would be decided can still end undecided.

    Raises:
        As `triage_studies`.
    """
    options = options or Options()
    check_writable(out)
    refuse_among(options.keymap, paths)
    missing = set(absent(paths))
    if options.keymap is not None:
        refuse_inside(options.keymap, out)
        read_keymap(options.keymap)
        check_writable(options.keymap.resolve().parent)
    ledger = Ledger.of(sound_log(out / AUDIT))
    if options.resume:
        check_no_new_folder(out)
        check_resume(ledger.run, judge, out)
    extras = Extras(out, judge.predictor, options.dicom, options.saliency)

    def stored(study_key: str, key: str) -> Decision | None:
        return None if options.force else standing(extras, study_key, key, ledger.holds)

    rows: list[dict[str, Any]] = []
    with scratch_folder(place_key(out, judge.keys)), Shelf(judge.rules) as shelf:
        found = find_inputs([path for path in paths if path not in missing], judge.keys, shelf)
        tell_all(found, tell)
        for item in found:
            rows.append(_row(item, judge, shelf, stored))
            if progress is not None:
                progress(rows[-1], item.where)
    return rows


def check_writable(folder: Path) -> None:
    """Prove that a folder can be made and written to, without leaving anything.

    Raises:
        OutputError: if it cannot.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}; choose another output folder") from error
    if not os.access(there, os.X_OK):
        raise OutputError(f"cannot write to {folder}: it may not be entered; choose another output folder")


def _row(item: Found, judge: Judge, shelf: Shelf, stored: Callable[[str, str], Decision | None]) -> dict[str, Any]:
    row: dict[str, Any] = {"study_key": item.study_key, "would": "undecided", "reasons": list(item.reasons)}
    if item.study is None:
        return row | {"series_used": {}}
    key = inputs_key(item.content or content_hash(files_of(item.study)), judge)
    if (found := stored(item.study_key, key)) is not None:
        series = found.to_json()["series_used"]
        return row | {"would": "reuse", "reasons": list(found.reasons), "series_used": series}
    files = shelf.files(item)
    if files is None:
        return row | {"reasons": [CHANGED], "series_used": {}}
    findings = judge.preview(files)
    would = "undecided" if findings.reasons else "decide"
    return row | {"would": would, "reasons": findings.reasons, "series_used": findings.series_used}
