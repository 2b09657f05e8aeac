"""The audit log of an output folder: what was decided, by what, and which bytes were written.

An entry stands in the log before its file stands in the folder, so that a result that is not in the log is none of
ours, whenever a run was killed.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prostate_alm import __version__
from prostate_alm.errors import IntegrityError, OutputError
from prostate_alm.files import sha256, writing
from prostate_alm.triage.chain import HEALED, Chain, read_chain, seal

AUDIT = "audit.jsonl"
AUDIT_VERSION = 1
_OF_A_STUDY = re.compile(r"([0-9a-f]{8,})(\..+)", re.DOTALL)


@dataclass(frozen=True)
class Logged:
    """The last entry on a study: its line, and the SHA-256 of its files by what follows the study key in their name.

    Args:
        line: of the log, from 1.
        files: `.json` and further ones; empty once a run has removed the result, or found that it is gone.
    """

    line: int
    files: Mapping[str, str]

    def wrong(self, out: Path, study_key: str) -> str:
        """The first file that is missing, not as logged or cannot be read, empty if there is none."""
        for ending, recorded in self.files.items():
            path = out / f"{study_key}{ending}"
            try:
                if not path.exists():
                    return f"{path.name} is missing"
                if not path.is_file() or sha256(path) != recorded:
                    return f"{path.name} is not as logged"
            except OSError as error:
                return f"{path.name} cannot be read: {error.strerror}"
        return ""

    def look(self, out: Path, study_key: str) -> tuple[object, ...]:
        """What the file system says of the files without reading them; it changes with whatever changes one of them."""
        return (self.line, *(_look(out / f"{study_key}{ending}") for ending in self.files))


@dataclass
class Ledger:
    """What the entries say of the files in the folder.

    Args:
        results: study key -> the last entry on it.
        worklist: SHA-256 of the last worklist, empty if none was written since the last run began.
        run: the last entry of the kind `run`, None if there is none.
        events: how many entries of each kind.
        torn_bytes: length of each torn line that was closed.
    """

    results: dict[str, Logged] = field(default_factory=dict)
    worklist: str = ""
    run: dict[str, Any] | None = None
    events: Counter[str] = field(default_factory=Counter)
    torn_bytes: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, chain: Chain) -> "Ledger":
        """The ledger of a whole log."""
        ledger = cls()
        for entry, line in zip(chain.entries, chain.lines, strict=True):
            ledger.take(entry, line)
        return ledger

    def files(self, study_key: str) -> Mapping[str, str]:
        """The files of a study's last result, empty if it has none."""
        logged = self.results.get(study_key)
        return {} if logged is None else logged.files

    def holds(self, out: Path, study_key: str) -> bool:
        """True if the stored result of a study is the one that was logged, byte for byte."""
        return ".json" in self.files(study_key) and not self.results[study_key].wrong(out, study_key)

    def take(self, entry: Mapping[str, Any], line: int) -> None:
        """Add one entry."""
        self.events[entry["event"]] += 1
        if "torn_bytes" in entry:
            self.torn_bytes.append(entry["torn_bytes"])
        if entry["event"] == "result":
            self.results[entry["study_key"]] = Logged(line, entry["files"])
        elif entry["event"] in ("gone", "removed"):
            self.results[entry["study_key"]] = Logged(line, {})
        elif entry["event"] == "worklist":
            self.worklist = entry["sha256"]
        elif entry["event"] == "run":
            self.run, self.worklist = dict(entry), ""


def strays(out: Path, ledger: Ledger) -> dict[str, list[str]]:
    """The files that bear a study's key and are none of its last result, by study key; in order.

    Raises:
        OutputError: if the folder cannot be read.
    """
    found: dict[str, list[str]] = {}
    with writing(out):
        names = sorted(path.name for path in out.iterdir())
    for name in names:
        match = _OF_A_STUDY.fullmatch(name)
        if match and match[2] not in ledger.files(match[1]):
            found.setdefault(match[1], []).append(name)
    return found


def _look(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def read_log(path: Path) -> Chain:
    """The chain of a log; an empty one if there is no such file yet.

    Raises:
        OutputError: if it cannot be read.
    """
    try:
        return read_chain(path.read_bytes()) if path.exists() else Chain()
    except OSError as error:
        raise OutputError(f"the audit log {path} cannot be read: {error.strerror}") from error


def sound_log(path: Path) -> Chain:
    """The chain of a log that may be added to.

    Raises:
        IntegrityError: if the log was changed.
        OutputError: if it cannot be read.
    """
    chain = read_log(path)
    if chain.broken:
        raise IntegrityError(
            f"audit log {path}: {chain.broken}; keep the file as it is, and choose another output folder"
        )
    return chain


class AuditLog:
    """The log of one output folder, to be added to while its lock is held.

    Args:
        out: the folder.
        now: the time, in UTC.

    Raises:
        IntegrityError: if the log was changed; nothing is added to it then.
        OutputError: if it cannot be read or written.
    """

    def __init__(self, out: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path, self._now = out / AUDIT, now
        self._verdicts: dict[str, tuple[tuple[object, ...], str]] = {}
        torn = self._load()
        try:
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._unwritable(error) from error
        self._mend(torn)
        if not self._entries:
            self.record("log", schema_version=AUDIT_VERSION)

    def _load(self) -> bytes | None:
        """Read what is there; gives what is torn at its end."""
        chain = sound_log(self.path)
        self.ledger = Ledger.of(chain)
        self._entries, self._lines = len(chain.entries), max(chain.lines, default=0)
        self.head = chain.head
        self._certain = True
        return chain.torn

    def record(self, event: str, **content: Any) -> None:
        """Add an entry; it is on the disk when this returns.

        Raises:
            OutputError: if it cannot be written.
        """
        if not self._certain:  # an interrupt or a full disk came in between: only the file knows how far it got
            self._mend(self._load())
        self._append(event, content, b"")

    def holds(self, out: Path, study_key: str) -> bool:
        """True if the stored result of a study is the one that was logged, byte for byte."""
        return ".json" in self.ledger.files(study_key) and not self.wrong(out, study_key)

    def wrong(self, out: Path, study_key: str) -> str:
        """As `Logged.wrong` of the last entry; files are read once, and again if the file system tells of a change."""
        logged = self.ledger.results.get(study_key)
        if logged is None:
            return ""
        seen = logged.look(out, study_key)  # before they are read: what changes meanwhile is read again
        known = self._verdicts.get(study_key)
        if known is None or known[0] != seen:
            known = self._verdicts[study_key] = seen, logged.wrong(out, study_key)
        return known[1]

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)

    def _mend(self, torn: bytes | None) -> None:
        """Close a torn line and say so; nothing that was ever written is taken away."""
        if torn is None:
            return
        self._lines += torn.count(b"\n") + 1 if torn else 0
        kept = torn[:1000].decode("ascii", "backslashreplace")
        content = {"torn": kept, "torn_bytes": len(torn), "torn_sha256": hashlib.sha256(torn).hexdigest()}
        if self._entries:
            self._append(HEALED, content, b"\n")
        else:
            self._append("log", content | {"schema_version": AUDIT_VERSION}, b"\n")

    def _append(self, event: str, content: Mapping[str, Any], before: bytes) -> None:
        time = self._now().isoformat(timespec="milliseconds")
        whole = {"event": event, "time": time, "software_version": __version__} | dict(content)
        line, head = seal(whole, self._entries, self.head)
        left, self._certain = before + line, False
        try:
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as error:
            raise self._unwritable(error) from error
        self._entries, self._lines, self.head = self._entries + 1, self._lines + 1, head
        self.ledger.take(whole, self._lines)
        self._certain = True

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write the audit log {self.path}: {error.strerror}; is there space?")


@contextmanager
def audit_log(out: Path) -> Iterator[AuditLog]:
    """An open log, closed on the way out."""
    log = AuditLog(out)
    try:
        yield log
    finally:
        log.close()
