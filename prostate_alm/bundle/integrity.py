"""A bundle is code: only files that are recorded by their hash may run."""

import hashlib
import json
from pathlib import Path

from prostate_alm.errors import IntegrityError
from prostate_alm.files import sha256, write_json

HASHES = "hashes.json"
EXPORTS = ("model.ts", "model.pt2", "model.onnx")
"""Other forms of `models/model.pt`, which others run: made by `prostate_alm.bundle.export`."""


def _hashed_files(folder: Path) -> dict[str, Path]:
    """Every config, and what may run or is read of `models`; leftovers of killed processes do not count."""
    models = [path for path in (folder / "models").glob("*") if path.name in EXPORTS or path.suffix in (".pt", ".json")]
    paths = [*(folder / "configs").rglob("*"), *models]
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(paths)
        if path.is_file() and path.name != "threshold.json" and not path.name.startswith(".")
    }


def write_hashes(folder: Path) -> Path:
    """Record the SHA-256 of the configs, weights, exports and tables of a bundle in `hashes.json`.

    The threshold is left out: it is changed by calibration, and carries the model's hash itself.
    """
    return write_json(folder / HASHES, {name: sha256(path) for name, path in _hashed_files(folder).items()})


def check_hashes(folder: Path, *, exports: bool = True) -> None:
    """Compare a bundle's files with its `hashes.json`.

    Args:
        folder: the bundle's folder.
        exports: whether `EXPORTS` count.

    Raises:
        IntegrityError: if the list is missing or unreadable, or a file was changed, added or removed.
    """
    path = folder / HASHES
    if not path.is_file():
        raise IntegrityError(f"bundle {folder.name} has no {HASHES}: only a bundle whose files are recorded may run")
    try:
        recorded: dict[str, str] = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"bundle {folder.name}: {HASHES} cannot be read; get the bundle again") from error
    found = _hashed_files(folder)
    ignored = set() if exports else {f"models/{name}" for name in EXPORTS}
    for name in sorted((recorded.keys() | found.keys()) - ignored):
        if name not in recorded:
            raise IntegrityError(f"bundle {folder.name}: {name} is not recorded in {HASHES}; remove it")
        if name not in found or sha256(found[name]) != recorded[name]:
            state = "differs from its recorded hash" if name in found else "is missing"
            raise IntegrityError(f"bundle {folder.name}: {name} {state}; get the bundle again, or train anew")


def model_hash(folder: Path, weights: Path) -> str:
    """What identifies a model to its threshold: the weights and the whole inference config, preprocessing included."""
    config = json.loads((folder / "configs" / "inference.json").read_text(encoding="utf-8"))
    identity = [sha256(weights), json.dumps(config, sort_keys=True)]
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()
