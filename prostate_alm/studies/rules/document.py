"""A YAML text -> plain values, each with its line; what a reader would have to look for elsewhere is refused."""

import re
from typing import Any, NamedTuple

import yaml

from prostate_alm.studies.rules.model import Rules
from prostate_alm.studies.rules.wording import Path, name_of

_MAX_DEPTH = 8


class Problem(NamedTuple):
    """A mistake and its line."""

    line: int
    text: str


class RefusedError(Exception):
    """A mistake on its way to the message that names the file."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.text, self.line = text, line


class _Loader(yaml.SafeLoader):
    """Nodes of plain YAML: what a reader would have to look for elsewhere (aliases, tags) is refused."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A node and all below it, unless it is refused."""
        event: Any = self.peek_event()  # pyright: ignore[reportUnknownVariableType]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise RefusedError(f"*{event.anchor} is an alias, which is not allowed; {_QUOTE}", line)
        if event.anchor is not None:
            raise RefusedError(f"&{event.anchor} is an anchor, which is not allowed; put text with & in quotes", line)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise RefusedError(f"the tag {tag} is not allowed; put text that begins with ! in quotes", line)
        if self.depth == _MAX_DEPTH:
            raise RefusedError(f"is nested too deeply, allowed {_MAX_DEPTH} levels", line)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_QUOTE = "put text that begins with * in quotes"


class Document:
    """Plain values of a YAML text, the line of each key and item, and the mistakes that stand in keys."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        root: Any = _composed(text)
        self._first = 1 if root is None else root.start_mark.line + 1
        data = None if root is None else self._value(root, ())
        if data is not None and not isinstance(data, dict):
            sections = ", ".join(Rules.model_fields)
            raise RefusedError(f"holds no sections at its top level, allowed {sections}", self.line(()))
        self.data: dict[str, Any] = data or {}

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self._first)

    def _value(self, node: Any, path: Path) -> Any:
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

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(line, f"{name_of(path) or 'the file'} has a key that is no word"))
                continue
            key = _whole_text(key_node)
            here = (*path, key)
            if key in found:
                first = self.lines[here]
                self.problems.append(Problem(line, f"{name_of(here)} stands twice, first on line {first}; keep one"))
                continue
            self.lines[here] = line
            found[key] = self._value(value_node, here)
        return found


def _composed(text: str) -> Any:
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RefusedError("is no YAML: it holds a character that text does not have", line) from None
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or "it cannot be read"
        if error.context == "while scanning an alias":
            what = _QUOTE
        elif what.startswith("but "):
            what = f"{error.context}, {what}"
        raise RefusedError(f"is no YAML: {what}", mark.line + 1 if mark else None) from None
    except (ValueError, OverflowError):  # from chr() and int()
        raise RefusedError("is no YAML: an escape or a version number is out of range", loader.line + 1) from None


def _whole_text(node: yaml.ScalarNode) -> str:
    if re.search("[\ud800-\udfff]", node.value):
        raise RefusedError("is no YAML: an escape names half a character", node.start_mark.line + 1)
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
