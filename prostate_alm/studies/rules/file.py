"""A site's rules file -> `Rules`; every mistake is one line that names file, line, key and what is allowed."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from prostate_alm.errors import UsageError
from prostate_alm.studies.rules.document import Document, Problem, RefusedError
from prostate_alm.studies.rules.model import Rules
from prostate_alm.studies.rules.wording import printable, says

_LISTS = ("files", "series")

MAX_BYTES = 1 << 20
"""Largest rules file that is read."""


def load_rules(path: Path | None) -> Rules:
    """The rules of a site: its file over the defaults, or the defaults alone.

    Sections merge key by key; a list takes the place of the default list, but `files` and `series` come before the
    default ones. An empty file changes nothing.

    Args:
        path: YAML in UTF-8, at most 1 MiB, without anchors, aliases and tags; None for the defaults.

    Raises:
        UsageError: if the file cannot be read or is wrong anywhere; the message names the first mistake by line and
            how many more there are.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     site = Path(folder, "site.yaml")
        ...     _ = site.write_text("checks: {min_overlap: 0.9}")
        ...     rules = load_rules(site)
        >>> rules.checks.min_overlap, rules.checks.min_snr
        (0.9, 2.8)
    """
    if path is None:
        return default_rules()
    try:
        document = Document(_text(path))
        return _validated(_merge(_default_data(), document.data), document)
    except RefusedError as refused:
        place = f"{path}" if refused.line is None else f"{path} line {refused.line}"
        raise UsageError(printable(f"{place}: {refused.text}")) from None


@cache
def _default_data() -> Mapping[str, Any]:
    return Document(files("prostate_alm.studies.rules").joinpath("default_rules.yaml").read_text("utf-8")).data


@cache
def default_rules() -> Rules:
    """The rules of a site that has none of its own."""
    return Rules.model_validate(_default_data())


def loosened(rules: Rules) -> list[str]:
    """What a site's limits let through that the default ones would not, for the notes of every study."""
    theirs, usual = rules.checks.model_dump(), default_rules().checks.model_dump()
    found: list[str] = []
    for name, value in theirs.items():
        low, high = usual[name] if isinstance(value, tuple) else (usual[name], usual[name])
        below, above = value if isinstance(value, tuple) else (value, value)
        if (not name.startswith("max_") and below < low) or (not name.startswith("min_") and above > high):
            found.append(f"a rule of the site loosens checks.{name}: {value} instead of {usual[name]}")
    return found


def _merge(default: Mapping[str, Any], site: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(default)
    for key, value in site.items():
        usual = default.get(key)
        if value is None and isinstance(usual, dict | tuple):
            continue  # a heading whose lines are all commented out
        if isinstance(value, dict) and isinstance(usual, dict):
            merged[key] = {**usual, **value}
        elif key in _LISTS and isinstance(value, tuple) and isinstance(usual, tuple):
            merged[key] = value + tuple(rule for rule in usual if rule not in value)
        else:
            merged[key] = value
    return merged


def _text(path: Path) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise RefusedError("no such file; give the path of a rules file in YAML") from None
    except IsADirectoryError:
        raise RefusedError("is a folder; give the path of a rules file in YAML") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise RefusedError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(content) > MAX_BYTES:
        raise RefusedError("is larger than 1 MiB, which no rules file needs")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RefusedError("is no text in UTF-8; save it as UTF-8 text", line) from None
    return text


def _validated(data: Mapping[str, Any], document: Document) -> Rules:
    problems, rules = list(document.problems), None
    try:
        rules = Rules.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        problems += [Problem(document.line(detail["loc"]), says(detail, data)) for detail in details]
    if problems or rules is None:
        _refuse(problems)
    return rules


def _refuse(problems: Sequence[Problem]) -> NoReturn:
    first, *others = sorted(dict.fromkeys(problems), key=lambda problem: problem.line)
    more = f"; and {len(others)} more mistake{'s' if len(others) > 1 else ''}" if others else ""
    raise RefusedError(first.text + more, first.line)
