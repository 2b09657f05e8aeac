"""Is an audit log whole, and are the results beside it those that it tells of?"""

import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from prostate_alm.errors import IntegrityError, NoInputError, UsageError
from prostate_alm.files import is_locked, sha256
from prostate_alm.triage.audit import AUDIT, AUDIT_VERSION, Ledger, read_log, strays
from prostate_alm.triage.chain import Chain
from prostate_alm.triage.worklist import WORKLIST

TRIES, PAUSE = 10, 0.5
"""How often, and after how many seconds, what a run may just be writing is looked at again."""


@dataclass(frozen=True)
class Verified:
    """A log that holds.

    Args:
        entries: how many.
        head: hash of the last one; noted elsewhere, it tells later that no entry was cut off the end.
        notes: what is in order but must be known.
    """

    entries: int
    head: str
    notes: tuple[str, ...]


def verify_log(path: Path, *, head: str | None = None, alone: bool = False) -> Verified:
    """Check the chain of an audit log, and every result and the worklist beside it.

    While a run works in the folder, what differs is held against the log again until it has come to rest.

    Args:
        path: the log, or the folder that holds it.
        head: a hash that was noted earlier; the entry must still be there.
        alone: check the log only, for one that was copied elsewhere.

    Raises:
        NoInputError: if there is no such file.
        UsageError: if `head` is no hash, or a run works so fast that the log cannot be held against the folder.
        IntegrityError: if anything differs; says which line or file.
    """
    path = path / AUDIT if path.is_dir() else path
    if not path.is_file():
        raise NoInputError(f"{path} does not exist; give the {AUDIT} of an output folder of 'prostate-alm triage'")
    head = None if head is None else _hash(head)
    chain = _whole_chain(path)
    if problem := _wrong_head(chain, head):
        raise IntegrityError(f"{path}: {problem}")
    chain, notes = (chain, []) if alone else _against_folder(path, chain)
    return Verified(len(chain.entries), chain.head, (*_notes(Ledger.of(chain)), *notes))


def _hash(head: str) -> str:
    """A hash as the log has it, however it was noted."""
    noted = head.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", noted):
        raise UsageError(f"--head {head[:80]!r}: give all 64 hexadecimal digits of a hash that audit verify printed")
    return noted


def _whole_chain(path: Path) -> Chain:
    """The chain of a log that is whole; a line that a run is just writing is waited for.

    Raises:
        IntegrityError: if it is not whole.
    """
    chain = read_log(path)
    for _ in range(TRIES):
        if chain.torn is None:
            break
        busy = is_locked(path.parent)
        time.sleep(PAUSE if busy else 0)
        chain = read_log(path)
        if not busy:
            break
    if problem := _wrong_chain(chain):
        raise IntegrityError(f"{path}: {problem}")
    return chain


def _against_folder(path: Path, chain: Chain) -> tuple[Chain, list[str]]:
    """Hold the folder against its log, and again what differs, for as long as a run changes both.

    Returns:
        The log as it was last read, and notes.

    Raises:
        UsageError: if what differs has not come to rest.
        IntegrityError: if something differs.
    """
    out, begun, busy = path.parent, chain.head, False
    wrong = first = _wrong_files(out, Ledger.of(chain), None)
    for pause in (0.0, *[PAUSE] * TRIES):
        time.sleep(pause)
        before, chain = chain, _whole_chain(path)
        if chain.entries[: len(before.entries)] != before.entries:
            raise IntegrityError(f"{path}: entries were taken away or changed while it was verified")
        busy = busy or is_locked(out) or chain.head != begun
        wrong = _wrong_files(out, Ledger.of(chain), set(wrong))
        if not wrong or not busy:
            break
    if not wrong:
        return chain, ["a run works in the folder: what it has written meanwhile is not verified"] if busy else []
    newest = chain.entries[-1].get("study_key", WORKLIST) if chain.head != begun else None  # it may not be written yet
    lasting = [problem for name, problem in wrong.items() if first.get(name) == problem and name != newest]
    if not lasting and chain.head != begun:
        raise UsageError(f"a run is working in {out}; verify when it is done")
    raise IntegrityError(f"{path}: {(lasting or list(wrong.values()))[0]}")


def _wrong_chain(chain: Chain) -> str:
    if chain.broken:
        return chain.broken
    if chain.torn is not None:
        last = max(chain.lines, default=0) + (1 if chain.torn else 0)
        return (
            f"line {last} is not whole ({len(chain.torn)} bytes): a run was stopped while it wrote; "
            "triage again with --resume, which heals it"
        )
    if not chain.entries:
        return "it is empty"
    first = chain.entries[0]
    if first.get("event") != "log" or first.get("schema_version") != AUDIT_VERSION:
        return f"line 1 does not begin an audit log of version {AUDIT_VERSION}"
    return ""


def _wrong_head(chain: Chain, head: str | None) -> str:
    if head is None or any(entry["hash"] == head for entry in chain.entries):
        return ""
    return f"no line has the hash {head[:64]}: entries were cut off the end, or it is another log"


def _wrong_files(out: Path, ledger: Ledger, only: Collection[str] | None) -> dict[str, str]:
    """What differs, by study key or the worklist's name, in the order of the log.

    Args:
        out: the folder.
        ledger: what the log says of it.
        only: look at these alone; None for all.
    """
    found: dict[str, str] = {}
    for key, logged in sorted(ledger.results.items(), key=lambda item: item[1].line):
        if (only is None or key in only) and (problem := logged.wrong(out, key)):
            found[key] = (
                f"{problem} (line {logged.line}): it was changed or taken away, or the run was stopped; triage again"
            )
    for key, names in strays(out, ledger).items():
        if only is None or key in only:
            what = "triage its study again" if f"{key}.json" in names else "it is none of this study's; move it away"
            found.setdefault(key, f"{names[0]} is in the folder and not in the log; {what}")
    if (only is None or WORKLIST in only) and (problem := _wrong_worklist(out / WORKLIST, ledger)):
        found[WORKLIST] = problem
    return found


def _wrong_worklist(path: Path, ledger: Ledger) -> str:
    try:
        if path.exists():
            right = path.is_file() and sha256(path) == ledger.worklist
            return "" if right else f"{WORKLIST} is not as logged: it was changed; triage again to write it anew"
    except OSError as error:
        return f"{WORKLIST} cannot be read: {error.strerror}"
    return f"{WORKLIST} is missing: it was taken away, or the run was stopped; triage again" if ledger.worklist else ""


def _notes(ledger: Ledger) -> Iterator[str]:
    told = {
        "a line that was torn by a stop was closed": len(ledger.torn_bytes),
        "a result that was not as logged was found": ledger.events["changed"],
        "a result was found to be gone": ledger.events["gone"],
    }
    for text, count in told.items():
        if count:
            size = f", {sum(ledger.torn_bytes)} bytes in all" if "torn" in text else ""
            yield f"{text}, {count} {'time' if count == 1 else 'times'}{size}"
    if ledger.run is not None and not ledger.worklist:
        yield f"there is no {WORKLIST}: the last run is under way, or it was stopped"
