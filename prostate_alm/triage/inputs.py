"""What there is to triage: the studies behind the given paths, each once, and what cannot be read."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from prostate_alm.errors import NoInputError, OutputError
from prostate_alm.studies import FILES, UNREADABLE, open_studies
from prostate_alm.triage.identity import content_hash, files_of, place_key
from prostate_alm.triage.privacy import describe, path_words, scrub

if TYPE_CHECKING:
    from prostate_alm.studies import Keys, Rules, StudyFiles


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
    """

    study_key: str
    where: Path
    study: "StudyFiles | None" = None
    reasons: tuple[str, ...] = ()
    uid: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)
    content: str | None = None
    lost: frozenset[Path] = frozenset()


def find_inputs(paths: Sequence[Path], keys: "Keys", rules: "Rules", stack: ExitStack) -> list[Found]:
    """All studies behind the paths, each once, in the order of their discovery.

    What cannot be read stands in the list too, without a study: a path without any, and a study all of whose files are
    damaged. A study that two paths hold with different files does so as well: neither path has all of it for certain.

    Args:
        paths: folders, files and zip archives.
        keys: the site's keys.
        rules: the site's rules.
        stack: keeps unpacked archives until it is closed.

    Raises:
        NoInputError: if no study could be read behind any path.
        OutputError: if an archive cannot be unpacked.
    """
    studies: dict[str, list[StudyFiles]] = {}
    unread: list[Found] = []
    mistakes: list[Exception] = []
    for path in paths:
        try:
            found = stack.enter_context(open_studies(path, rules))
            if not found:
                raise NoInputError(f"{path} holds no readable DICOM study")
        except OutputError:  # a full disk is nothing that a study could be blamed for
            raise
        except Exception as error:
            mistakes.append(error)
            what = (  # never the text of a NoInputError, which names files for the terminal
                "no readable DICOM image"
                if isinstance(error, NoInputError)
                else describe(error, path_words(path.resolve()))
            )
            reason = f"no study can be read here: {what}"
            unread.append(Found(place_key(path, keys), path, reasons=(reason,), lost=_tree(path)))
            continue
        for study in found:
            known = _stated_uid(study) or study.files
            key = keys.study(study.uid) if known else place_key(Path(study.folder), keys)
            studies.setdefault(key, []).append(study)
    if not studies:
        raise _no_input(mistakes)
    known = [_once(key, copies) for key, copies in studies.items()]
    others = {item.study_key: item for item in unread if item.study_key not in studies}
    return [*known, *others.values()]


def _no_input(mistakes: list[Exception]) -> NoInputError:
    if not mistakes:
        return NoInputError("no study was given; name a folder of DICOM files")
    first = mistakes[0]
    if isinstance(first, NoInputError):
        return first
    mistake = NoInputError(f"no study can be read: {type(first).__name__}: {first}; --debug shows where")
    mistake.__cause__ = first
    return mistake


def _stated_uid(study: "StudyFiles") -> str:
    """The StudyInstanceUID; empty where the files state none: volume files, or damage."""
    return "" if study.uid.startswith((FILES, UNREADABLE)) else study.uid


def _once(study_key: str, copies: "list[StudyFiles]") -> Found:
    first = copies[0]
    item = Found(
        study_key,
        Path(first.folder),
        uid=_stated_uid(first),
        accession=first.accession or "",
        lost=frozenset(folder for study in copies if not study.files for folder in _folders(study)),
    )
    contents = [content_hash(files_of(study)) for study in copies] if len(copies) > 1 else [None]
    if len(set(contents)) > 1:
        return replace(
            item, reasons=("the given paths hold different files of this study; give one path that holds it whole",)
        )
    if not first.files:
        return replace(item, reasons=(_damage(first),))
    return replace(item, study=first, content=contents[0])


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
