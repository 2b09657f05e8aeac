"""A site's rules file -> `Rules`; every mistake is one line that names file, line, key and what is allowed."""

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml
from pydantic import ValidationError

from prostate_alm.errors import UsageError
from prostate_alm.studies.rules.model import Rules

MAX_BYTES = 1 << 20
"""Largest rules file that is read."""
_MAX_DEPTH = 8
_LISTS = ("files", "series")
_Path = tuple[str | int, ...]


class _Problem(NamedTuple):
    line: int
    text: str


class _RefusedError(Exception):
    """A mistake on its way to the message that names the file."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.text, self.line = text, line


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
        document = _Document(_text(path))
        return _validated(_merge(_default_data(), document.data), document)
    except _RefusedError as refused:
        place = f"{path}" if refused.line is None else f"{path} line {refused.line}"
        raise UsageError(_printable(f"{place}: {refused.text}")) from None


@cache
def _default_data() -> Mapping[str, Any]:
    return _Document(files("prostate_alm.studies.rules").joinpath("default_rules.yaml").read_text("utf-8")).data


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
        raise _RefusedError("no such file; give the path of a rules file in YAML") from None
    except IsADirectoryError:
        raise _RefusedError("is a folder; give the path of a rules file in YAML") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise _RefusedError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(content) > MAX_BYTES:
        raise _RefusedError("is larger than 1 MiB, which no rules file needs")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _RefusedError("is no text in UTF-8; save it as UTF-8 text", line) from None
    return text


class _Loader(yaml.SafeLoader):
    """Nodes of plain YAML: what a reader would have to look for elsewhere (aliases, tags) is refused."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # pyright: ignore[reportUnknownVariableType]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise _RefusedError(f"*{event.anchor} is an alias, which is not allowed; {_QUOTE}", line)
        if event.anchor is not None:
            raise _RefusedError(f"&{event.anchor} is an anchor, which is not allowed; put text with & in quotes", line)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise _RefusedError(f"the tag {tag} is not allowed; put text that begins with ! in quotes", line)
        if self.depth == _MAX_DEPTH:
            raise _RefusedError(f"is nested too deeply, allowed {_MAX_DEPTH} levels", line)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_QUOTE = "put text that begins with * in quotes"


class _Document:
    """Plain values of a YAML text, the line of each key and item, and the mistakes that stand in keys."""

    def __init__(self, text: str) -> None:
        self.lines: dict[_Path, int] = {}
        self.problems: list[_Problem] = []
        root: Any = _composed(text)
        self._first = 1 if root is None else root.start_mark.line + 1
        data = None if root is None else self._value(root, ())
        if data is not None and not isinstance(data, dict):
            sections = ", ".join(Rules.model_fields)
            raise _RefusedError(f"holds no sections at its top level, allowed {sections}", self.line(()))
        self.data: dict[str, Any] = data or {}

    def line(self, path: _Path) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self._first)

    def _value(self, node: Any, path: _Path) -> Any:
        if isinstance(node, yaml.ScalarNode):
            value = _whole_text(node)
            return value if node.style in ("'", '"', "|", ">") else _plain(value)
        if isinstance(node, yaml.SequenceNode):
            items: list[Any] = []
            for index, item in enumerate(node.value):
                self.lines[(*path, index)] = item.start_mark.line + 1
                items.append(self._value(item, (*path, index)))
            return tuple(items)
        return self._mapping(node, path)

    def _mapping(self, node: Any, path: _Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(_Problem(line, f"{_name(path) or 'the file'} has a key that is no word"))
                continue
            key = _whole_text(key_node)
            here = (*path, key)
            if key in found:
                first = self.lines[here]
                self.problems.append(_Problem(line, f"{_name(here)} stands twice, first on line {first}; keep one"))
                continue
            self.lines[here] = line
            found[key] = self._value(value_node, here)
        return found


def _composed(text: str) -> Any:
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _RefusedError("is no YAML: it holds a character that text does not have", line) from None
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or "it cannot be read"
        if error.context == "while scanning an alias":
            what = _QUOTE
        elif what.startswith("but "):
            what = f"{error.context}, {what}"
        raise _RefusedError(f"is no YAML: {what}", mark.line + 1 if mark else None) from None
    except (ValueError, OverflowError):  # from chr() and int()
        raise _RefusedError("is no YAML: an escape or a version number is out of range", loader.line + 1) from None


def _whole_text(node: yaml.ScalarNode) -> str:
    if re.search("[\ud800-\udfff]", node.value):
        raise _RefusedError("is no YAML: an escape names half a character", node.start_mark.line + 1)
    return node.value


# YAML 1.2's plain values: with PyYAML's own, of YAML 1.1, `no` is false, 2e-4 is text and 1:30 is 90
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) < 16:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _validated(data: Mapping[str, Any], document: _Document) -> Rules:
    problems, rules = list(document.problems), None
    try:
        rules = Rules.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        problems += [_Problem(document.line(detail["loc"]), _says(detail, data)) for detail in details]
    if problems or rules is None:
        _refuse(problems)
    return rules


def _refuse(problems: Sequence[_Problem]) -> NoReturn:
    first, *others = sorted(dict.fromkeys(problems), key=lambda problem: problem.line)
    more = f"; and {len(others)} more mistake{'s' if len(others) > 1 else ''}" if others else ""
    raise _RefusedError(first.text + more, first.line)


def _says(detail: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    path, kind = detail["loc"], detail["type"]
    if kind == "extra_forbidden":
        return f"{_name(path)} is unknown{_instead(path)}"
    if kind == "missing" and isinstance(path[-1], str):
        return f"{_name(path)} is missing, allowed {_allowed(_schema(path))}"
    if kind == "value_error" and _schema(path)["type"] == "object":
        return f"{_name(path)} {detail['msg'].removeprefix('Value error, ')}"
    if kind == "missing":  # a range with one end
        path = path[:-1]
    value: Any = data
    for step in path:
        value = value[step]
    return f"{_name(path)} is {_shown(value)}, allowed {_allowed(_schema(path), value)}"


def _instead(path: _Path) -> str:
    key, known = str(path[-1]), list(_schema(path[:-1])["properties"])
    if close := get_close_matches(key.lower(), known, 1):
        return f"; did you mean {close[0]}?"
    if home := next(
        (section for section in Rules.model_fields if key in _schema((section,)).get("properties", {})), ""
    ):
        return f"; it belongs under {home}"
    return f", allowed {', '.join(known)}"


def _name(path: _Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.splitlines()))


@cache
def _root_schema() -> dict[str, Any]:
    return Rules.model_json_schema()


def _schema(path: _Path) -> dict[str, Any]:
    """What stands at a path, in terms of JSON Schema."""
    schema = _root_schema()
    for step in path:
        if isinstance(step, str):
            schema = schema["properties"][step]
        else:
            schema = schema["prefixItems"][step] if "prefixItems" in schema else schema["items"]
        schema = next(iter(schema.get("anyOf", [schema])))
        if "$ref" in schema:
            schema = _root_schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _allowed(schema: Mapping[str, Any], value: Any = None) -> str:
    match schema:
        case {"const": only}:
            return str(only)
        case {"enum": [*words, last]}:
            return f"{', '.join(words)} or {last}"
        case {"type": "object", "properties": keys}:
            return f"a section with {', '.join(keys)}"
        case {"prefixItems": [one, *_]}:
            return f"[low, high], low not above high, each {_allowed(one, 0)}"
        case {"type": "array"}:
            return "a list, [] or lines that begin with -"
        case {"minimum": low, "maximum": high, "type": kind}:
            span = f"{low:g} to {high:g}"
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return f"a whole number, {span}" if kind == "integer" else span if is_number else f"a number, {span}"
        case _:
            return schema["description"]
