"""What a result was computed from, as keyed hashes: whether it still stands is a comparison of two of them."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prostate_alm import __version__
from prostate_alm.studies import companions_of, is_volume_file
from prostate_alm.triage.decision import SCHEMA_VERSION, plain

if TYPE_CHECKING:
    from prostate_alm.studies import Keys, StudyFiles
    from prostate_alm.triage.judge import Judge


def place_key(path: Path, keys: "Keys") -> str:
    """The salted key of a place on disk."""
    return keys.study(f"path {path.resolve()}")


def files_of(study: "StudyFiles") -> list[Path]:
    """The study's images and its damaged files; whatever else lies beside them takes no part in the decision."""
    damaged = [Path(skipped.path) for skipped in study.skipped if skipped.damaged]
    images = list(dict.fromkeys(Path(image.path) for image in study.files))
    return [*images, *(other for path in images for other in companions_of(path)), *damaged]


def content_hash(files: Iterable[Path]) -> str:
    """SHA-256 over the contents of files, whatever their order; of volume files the names too, which say what they are.

    What is no regular file is not opened: a named pipe would wait for ever.
    """
    digests = []
    for path in files:
        try:
            if not path.is_file():
                digests.append("no regular file")
                continue
            with path.open("rb") as file:
                name = path.name if is_volume_file(path) else ""
                digests.append(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}")
        except OSError as error:
            digests.append(type(error).__name__)
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def settings_key(judge: "Judge") -> str:
    """The keyed hash of all that a decision follows from beside the files: model, threshold, settings, software."""
    predictor = judge.predictor
    return _digest(
        judge.keys,
        {
            "model": [predictor.name, predictor.version, predictor.sha256, predictor.notice],
            "training_ranges": judge.training_ranges,
            "threshold": asdict(judge.threshold),
            "harmonise": judge.harmonise,
            "rules": judge.rules.fingerprint,
            "software": [__version__, SCHEMA_VERSION],
        },
    )


def inputs_key(content: str, judge: "Judge") -> str:
    """The keyed hash of everything that a decision follows from: files and settings.

    By content, not by name, size or date: a study that was sent again in full is the same study, one with a single
    changed byte is not. Keyed with the site's salt, so that nobody can recognise a study by its files.

    Args:
        content: of `content_hash`.
        judge: model, threshold, settings and keys.
    """
    return _digest(judge.keys, {"files": content, "settings": judge.settings_key})


def _digest(keys: "Keys", parts: dict[str, Any]) -> str:
    return keys.digest(json.dumps(plain(parts), sort_keys=True))
