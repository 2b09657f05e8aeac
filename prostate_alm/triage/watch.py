"""`--watch`: a folder into which studies arrive; each is decided once nothing in it has changed for a while.

The folder is looked through again and again: network shares tell nobody of their changes.
"""

import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from prostate_alm.errors import UsageError, UserError
from prostate_alm.triage.batch import Progress, made_with, run_of
from prostate_alm.triage.decision import Decision
from prostate_alm.triage.deliveries import Print, look_at, opened
from prostate_alm.triage.identity import content_hash, files_of, place_key
from prostate_alm.triage.inputs import DIFFERENT, Found, Shelf, search
from prostate_alm.triage.judge import Judge
from prostate_alm.triage.keymap import refuse_among
from prostate_alm.triage.privacy import describe, path_words
from prostate_alm.triage.session import INTERRUPTED, Options, Session, open_session
from prostate_alm.triage.worklist import Run, stored_keys, stored_result

REFRESH = 60.0
"""Seconds after which the worklist is written, also if not all deliveries that have settled are decided yet."""
ARRIVING = "files of this study are still arriving; it is decided when they are complete"


class Clock(Protocol):
    """Time as the watch knows it."""

    def now(self) -> float:
        """Seconds, from any beginning, that never go back."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass; KeyboardInterrupt ends the watch."""
        ...


class SystemClock:
    """Real time."""

    def now(self) -> float:
        """Seconds since the machine was started."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)


@dataclass
class Child:
    """What is known of one thing that arrives: a folder, an archive, or the other files together.

    Args:
        path: the folder or archive; the watched folder itself for the files that lie in it.
        seen: its files when it was last looked at.
        since: when they last changed.
        decided: its files when its studies were decided, None if they must be (again).
        known: its studies and places, as the worklist wants them; no headers of its files are kept.
        contents: study key -> hash of the study's files.
    """

    path: Path
    seen: Print = ()
    since: float = 0.0
    decided: Print | None = None
    known: Run | None = None
    contents: dict[str, str] = field(default_factory=dict)


def watch_folder(
    folder: Path,
    judge: Judge,
    *,
    out: Path,
    options: Options | None = None,
    settle: float = 60.0,
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> list[Decision]:
    """Decide every study that arrives in a folder, until an interrupt (SIGINT, or SIGTERM where it is made one).

    Each direct subfolder and archive is one delivery, and so are all other files of the folder together. Names that
    begin with a dot are left out: a sender may write under such a name and rename when it is done. A delivery that
    changes later is decided again, and its studies are listed as undecided meanwhile; a study that two deliveries hold
    with different files is undecided.

    Args:
        folder: what is watched.
        judge: model, locked threshold, keys and settings.
        out: as for `triage_studies`; outside `folder`.
        options: as for `triage_studies`.
        settle: seconds without a change after which a delivery counts as complete, above 0.
        clock: None is real time.
        progress: called with every decision and the study's folder.

    Returns:
        The last decision on every study, in the order of their first ones.

    Raises:
        UsageError: if `folder` is no folder, holds `out` or the key map, or `settle` is not above 0; else as
            `triage_studies`.
        KeyboardInterrupt: if the interrupt came while a study was decided; the worklist is written all the same.
    """
    if not folder.is_dir():
        raise UsageError(f"--watch needs one folder, {folder} is none; name the folder that studies arrive in")
    if out.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"the output folder {out} lies inside the watched folder {folder}; choose another")
    if not settle > 0:
        raise UsageError(f"--settle {settle:g}: give seconds above 0")
    options = options or Options()
    refuse_among(options.keymap, [folder])
    with open_session(judge, out, options) as session:
        watch = Watch(folder, session, settle, clock or SystemClock(), progress)
        watch.write_worklist()
        watch.run()
    return list(watch.decisions.values())


class Watch:
    """The deliveries in one folder, and what is known of each.

    Args:
        folder: what is watched.
        session: the run.
        settle: seconds.
        clock: time.
        progress: called with every decision.
    """

    def __init__(
        self, folder: Path, session: Session, settle: float, clock: Clock, progress: Progress | None = None
    ) -> None:
        self._folder, self._session = folder, session
        self._settle, self._clock, self._progress = settle, clock, progress
        self._children: dict[Path, Child] = {}
        self._deciding: dict[str, str] = {}
        self._written_at, self._removed, self._unwritten = 0.0, 0, False
        self._places = self._finished_places()
        self.decisions: dict[str, Decision] = {}

    def run(self) -> None:
        """Look, decide and wait, until an interrupt."""
        interval = min(max(self._settle / 4, 0.2), 15.0)
        while True:
            try:
                ready = self.look()
            except KeyboardInterrupt:
                return
            if ready:
                self._decide_all(ready)
            else:  # if time has passed while studies were decided, it looks at once
                try:
                    self._clock.wait(interval)
                except KeyboardInterrupt:
                    return

    def look(self) -> list[Child]:
        """Look through the folder once; the deliveries that have settled.

        New ones stand before those that an earlier run has decided, and within each those that wait longest.
        """
        now, before = self._clock.now(), {path: child.seen for path, child in self._children.items()}
        present = look_at(self._folder, before)
        changed = False
        for path in [path for path in self._children if path not in present]:
            changed |= self._forget(path)
        for path, seen in present.items():
            child = self._children.setdefault(path, Child(path, since=now))
            if seen != child.seen:
                child.seen, child.since = seen, now
                changed |= child.known is not None
        if changed:
            self.write_worklist()
        waiting = [child for child in self._children.values() if child.decided != child.seen]
        settled = [child for child in waiting if now - child.since >= self._settle]
        return sorted(settled, key=lambda child: (self._is_finished(child), child.since))

    def decide(self, child: Child) -> None:
        """Decide the studies of one delivery; what goes wrong with it stays with it."""
        with Shelf(self._session.judge.rules, partial(opened, self._folder)) as shelf:
            found, _ = search([child.path], self._session.judge.keys, shelf)
            if not child.path.exists():  # the share is away, or the delivery is: the next look tells
                child.since = self._clock.now()
                return
            if child.path == self._folder:  # what lies in its subfolders is another delivery
                here = frozenset({child.path.resolve()})
                found = [replace(item, lost=here if item.lost else item.lost) for item in found]
            found = [replace(item, content=_content(item)) for item in found]
            child.decided = child.seen
            child.contents = {item.study_key: item.content for item in found if item.study and item.content}
            self._decide([self._checked(item, child) for item in found], child, shelf)

    def write_worklist(self) -> None:
        """Write the table over all that is stored and known."""
        self._written_at, self._removed, self._unwritten = self._clock.now(), self._removals(), False
        judge, children = self._session.judge, self._children.values()
        parts = [(child, child.known) for child in children if child.known is not None]
        arriving = {key for child, part in parts if child.decided != child.seen for key in part.found}
        run = Run(
            **made_with(judge),
            found={key for _, part in parts for key in part.found},
            pending=dict.fromkeys(arriving, ARRIVING) | self._deciding,
            lost={key for _, part in parts for key in part.lost},
            gone={key for _, part in parts for key in part.gone},
        )
        self._session.write_worklist(run)

    def _decide(self, found: list[Found], child: Child, shelf: Shelf) -> None:
        child.known = run_of(found, [child.path.resolve()], self._session.judge, {})
        self._deciding = {item.study_key: INTERRUPTED for item in found}
        try:
            self._session.announce(found)
            for item in found:
                decision = self._session.decide(item, shelf)
                self.decisions[decision.study_key] = decision
                del self._deciding[item.study_key]
                if self._progress is not None:
                    self._progress(decision, item.where)
        finally:
            self._unwritten = True
        if self._is_due(child.known):
            self.write_worklist()

    def _decide_all(self, ready: list[Child]) -> None:
        """Decide deliveries; the worklist is written at the end, and on the way as often as it must be."""
        self._written_at = self._clock.now()  # what follows is old from here on
        try:
            for child in ready:
                try:
                    self.decide(child)
                except UserError:
                    raise
                except Exception as error:  # a bug that one delivery meets is not the end of the others
                    self._give_up(child, error)
        finally:
            if self._unwritten:
                self.write_worklist()

    def _is_due(self, known: Run) -> bool:
        """True if the worklist may tell of a result that is gone or in doubt, or is old."""
        doubtful = self._removals() > self._removed or not self._places.isdisjoint(known.lost)
        return doubtful or self._clock.now() - self._written_at >= REFRESH

    def _removals(self) -> int:
        return self._session.log.ledger.events["removed"]

    def _finished_places(self) -> frozenset[str | None]:
        """The keys of the places at which an earlier run has decided studies, with the same model and settings."""
        judge, out = self._session.judge, self._session.out
        stored = (stored_result(out, key) for key in stored_keys(out))
        return frozenset(each.place_key for each in stored if each and each.settings_key == judge.settings_key)

    def _is_finished(self, child: Child) -> bool:
        """True if it looks as if an earlier run had decided it; only the order follows from that.

        What lies inside an archive is not known yet, so that archives count as new.
        """
        if child.known is not None:
            return False
        folders = {Path(name).parent for name, _, _ in child.seen} - {child.path.parent}
        return any(place_key(folder, self._session.judge.keys) in self._places for folder in folders)

    def _give_up(self, child: Child, error: Exception) -> None:
        key = place_key(child.path, self._session.judge.keys)
        reason = f"an unexpected failure: {describe(error, path_words(child.path.resolve()))}"
        child.decided = child.seen
        keys = {key, *(child.known.found if child.known else ())}
        with Shelf(self._session.judge.rules) as shelf:
            self._decide([Found(each, child.path, reasons=(reason,)) for each in sorted(keys)], child, shelf)

    def _checked(self, item: Found, child: Child) -> Found:
        """Undecided if another delivery holds other files of the study."""
        others = [one for one in self._children.values() if one is not child and item.study_key in one.contents]
        mine = child.contents.get(item.study_key)
        if mine is None or all(one.contents[item.study_key] == mine for one in others):
            return item
        return replace(item, study=None, source=None, reasons=(DIFFERENT,))

    def _forget(self, path: Path) -> bool:
        """A delivery has gone: what it held stays decided, but deliveries that it contradicted are looked at again."""
        gone = self._children.pop(path)
        for child in self._children.values():
            if any(child.contents.get(key, content) != content for key, content in gone.contents.items()):
                child.decided = None
        return gone.known is not None


def _content(item: Found) -> str | None:
    return item.content if item.content is not None or item.study is None else content_hash(files_of(item.study))
