"""Reading a bundle's configs as data: nothing is evaluated or imported."""

import json
from collections.abc import Callable, Sequence
from locale import getpreferredencoding
from pathlib import Path
from typing import Any

import yaml
from monai.utils.misc import CheckKeyDuplicatesYamlLoader

from prostate_alm.errors import ModelError

SUFFIXES = (".json", ".yaml", ".yml")
MOST_BYTES = 5_000_000


class BadConfigError(ModelError):
    """A config that cannot be read: says file, line and column."""


def config_files(folder: Path) -> list[Path]:
    """All JSON and YAML files under a bundle's `configs`."""
    return sorted(
        path for path in (folder / "configs").rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
    )


def read_config(path: Path) -> dict[str, Any]:
    """One config, in which no key stands twice.

    Raises:
        BadConfigError: names the file, and where it can the line and column.
    """
    name = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        raise BadConfigError(f"{name} is missing in bundle {path.parents[1].name}")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
        _refuse_another_reading(text, path)
        content = _json(text) if path.suffix.lower() == ".json" else _yaml(text)
    except json.JSONDecodeError as error:
        raise BadConfigError(f"{name}, line {error.lineno}, column {error.colno}: no JSON: {error.msg}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BadConfigError(f"{name}{place}: no YAML: {error.problem}") from error
    except (ValueError, OSError, RecursionError, TypeError, yaml.YAMLError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise BadConfigError(f"{name} cannot be read: {reason}") from error
    if not isinstance(content, dict):
        raise BadConfigError(f"{name} is a {type(content).__name__}, not a mapping of keys to values")
    return content


def _refuse_another_reading(text: str, path: Path) -> None:
    """MONAI reads in the machine's encoding: in some, a letter swallows the quote or backslash behind it."""
    here = path.read_text(encoding=getpreferredencoding(False))
    if [each for each in here if each.isascii()] != [each for each in text if each.isascii()]:
        raise ValueError("this machine's encoding reads it in another way; use ASCII alone")


def _json(text: str) -> Any:
    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        _refuse_twice([key for key, _ in pairs])
        return dict(pairs)

    return json.loads(text, object_pairs_hook=once)


class _Loader(CheckKeyDuplicatesYamlLoader):
    """MONAI's safe loader, which warns of a key that stands twice; this one refuses it."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        _refuse_twice([self.construct_object(key, deep=deep) for key, _ in node.value])
        return super().construct_mapping(node, deep)


def _yaml(text: str) -> Any:
    return yaml.load(text, _Loader)


def _refuse_twice(keys: Sequence[Any]) -> None:
    seen: set[Any] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"the key {key!r} stands twice")
        seen.add(key)


def walk(content: Any, visit: Callable[[str, str, Any, Any], None], key: str = "") -> None:
    """Call `visit(key, name, value, parent)` for everything below a config, parents first.

    Args:
        content: a mapping or a list.
        visit: gets the id with `::`, its last part as it stands, the value, and the mapping or list that holds it.
        key: id of the content itself.
    """
    if isinstance(content, dict | list):
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        for name, value in pairs:
            below = f"{key}::{name}" if key else f"{name}"
            visit(below, f"{name}", value, content)
            walk(value, visit, below)
