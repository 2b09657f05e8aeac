"""Merged configs that remember which file each value came from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle.config_parser import ConfigParser
from monai.bundle.reference_resolver import ReferenceResolver
from monai.bundle.utils import MERGE_KEY, merge_kv

from prostate_alm.bundle.reading import read_config

CALL = "the call"
"""Where a value came from that no file of the bundle gives: `--set` or another option."""


class Origins:
    """Where every id of merged configs was set: the last one wins.

    Args:
        folder: the bundle's folder.
        names: configs under `configs`, with their suffix, in the order of the merge.
        overrides: config id -> value, merged last.

    Raises:
        BadConfigError: if a config cannot be read.
    """

    def __init__(self, folder: Path, names: Sequence[str], overrides: Mapping[str, Any]) -> None:
        self.folder = folder
        self._set: list[tuple[str, str, Any, int]] = []
        merged = ConfigParser(config={})
        for name in names:
            for key, value in read_config(folder / "configs" / name).items():
                self._note(merged, key, value, f"configs/{name}")
                merge_kv(merged, key, value)
        for key, value in overrides.items():
            self._note(merged, key, value, CALL)
        self.names = tuple(names)

    def _note(self, merged: ConfigParser, key: str, value: Any, file: str) -> None:
        name = ReferenceResolver.normalize_id(key.removeprefix(MERGE_KEY))
        before = merged.get(name) if key.startswith(MERGE_KEY) else None
        self._set.append((name, file, value, len(before) if isinstance(before, list) else 0))

    def file_of(self, key: str) -> str:
        """The file, below the bundle, that set an id or the nearest id above it; `CALL` if no file did."""
        parts = key.split("::")
        for length in range(len(parts), 0, -1):
            above = parts[:length]
            for name, file, value, offset in reversed(self._set):
                prefix = name.split("::")
                if above[: len(prefix)] == prefix and _holds(value, above[len(prefix) :], offset):
                    return file
        return f"configs/{self.names[-1]}" if self.names else CALL

    def place(self, key: str) -> str:
        """A key and its file in words."""
        file = self.file_of(key)
        return f"key {key} of {CALL}" if file == CALL else f"key {key} in {file} of bundle {self.folder.name}"


def _holds(value: Any, path: Sequence[str], offset: int) -> bool:
    for part in path:
        if isinstance(value, list) and part.isdigit() and 0 <= int(part) - offset < len(value):
            value = value[int(part) - offset]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return False
        offset = 0
    return True
