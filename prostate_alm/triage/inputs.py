"""What there is to triage: the studies behind the given paths, each once, and what cannot be read."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from prostate_alm.errors import NoInputError, OutputError
from prostate_alm.studies import FILES, UNREADABLE, open_studies
from prostate_alm.studies.archives import RefusedArchiveError
from prostate_alm.triage.identity import content_hash, files_of, place_key
from prostate_alm.triage.privacy import describe, path_words, scrub
from prostate_alm.triage.scratch import no_room

if TYPE_CHECKING:
    from prostate_alm.studies import Keys, Rules, StudyFiles

Opener = Callable[[Path, "Rules"], "AbstractContextManager[list[StudyFiles]]"]
DIFFERENT = "the given paths hold different files of this study; give one path that holds it whole"


@dataclass(frozen=True)
class Found:
    """One row of the worklist to be.

    Args:
        study_key: the salted key; of the place where no StudyInstanceUID is known.
        where: for the terminal and the key map only.
        study: None if there is nothing that can be decided.
        reasons: why not.
        uid: StudyInstanceUID, empty if unknown; for the key map only.
        accession: AccessionNumber, empty if unknown; for the key map only.
        content: the hash of the study's files, None if it was not needed yet.
        lost: the folders in which no file of a study can be read.
        source: the path to be opened again before the files can be read, as that of an archive; None if they lie there.
        told: why it cannot be read, with names, for the terminal only; empty if the reasons say all.
    """

    study_key: str
    where: Path
    study: "StudyFiles | None" = None
    reasons: tuple[str, ...] = ()
    uid: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)
    content: str | None = None
    lost: frozenset[Path] = frozenset()
    source: Path | None = None
    told: str = field(default="", repr=False)


class Shelf:
    """Opens one input at a time, so that of many archives no more than one is unpacked.

    Args:
        rules: the site's rules.
        opener: gives the studies behind a path, readable as long as its block lasts; None is `open_studies`.
    """

    def __init__(self, rules: "Rules", opener: Opener | None = None) -> None:
        self._rules, self._opener = rules, opener
        self._stack, self._path = ExitStack(), None
        self._studies: list[StudyFiles] = []

    def studies(self, path: Path) -> "list[StudyFiles]":
        """The studies behind a path; whatever was open before is closed, unless it is the same path.

        Raises:
            NoInputError: as `open_studies`, and if there is none.
            OutputError: if an archive cannot be unpacked, or removed.
        """
        if path != self._path:
            self.close()
            self._studies = self._stack.enter_context((self._opener or open_studies)(path, self._rules))
            self._path = path
        if not self._studies:
            raise NoInputError(f"{path} holds no readable DICOM study")
        return self._studies

    def files(self, item: Found) -> "StudyFiles | None":
        """The files of a study, which can be read until the next call; None if they have changed since it was found."""
        if item.source is None or item.study is None:
            return item.study
        if any(study is item.study for study in self._studies):  # not closed since it was found
            return item.study
        try:
            found = [study for study in self.studies(item.source) if study.uid == item.study.uid]
        except OutputError:
            raise
        except Exception as error:  # whatever opened once and does not any more has changed
            if (full := no_room(error)) is not None:
                raise full from error
            return None
        return found[0] if found and content_hash(files_of(found[0])) == item.content else None

    def close(self) -> None:
        """Close what is open; an unpacked archive is removed."""
        self._path, self._studies = None, []
        self._stack.close()

    def __enter__(self) -> "Shelf":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class _Copy:
    """A study as one path holds it."""

    study: "StudyFiles"
    source: Path | None
    content: str | None

    def hashed(self) -> "_Copy":
        return self if self.content is not None else replace(self, content=content_hash(files_of(self.study)))


def absent(paths: Sequence[Path]) -> list[Path]:
    """Those of the given paths at which there is nothing: mistyped, or gone; a link that leads nowhere is something.

    Raises:
        NoInputError: if that is so of all of them.
    """
    missing = [path for path in paths if _is_absent(path)]
    if missing and len(missing) == len(paths):
        raise NoInputError(f"{missing[0]} does not exist; give a folder with the files of a study")
    return missing


def find_inputs(paths: Sequence[Path], keys: "Keys", shelf: Shelf) -> list[Found]:
    """All studies behind the paths, each once, in the order of their discovery.

    What cannot be read stands in the list too, without a study: a path without any, and a study all of whose files are
    damaged. A study that two paths hold with different files does so as well: neither path has all of it for certain.

    Args:
        paths: folders, files and zip archives.
        keys: the site's keys.
        shelf: opens them.

    Raises:
        NoInputError: if no study could be read behind any path.
        OutputError: if an archive cannot be unpacked.
    """
    found, mistakes = search(paths, keys, shelf)
    if all(mistake is not None for mistake in mistakes):
        raise _no_input([mistake for mistake in mistakes if mistake is not None])
    return found


def search(paths: Sequence[Path], keys: "Keys", shelf: Shelf) -> tuple[list[Found], list[Exception | None]]:
    """As `find_inputs`, and for every path what kept it from being read, None if nothing did."""
    copies: dict[str, list[_Copy]] = {}
    unread: list[Found] = []
    mistakes: list[Exception | None] = []
    for path in paths:
        try:
            for key, copy in _copies(path, keys, shelf):
                copies.setdefault(key, []).append(copy)
            mistakes.append(None)
        except OutputError:  # a full disk is nothing that a study could be blamed for
            raise
        except Exception as error:
            if (full := no_room(error)) is not None:
                raise full from error
            mistakes.append(error)
            unread.append(_unread(path, error, keys))
    known = [_once(key, same) for key, same in copies.items()]
    others = {item.study_key: item for item in unread if item.study_key not in copies}
    return [*known, *others.values()], mistakes


def _copies(path: Path, keys: "Keys", shelf: Shelf) -> "list[tuple[str, _Copy]]":
    found: list[tuple[str, _Copy]] = []
    for study in shelf.studies(path):
        key = keys.study(study.uid) if _stated_uid(study) or study.files else place_key(Path(study.folder), keys)
        # what does not lie below the path lies in a temporary folder
        lasting = all(place.is_relative_to(path) for place in files_of(study))
        copy = _Copy(study, None if lasting else path, None)
        found.append((key, copy if lasting else copy.hashed()))
    return found


def _unread(path: Path, error: Exception, keys: "Keys") -> Found:
    reason = f"no study can be read here: {_why(path, error)}"
    return Found(place_key(path, keys), path, reasons=(reason,), lost=_tree(path), told=str(error))


def _why(path: Path, error: Exception) -> str:
    """What may be stored of an error; never the text of a NoInputError, which names files for the terminal."""
    if isinstance(error, RefusedArchiveError):
        return error.why
    if not isinstance(error, NoInputError):
        return describe(error, path_words(path.resolve()))
    if not path.exists():
        return "it does not exist any more"
    if path.is_dir() and not any(names for _, _, names in os.walk(path)):
        return "there is no file in it"
    return "no readable DICOM image"


def _no_input(mistakes: list[Exception]) -> NoInputError:
    if not mistakes:
        return NoInputError("no study was given; name a folder of DICOM files")
    first = mistakes[0]
    if isinstance(first, NoInputError):
        return first
    mistake = NoInputError(f"no study can be read: {type(first).__name__}: {first}; --debug shows where")
    mistake.__cause__ = first
    return mistake


def _is_absent(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it is there, and may not be looked at
        return False
    return False


def _stated_uid(study: "StudyFiles") -> str:
    """The StudyInstanceUID; empty where the files state none: volume files, or damage."""
    return "" if study.uid.startswith((FILES, UNREADABLE)) else study.uid


def _once(study_key: str, copies: "list[_Copy]") -> Found:
    copies = [copy.hashed() for copy in copies] if len(copies) > 1 else copies
    first = min(copies, key=lambda copy: copy.source is not None)  # rather one that need not be unpacked again
    item = Found(
        study_key,
        Path(first.study.folder),
        uid=_stated_uid(first.study),
        accession=first.study.accession or "",
        lost=frozenset(folder for copy in copies if not copy.study.files for folder in _folders(copy.study)),
        content=first.content,
    )
    if len({copy.content for copy in copies}) > 1:
        return replace(item, reasons=(DIFFERENT,))
    if not first.study.files:
        return replace(item, reasons=(_damage(first.study),))
    return replace(item, study=first.study, source=first.source)


def _damage(study: "StudyFiles") -> str:
    damaged = [reason for _, reason in study.unreadable]
    first = f", the first: {damaged[0]}" if damaged else ""
    words = path_words(Path(study.folder).resolve())
    return scrub(f"none of the study's files can be read, {len(damaged)} are damaged{first}", words)


def _tree(path: Path) -> frozenset[Path]:
    return frozenset({path.resolve(), *(Path(folder) for folder, _, _ in os.walk(path.resolve()))})


def _folders(study: "StudyFiles") -> set[Path]:
    """The study's folder and those below it that hold its files."""
    top = Path(study.folder).resolve()
    folders = {folder for path, _ in study.unreadable for folder in path.resolve().parents}
    return {folder for folder in folders if folder.is_relative_to(top)} | {top}
