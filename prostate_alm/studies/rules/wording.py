"""How a mistake in a rules file is told: the key, what stands there, and what is allowed by the models' schema."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from prostate_alm.studies.rules.model import Rules

Path = tuple[str | int, ...]
"""Keys and places in lists, from the top of the file."""


def says(detail: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """One mistake that pydantic found.

    Args:
        detail: of `ValidationError.errors()`.
        data: what was validated.
    """
    path, kind = detail["loc"], detail["type"]
    if kind == "extra_forbidden":
        return f"{name_of(path)} is unknown{_instead(path)}"
    if kind == "missing" and isinstance(path[-1], str):
        return f"{name_of(path)} is missing, allowed {_allowed(_schema(path))}"
    if kind == "value_error" and _schema(path)["type"] == "object":
        return f"{name_of(path)} {detail['msg'].removeprefix('Value error, ')}"
    if kind == "missing":  # a range with one end
        path = path[:-1]
    value: Any = data
    for step in path:
        value = value[step]
    return f"{name_of(path)} is {_shown(value)}, allowed {_allowed(_schema(path), value)}"


def _instead(path: Path) -> str:
    key, known = str(path[-1]), list(_schema(path[:-1])["properties"])
    if close := get_close_matches(key.lower(), known, 1):
        return f"; did you mean {close[0]}?"
    if home := next(
        (section for section in Rules.model_fields if key in _schema((section,)).get("properties", {})), ""
    ):
        return f"; it belongs under {home}"
    return f", allowed {', '.join(known)}"


def name_of(path: Path) -> str:
    """A place as people write it.

    Example:
        >>> name_of(("series", 0, "use"))
        'series[0].use'
    """
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def printable(text: str) -> str:
    """The text on one line, without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.splitlines()))


@cache
def _root_schema() -> dict[str, Any]:
    return Rules.model_json_schema()


def _schema(path: Path) -> dict[str, Any]:
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
