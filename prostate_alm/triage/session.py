"""A run in one output folder, held by its lock: decide a study, store it, log it, list it."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from prostate_alm.errors import UsageError
from prostate_alm.files import discard_parts, json_text, lock_folder, output_folder, sha256, write_text, writing
from prostate_alm.triage.audit import AuditLog, Logged, audit_log, strays
from prostate_alm.triage.decision import Decision
from prostate_alm.triage.extras import Case, Extras, remove_extras
from prostate_alm.triage.identity import content_hash, files_of, inputs_key, place_key
from prostate_alm.triage.inputs import Found, Shelf
from prostate_alm.triage.judge import Findings, Judge
from prostate_alm.triage.keymap import check_keymap, write_keymap
from prostate_alm.triage.resuming import check_no_new_folder, check_resume, run_settings
from prostate_alm.triage.scratch import scratch_folder
from prostate_alm.triage.worklist import (
    WORKLIST,
    Run,
    remove_worklist,
    result_path,
    stored_keys,
    stored_result,
    write_worklist,
)

STAGE = ".beside-"
"""What the name of a folder begins with, in which files wait until they are logged."""
INTERRUPTED = "not decided yet, the run was interrupted"
STATED = (
    "study_key",
    "decision",
    "treat_as",
    "logit",
    "reasons",
    "threshold",
    "series_used",
    "harmonised",
    "model",
    "rules",
)
"""What the log repeats of a result."""
CHANGED = "the files changed while the run was under way; triage the study again"


@dataclass(frozen=True)
class Options:
    """What a run does beside deciding.

    Args:
        force: compute again what is already there.
        resume: only go on with a run that is there, by the same model, threshold and settings.
        keymap: the site's private table of study key, accession number and StudyInstanceUID, to be added to.
        dicom: write a structured report and a case report as DICOM for every study.
        saliency: write a map of what moved the logit for every study.

    Raises:
        UsageError: if `force` and `resume` contradict each other.
    """

    force: bool = False
    resume: bool = False
    keymap: Path | None = None
    dicom: bool = False
    saliency: bool = False

    def __post_init__(self) -> None:
        if self.force and self.resume:
            raise UsageError("--resume keeps what is there and --force computes it again; give one of them")


@dataclass
class Session:
    """One run; made by `open_session`.

    Args:
        judge: model, locked threshold, keys and settings.
        out: the output folder.
        options: of the run.
        log: the folder's audit log.
    """

    judge: Judge
    out: Path
    options: Options
    log: AuditLog
    extras: Extras = field(init=False)

    def __post_init__(self) -> None:
        self.extras = Extras(self.out, self.judge.predictor, self.options.dicom, self.options.saliency)

    def announce(self, found: list[Found]) -> None:
        """Put what was found into the key map, before anything is decided."""
        if self.options.keymap is not None:
            write_keymap(self.options.keymap, found)

    def decide(self, item: Found, shelf: Shelf) -> Decision:
        """The decision on one study, stored and logged; that of an earlier run if it still stands.

        Args:
            item: what was found.
            shelf: opens it again where it must.

        Raises:
            OutputError: if nothing can be written any more.
        """
        if item.study is None:
            return self._store(self.judge.decision(item.study_key, Findings(reasons=list(item.reasons))))
        key = inputs_key(item.content or content_hash(files_of(item.study)), self.judge)
        stored = None if self.options.force else self.standing(item.study_key, key)
        if stored is not None:
            here = place_key(Path(item.study.folder), self.judge.keys)
            if stored.place_key != here:  # the same files, moved: what is lost later is lost here
                stored = replace(stored, place_key=here)
                self._write(stored)
            return stored
        files = shelf.files(item)
        if files is None:
            return self._store(self.judge.decision(item.study_key, Findings(reasons=[CHANGED], failed=True)))
        findings = Findings()
        self._clear(item.study_key)
        decision = self.judge.judge(files, item.study_key, key, findings)
        return self._write_all(decision, Case(files, findings.reading, findings.image))

    def standing(self, study_key: str, key: str) -> Decision | None:
        """The stored decision on a study, if it came from these inputs and settings and is as it was logged."""
        return standing(self.extras, study_key, key, self.log.holds)

    def distrusted(self) -> set[str]:
        """The stored results that are not as the log has them."""
        return {key for key in stored_keys(self.out) if not self.log.holds(self.out, key)}

    def write_worklist(self, run: Run) -> None:
        """Write `worklist.csv` over every result in the folder, and log it first; nothing if it stands already."""
        run = replace(run, distrusted=self.distrusted())
        _to_the_end(lambda: write_worklist(self.out, run, self._record_worklist))

    def _record_worklist(self, digest: str, rows: int) -> bool:
        """Log a worklist; False if it need not be written, since it stands as it was logged."""
        if digest != self.log.ledger.worklist:
            self.log.record("worklist", sha256=digest, rows=rows)
            return True
        with suppress(OSError):
            return sha256(self.out / WORKLIST) != digest
        return True

    def _write_all(self, decision: Decision, case: Case) -> Decision:
        """Write the result, and what is wanted beside it, which takes its place once it is logged."""
        if not (self.options.dicom or self.options.saliency):
            self._write(decision)
            return decision
        with writing(self.out), tempfile.TemporaryDirectory(prefix=STAGE, dir=self.out) as stage:
            notes = replace(self.extras, out=Path(stage)).write(decision, case)
            if notes:
                decision = replace(decision, qc=decision.qc | {"notes": [*decision.qc.get("notes", []), *notes]})
            decision = replace(decision, files=tuple(sorted(path.name for path in Path(stage).iterdir())))
            self._write(decision, Path(stage))
        return decision

    def _store(self, decision: Decision) -> Decision:
        self._clear(decision.study_key)
        self._write(decision)
        return decision

    def _clear(self, study_key: str) -> None:
        """Remove an earlier result first: a run that dies leaves none rather than an old one, or a mixture."""
        remove_extras(self.out, study_key)
        path = result_path(self.out, study_key)
        with writing(path):
            path.unlink(missing_ok=True)
        if self.log.ledger.files(study_key):
            self.log.record("removed", study_key=study_key)

    def _write(self, decision: Decision, stage: Path | None = None) -> None:
        """Log the result, then write it: a result that is not in the log is none of ours."""
        _to_the_end(lambda: self._log_and_write(decision, stage))

    def _log_and_write(self, decision: Decision, stage: Path | None) -> None:
        path, content = result_path(self.out, decision.study_key), decision.to_json()
        text = json_text(content)
        staged = [] if stage is None else sorted(stage.iterdir())
        before = self.log.ledger.files(decision.study_key)  # whatever else lies there is none of ours
        beside = {ending: digest for ending, digest in before.items() if ending != ".json"}
        beside |= {other.name.removeprefix(decision.study_key): sha256(other) for other in staged}
        self.log.record(
            "result",
            **{name: content[name] for name in STATED},
            files={".json": hashlib.sha256(text.encode()).hexdigest()} | beside,
        )
        for other in staged:
            with writing(self.out / other.name):
                other.replace(self.out / other.name)
        write_text(path, text)


def standing(extras: Extras, study_key: str, key: str, holds: Callable[[Path, str], bool]) -> Decision | None:
    """The stored decision on a study if it need not be computed again.

    Args:
        extras: says where it is stored, and what is wanted beside it.
        study_key: of the study.
        key: of the inputs and settings that it must have come from.
        holds: whether what is stored is as it was logged, by output folder and study key.
    """
    stored = stored_result(extras.out, study_key)
    if stored is None or stored.inputs_key != key or not holds(extras.out, study_key):
        return None
    return stored if extras.complete(stored) else None


def _to_the_end(step: Callable[[], object]) -> None:
    """What belongs together is done together: after an interrupt once more, which harms nothing, and then it ends."""
    try:
        step()
    except KeyboardInterrupt:
        step()
        raise


@contextmanager
def open_session(judge: Judge, out: Path, options: Options) -> Iterator[Session]:
    """Lock an output folder, check its audit log and what stands in it, and begin a run.

    Args:
        judge: model, locked threshold, keys and settings.
        out: the output folder, made as needed.
        options: of the run.

    Raises:
        OutputError: if the folder or the key map cannot be written.
        UsageError: if another process works in it, the key map lies in it, or there is no run to resume.
        RefusedError: if the run to resume was made with something else.
        IntegrityError: if its audit log was changed.
    """
    if options.resume:
        check_no_new_folder(out)
    out = output_folder(out)
    with lock_folder(out), ExitStack() as stack:
        if options.keymap is not None:
            check_keymap(options.keymap, out)
        log = stack.enter_context(audit_log(out))
        if options.resume:
            check_resume(log.ledger.run, judge, out)
        stack.enter_context(scratch_folder(place_key(out, judge.keys)))
        discard_parts(out)
        for left in out.glob(f"{STAGE}*"):
            shutil.rmtree(left, ignore_errors=True)
        _look_back(log, out)
        remove_worklist(out)
        log.record("run", **run_settings(judge), force=options.force, resume=options.resume)
        yield Session(judge, out, options, log)


def _look_back(log: AuditLog, out: Path) -> None:
    """Say in the log what in the folder is not as it says."""
    changed: dict[str, int | None] = {}
    for key, logged in sorted(log.ledger.results.items()):
        problem = log.wrong(out, key)
        if problem and not result_path(out, key).exists():
            _remove_rest(out, key, logged)
            log.record("gone", study_key=key, logged_in_line=logged.line)
        elif problem:
            changed[key] = logged.line
    for key in sorted(changed | dict.fromkeys(strays(out, log.ledger))):
        log.record("changed", study_key=key, logged_in_line=changed.get(key))


def _remove_rest(out: Path, study_key: str, logged: Logged) -> None:
    """Remove what stands beside a result that is gone, if it is ours: a kill can leave it, and no decision holds it."""
    for ending, recorded in logged.files.items():
        path = out / f"{study_key}{ending}"
        if path.is_file() and not Logged(logged.line, {ending: recorded}).wrong(out, study_key):
            with writing(path):
                path.unlink()
