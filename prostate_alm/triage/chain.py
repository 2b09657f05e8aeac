"""Lines of JSON, each chained to the one before by SHA-256: what was written once cannot be changed unnoticed.

A line is canonical JSON (keys in order, ASCII, no spaces) with `entry` (from 0), `previous` (the hash of the entry
before; zeros for the first) and `hash`, the SHA-256 of the same JSON without `hash`.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

START = "0" * 64
HEALED = "healed"
"""The event of the entry that follows a torn line, and names its bytes by their SHA-256 in `torn_sha256`.

The first entry of a log may do that too, whatever its event.
"""
_VALUE = r'"(?:[^"\\]|\\.)*\\?"?|[-+.0-9a-zA-Z]*|[\[{][ -\x7f]*'
_MEMBER = re.compile(rf'("[a-z_0-9]*("(:({_VALUE}))?)?)?')
"""What a member that is cut off looks like."""


@dataclass(frozen=True)
class Chain:
    """What a log holds.

    Args:
        entries: those that hang together from the first on.
        lines: the line of each, from 1.
        head: hash of the last of them.
        torn: what stands behind it, without the end of a line: a write that was cut short, and further ones that were
            to close it. None if nothing does, and empty if it was cut between the last entry and the end of its line.
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

    A torn line is passed over if the entry behind it says so, with its hash. A line that no write can have left, such
    as a whole one that was changed, is never taken for a torn one.
    """
    *whole, rest = data.split(b"\n")
    entries: list[dict[str, Any]] = []
    lines: list[int] = []
    head, torn, wrong = START, list[bytes](), ""
    for number, line in enumerate(whole, start=1):
        found, problem = _entry(line, len(entries), head)
        if found is not None and _follows(found, torn, head):
            entries.append(found)
            lines.append(number)
            head, torn, wrong = found["hash"], [], ""
        else:
            wrong = wrong or f"line {number} {problem or 'does not follow the line before'}"
            torn.append(line)
    last = _entry(rest, len(entries), head)[0] if rest else None
    if last is not None and _follows(last, torn, head):
        return Chain((*entries, last), (*lines, len(whole) + 1), last["hash"], torn=b"")
    whole_part = Chain(tuple(entries), tuple(lines), head)
    if not rest and not torn:
        return whole_part
    if rest and _torn([*torn, rest], len(entries), head):
        return replace(whole_part, torn=b"\n".join([*torn, rest]))
    problem = _entry(rest, len(entries), head)[1] or "does not follow the line before"
    return replace(whole_part, broken=wrong or f"line {len(whole) + 1} {problem}")


def _follows(entry: dict[str, Any], torn: Sequence[bytes], previous: str) -> bool:
    if not torn:
        return True
    closes = entry.get("event") == HEALED or entry["entry"] == 0
    return closes and entry.get("torn_sha256") == _hash_of(torn) and _torn(torn, entry["entry"], previous)


def _hash_of(torn: Sequence[bytes]) -> str:
    return hashlib.sha256(b"\n".join(torn)).hexdigest()


def _torn(lines: Sequence[bytes], number: int, previous: str) -> bool:
    """True if the lines are the next entry, cut off, and then entries that were to close it, cut off too."""
    for place, line in enumerate(lines):
        begun = _begun(line)
        if begun is None or begun.get("entry", number) != number or begun.get("previous", previous) != previous:
            return False
        if place and not _closing(line, number):
            return False
        if place and begun.get("torn_sha256", _hash_of(lines[:place])) != _hash_of(lines[:place]):
            return False
    return True


def _closing(line: bytes, number: int) -> bool:
    """True if a line that is cut off can be the beginning of an entry that closes a torn one."""
    start = f'{{"entry":{number},"event":"'
    starts = [f'{start}{HEALED}"'.encode(), *([f'{start}log"'.encode()] if number == 0 else [])]
    written = line.rstrip(b"\0")
    return any(written.startswith(each) or each.startswith(written) for each in starts)


def _begun(line: bytes) -> dict[str, Any] | None:
    """The whole members of an entry that is cut off, None if its writing cannot have ended there.

    A power cut can leave zeros in place of the end.
    """
    try:
        text = line.rstrip(b"\0").decode("ascii")
    except ValueError:
        return None
    if not text:
        return {}
    found = _members(text) if text.startswith("{") and _parsed(text.encode()) is None else None
    if found is None:
        return None
    members, place = found
    known = canonical(members).decode()[:-1] + ("," if members else "")
    return members if text[:place] == known and _MEMBER.fullmatch(text, place) else None


def _members(text: str) -> tuple[dict[str, Any], int] | None:
    """The members of an object that have their comma, and where the next one begins; None if a value ends otherwise."""
    decoder, members, place = json.JSONDecoder(), dict[str, Any](), 1
    try:
        while True:
            name, colon = decoder.raw_decode(text, place)
            value, end = decoder.raw_decode(text, colon + 1)
            if end == len(text):
                return members, place
            if not isinstance(name, str) or text[end] != ",":
                return None
            members[name], place = value, end + 1
    except (ValueError, RecursionError):
        return members, place


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
