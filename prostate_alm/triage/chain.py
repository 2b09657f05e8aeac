"""Lines of JSON, each chained to the one before by SHA-256: what was written once cannot be changed unnoticed.

A line is canonical JSON (keys in order, ASCII, no spaces) with `entry` (from 0), `previous` (the hash of the entry
before; zeros for the first) and `hash`, the SHA-256 of the same JSON without `hash`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

START = "0" * 64
HEALED = "healed"
"""The event of the entry that follows a torn line, and names its bytes by their SHA-256 in `torn_sha256`."""


@dataclass(frozen=True)
class Chain:
    """What a log holds.

    Args:
        entries: those that hang together from the first on.
        lines: the line of each, from 1.
        head: hash of the last of them.
        torn: what stands behind it, without the end of a line: a write that was cut short. None if nothing does, and
            empty if it was cut between the last entry and the end of its line.
        broken: what is wrong behind it if it is not that, with the line; empty if nothing is.
    """

    entries: tuple[dict[str, Any], ...] = ()
    lines: tuple[int, ...] = ()
    head: str = START
    torn: bytes | None = None
    broken: str = ""


def seal(content: dict[str, Any], entry: int, previous: str) -> tuple[bytes, str]:
    """The line of an entry, with its end, and its hash.

    Args:
        content: JSON values.
        entry: its number, from 0.
        previous: hash of the entry before.

    Example:
        >>> line, head = seal({"event": "log"}, 0, START)
        >>> read_chain(line).head == head, read_chain(line.replace(b"log", b"lob")).broken
        (True, 'line 1 was changed: its content does not match its hash')
    """
    whole = content | {"entry": entry, "previous": previous}
    head = hashlib.sha256(canonical(whole)).hexdigest()
    return canonical(whole | {"hash": head}) + b"\n", head


def canonical(content: dict[str, Any]) -> bytes:
    """The one way in which a content is written."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def read_chain(data: bytes) -> Chain:
    """The entries of a log, as far as they hang together.

    A torn line is passed over if the entry behind it says so, with its hash.
    """
    *whole, rest = data.split(b"\n")
    entries: list[dict[str, Any]] = []
    lines: list[int] = []
    head, torn, wrong = START, list[bytes](), ""
    for number, line in enumerate(whole, start=1):
        found, problem = _entry(line, len(entries), head)
        if found is not None and _follows(found, torn):
            entries.append(found)
            lines.append(number)
            head, torn, wrong = found["hash"], [], ""
        else:
            wrong = wrong or f"line {number} {problem or 'does not follow the line before'}"
            torn.append(line)
    last = _entry(rest, len(entries), head)[0] if rest else None
    if last is not None and _follows(last, torn):
        return Chain((*entries, last), (*lines, len(whole) + 1), last["hash"], torn=b"")
    whole_part = Chain(tuple(entries), tuple(lines), head)
    if not rest and not torn:
        return whole_part
    if rest and not any(_sealed(line) for line in torn):
        return replace(whole_part, torn=b"\n".join([*torn, rest]))
    return replace(whole_part, broken=wrong)


def _follows(entry: dict[str, Any], torn: Sequence[bytes]) -> bool:
    if not torn:
        return True
    bytes_between = hashlib.sha256(b"\n".join(torn)).hexdigest()
    return entry.get("event") == HEALED and entry.get("torn_sha256") == bytes_between


def _entry(line: bytes, number: int, previous: str) -> tuple[dict[str, Any] | None, str]:
    """The entry of a line, or what is wrong with it."""
    content = _parsed(line)
    if content is None:
        return None, "cannot be read"
    if not _matches(line, content):
        return None, "was changed: its content does not match its hash"
    if content.get("previous") != previous or content.get("entry") != number:
        return None, "does not follow the line before: lines were changed, added or taken away"
    return content, ""


def _sealed(line: bytes) -> bool:
    content = _parsed(line)
    return content is not None and _matches(line, content)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _matches(line: bytes, content: dict[str, Any]) -> bool:
    """True if the line is written as `seal` writes it, byte for byte, and its hash is right."""
    try:
        bare = {name: value for name, value in content.items() if name != "hash"}
        return canonical(content) == line and content.get("hash") == hashlib.sha256(canonical(bare)).hexdigest()
    except ValueError:  # NaN
        return False
