"""Is an audit log whole, and are the results beside it those that it tells of?"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prostate_alm.errors import IntegrityError, NoInputError
from prostate_alm.files import sha256
from prostate_alm.triage.audit import AUDIT, AUDIT_VERSION, Ledger, read_log
from prostate_alm.triage.chain import Chain
from prostate_alm.triage.worklist import WORKLIST, stored_keys


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

    Args:
        path: the log, or the folder that holds it.
        head: a hash that was noted earlier; the entry must still be there.
        alone: check the log only, for one that was copied elsewhere.

    Raises:
        NoInputError: if there is no such file.
        IntegrityError: if anything differs; says which line or file.
    """
    path = path / AUDIT if path.is_dir() else path
    if not path.is_file():
        raise NoInputError(f"{path} does not exist; give the {AUDIT} of an output folder of 'prostate-alm triage'")
    chain = read_log(path)
    if problem := _wrong_chain(chain) or _wrong_head(chain, head):
        raise IntegrityError(f"{path}: {problem}")
    ledger = Ledger.of(chain)
    if not alone and (problem := next(_wrong_files(path.parent, ledger), "")):
        raise IntegrityError(f"{path}: {problem}")
    return Verified(len(chain.entries), chain.head, tuple(_notes(ledger)))


def _wrong_chain(chain: Chain) -> str:
    if chain.broken:
        return chain.broken
    if chain.torn is not None:
        last = max(chain.lines, default=0) + (1 if chain.torn else 0)
        return f"line {last} is not whole: a run was stopped while it wrote; triage again with --resume, which heals it"
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


def _wrong_files(out: Path, ledger: Ledger) -> Iterator[str]:
    for key, logged in sorted(ledger.results.items(), key=lambda item: item[1].line):
        if problem := logged.wrong(out, key):
            yield (
                f"{problem} (line {logged.line}): it was changed or taken away, or the run was stopped; triage again"
            )
    for key in stored_keys(out):
        if not ledger.files(key):
            yield f"{key}.json is in the folder and not in the log; triage its study again"
    worklist = out / WORKLIST
    if worklist.is_file() and sha256(worklist) != ledger.worklist:
        yield f"{WORKLIST} is not as logged: it was changed; triage again to write it anew"


def _notes(ledger: Ledger) -> Iterator[str]:
    told = {
        "healed": "a line that was torn by a stop was closed",
        "changed": "a result that was not as logged was found",
        "gone": "a result was found to be gone",
    }
    for event, text in told.items():
        if count := ledger.events[event]:
            yield f"{text}, {count} {'time' if count == 1 else 'times'}"
