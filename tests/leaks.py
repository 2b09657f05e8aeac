"""Looks for planted strings in whatever a program leaves behind, in every form in which they may hide.

A form is how the string stands there: an encoding, an escape of HTML, JSON or URLs, base64, hex, an unsalted hash.
Upper and lower case are one, but for base64, where they cannot be.
"""

import base64
import gzip
import hashlib
import html.entities
import io
import json
import re
import unicodedata
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

SHORTEST = 4
"""Characters of the shortest part that is looked for."""
_ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")
_HASHES = ("md5", "sha1", "sha256", "sha512")
_DEEPEST = 3


@dataclass(frozen=True)
class Secret:
    """A planted string.

    Args:
        what: where it was planted, for messages.
        text: the string.
        divided: its words are looked for as well.
    """

    what: str
    text: str
    divided: bool = True

    @property
    def parts(self) -> set[str]:
        """The string and its words of four characters and more, beyond ASCII of two."""
        words = re.split(r"[\W_]+", self.text) if self.divided else []
        return {self.text, *(word for word in words if len(word) >= SHORTEST or len(word.encode()) >= 2 * SHORTEST - 2)}


@dataclass(frozen=True)
class Leak:
    """A planted string that was found."""

    place: str
    what: str
    text: str
    form: str


def forms_of(text: str) -> dict[str, set[bytes]]:
    """Form -> the byte strings to look for, in lower case where case does not matter."""
    found = _encoded(text)
    plain = found["utf-8"] | found["latin-1"]
    found["HTML"] = _ascii(text, lambda letter: f"&{html.entities.codepoint2name.get(ord(letter), f'#{ord(letter)}')};")
    found["HTML, decimal"] = _ascii(text, lambda letter: f"&#{ord(letter)};")
    found["HTML, hex"] = _ascii(text, lambda letter: f"&#x{ord(letter):x};")
    found["escaped"] = {json.dumps(each)[1:-1].encode().lower() for each in _spellings(text)}
    found["escaped, Python"] = {
        written.encode("ascii", "backslashreplace").lower()
        for each in _spellings(text)
        for written in (each, each.encode("latin-1", "ignore").decode("ascii", "surrogateescape"))
    }
    found["UTF-8 taken for Latin-1"] = {each.decode("latin-1").encode() for each in found["utf-8"]}
    found["URL"] = {quote(each, safe="").lower().encode() for each in plain}
    found["hex"] = {each.hex().encode() for each in _cased(text) if len(each) > SHORTEST}
    found["base64"] = {core for each in _cased(text) if len(each) > SHORTEST + 1 for core in _base64_cores(each)}
    found["unsalted hash"] = {
        hashlib.new(name, each.encode()).hexdigest()[:16].encode() for name in _HASHES for each in _spellings(text)
    }
    return found


def _spellings(text: str) -> set[str]:
    cased = {text, text.lower(), text.upper(), text.title()}
    return {unicodedata.normalize(form, each) for form in ("NFC", "NFD") for each in cased}


def _encoded(text: str) -> dict[str, set[bytes]]:
    found: dict[str, set[bytes]] = defaultdict(set)
    for encoding in _ENCODINGS:
        for each in _spellings(text):
            try:
                found[encoding].add(each.encode(encoding).lower())
            except UnicodeEncodeError:  # not every alphabet has every letter
                continue
    return found


def _cased(text: str) -> set[bytes]:
    """What hex and base64 may be made of: bytes whose case is kept."""
    return {each.encode(encoding, "ignore") for each in _spellings(text) for encoding in ("utf-8", "latin-1")}


def _ascii(text: str, escape: Callable[[str], str]) -> set[bytes]:
    """Every letter beyond ASCII, and what is special in HTML, escaped."""
    special = "<>&\"'"
    return {
        "".join(escape(letter) if ord(letter) > 127 or letter in special else letter for letter in each)
        .encode()
        .lower()
        for each in _spellings(text)
    }


def _base64_cores(content: bytes) -> set[bytes]:
    """The characters that do not depend on what stands before and after, for each of the three alignments."""
    cores = set()
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + content)
        first, last = -(-8 * shift // 6), 8 * (shift + len(content)) // 6
        cores |= {encoded[first:last], encoded[first:last].translate(bytes.maketrans(b"+/", b"-_"))}
    return cores


class Searcher:
    """Looks for secrets, all at once.

    Args:
        secrets: what must not be found.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._known: dict[bool, dict[bytes, tuple[str, str, str]]] = {True: {}, False: {}}
        for secret in secrets:
            for part in secret.parts:
                for form, needles in forms_of(part).items():
                    for needle in needles:
                        if len(needle) >= SHORTEST:
                            self._known[form != "base64"].setdefault(needle, (secret.what, part, form))
        self._indices = {folded: _Index(known) for folded, known in self._known.items()}

    def find(self, content: bytes, place: str) -> list[Leak]:
        """Every secret in the content, each form once.

        Args:
            content: any bytes; what is packed in them is unpacked.
            place: how messages call it.
        """
        leaks: dict[Leak, None] = {}
        for where, layer in _layers(content, place):
            for folded, index in self._indices.items():
                for needle in index.hits(layer.lower() if folded else layer):
                    leaks[Leak(where, *self._known[folded][needle])] = None
        return list(leaks)

    def find_text(self, text: str, place: str) -> list[Leak]:
        """The same for a text, such as a file's name."""
        return self.find(text.encode("utf-8", "surrogateescape"), place)

    def find_below(self, folder: Path) -> list[Leak]:
        """The same for the names and the contents of everything below a folder."""
        leaks: list[Leak] = []
        for path in sorted(folder.rglob("*")):
            place = path.relative_to(folder.parent).as_posix()
            leaks += self.find_text(path.name, f"the name {place}")
            if path.is_file():
                leaks += self.find(path.read_bytes(), place)
        return leaks


class _Index:
    """Finds thousands of byte strings in one pass: by their first three bytes, then one by one."""

    def __init__(self, needles: Iterable[bytes]) -> None:
        self._by_start: dict[bytes, list[bytes]] = defaultdict(list)
        for needle in needles:
            self._by_start[needle[:3]].append(needle)
        self._starts = np.zeros(1 << 24, dtype=bool)
        for start in self._by_start:
            self._starts[int.from_bytes(start, "little")] = True

    def hits(self, content: bytes) -> set[bytes]:
        letters = np.frombuffer(content, np.uint8).astype(np.uint32)
        if letters.size < SHORTEST:
            return set()
        starts = letters[:-2] | letters[1:-1] << 8 | letters[2:] << 16
        found: set[bytes] = set()
        for place in np.flatnonzero(self._starts[starts]).tolist():
            for needle in self._by_start[content[place : place + 3]]:
                if content.startswith(needle, place):
                    found.add(needle)
        return found


def _layers(content: bytes, place: str, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """The bytes themselves, and what they hold packed by gzip, zlib or zip."""
    yield place, content
    if depth == _DEEPEST:
        return
    if content.startswith(b"\x1f\x8b"):
        yield from _layers(gzip.decompress(content), f"{place} (gzip)", depth + 1)
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from _layers(archive.read(name), f"{place} ({name})", depth + 1)
    if content[:1] == b"\x78" and len(content) > 2 and int.from_bytes(content[:2]) % 31 == 0:
        try:
            yield from _layers(zlib.decompress(content), f"{place} (zlib)", depth + 1)
        except zlib.error:  # it only looked like it
            return
