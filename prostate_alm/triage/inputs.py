"""What there is to triage: the studies behind the given paths, and the key of what a result was computed from."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prostate_alm import __version__
from prostate_alm.errors import NoInputError
from prostate_alm.studies import find_studies
from prostate_alm.triage.decision import SCHEMA_VERSION, plain
from prostate_alm.triage.privacy import describe, path_words

if TYPE_CHECKING:
    from prostate_alm.studies import Keys, StudyFiles
    from prostate_alm.triage.judge import Judge


@dataclass(frozen=True)
class Found:
    """One row of the worklist to be.

    Args:
        study_key: the salted key; of the path itself where no study could be read.
        where: for the terminal only.
        study: None if there is nothing that can be decided.
        reasons: why not.
    """

    study_key: str
    where: Path
    study: "StudyFiles | None" = None
    reasons: tuple[str, ...] = ()


def find_inputs(paths: Sequence[Path], keys: "Keys") -> list[Found]:
    """All studies behind the paths, each once, in the order of their discovery.

    A path in which no study can be read stands in the list too, without a study. A study that two paths hold with
    different files stands there without a study as well: neither path has all of it for certain.

    Raises:
        NoInputError: if no study could be read behind any path.
    """
    studies: dict[str, list[StudyFiles]] = {}
    unread: list[Found] = []
    mistakes: list[Exception] = []
    for path in paths:
        try:
            found = find_studies(path)
            if not found:
                raise NoInputError(f"{path} holds no readable DICOM study")
        except Exception as error:
            mistakes.append(error)
            reason = f"no study can be read here: {describe(error, path_words(path.resolve()))}"
            unread.append(Found(_path_key(path, keys), path, reasons=(reason,)))
            continue
        for study in found:
            studies.setdefault(keys.study(study.uid), []).append(study)
    if not studies:
        raise _no_input(mistakes)
    return [_once(key, copies) for key, copies in studies.items()] + list(
        {item.study_key: item for item in unread}.values()
    )


def _no_input(mistakes: list[Exception]) -> NoInputError:
    if not mistakes:
        return NoInputError("no study was given; name a folder of DICOM files")
    first = mistakes[0]
    if isinstance(first, NoInputError):
        return first
    mistake = NoInputError(f"no study can be read: {type(first).__name__}: {first}; --debug shows where")
    mistake.__cause__ = first
    return mistake


def _path_key(path: Path, keys: "Keys") -> str:
    return keys.study(f"path {path.resolve()}")


def _once(study_key: str, copies: "list[StudyFiles]") -> Found:
    first, where = copies[0], Path(copies[0].folder)
    if len({content_hash(files_of(study)) for study in copies}) > 1:
        reason = "the given paths hold different files of this study; give one path that holds it whole"
        return Found(study_key, where, reasons=(reason,))
    return Found(study_key, where, first)


def files_of(study: "StudyFiles") -> list[Path]:
    """Every file that belongs to the study, the unreadable ones too."""
    return [Path(file.path) for file in study.files] + [Path(path) for path, _ in study.unreadable]


def content_hash(files: Iterable[Path]) -> str:
    """SHA-256 over the contents of files, whatever their names and order."""
    digests = []
    for path in files:
        try:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            digests.append(type(error).__name__)
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def inputs_key(study: "StudyFiles", judge: "Judge") -> str:
    """The hash of everything that a decision follows from: files, model, threshold, settings, software.

    By content, not by name, size or date: a study that was sent again in full is the same study, one with a single
    changed byte is not.
    """
    predictor = judge.predictor
    parts = {
        "files": content_hash(files_of(study)),
        "model": [predictor.name, predictor.version, predictor.sha256, predictor.notice],
        "training_ranges": judge.training_ranges,
        "threshold": asdict(judge.threshold),
        "harmonise": judge.harmonise,
        "software": [__version__, SCHEMA_VERSION],
    }
    return hashlib.sha256(json.dumps(plain(parts), sort_keys=True).encode()).hexdigest()
