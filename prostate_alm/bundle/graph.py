"""References between the ids of a config: those that lead nowhere, and those that lead in a circle."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from monai.bundle.config_parser import ConfigParser
from monai.bundle.reference_resolver import ReferenceResolver

from prostate_alm.bundle.reading import walk


@dataclass(frozen=True)
class BrokenReference:
    """A reference that cannot be resolved.

    Args:
        key: the id that refers.
        reason: what is wrong, in words.
    """

    key: str
    reason: str


def all_values(config: Any) -> dict[str, Any]:
    """Id -> value of everything in a config.

    Example:
        >>> all_values({"a": {"b": 1}})
        {'a': {'b': 1}, 'a::b': 1}
    """
    values: dict[str, Any] = {}
    walk(config, lambda key, _name, value, _parent: values.update({key: value}))
    return values


def near(name: str, names: Iterable[str]) -> str:
    """`; did you mean X?` with the closest name, or nothing.

    Example:
        >>> near("penalti", ["margin", "penalty"])
        '; did you mean penalty?'
    """
    candidates = list(names)
    found = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    found = found or [each for each in candidates if len(each) > 2 and name.startswith(each)]
    return f"; did you mean {found[0]}?" if found else ""


def broken_reference(values: Mapping[str, Any], starts: Iterable[str]) -> BrokenReference | None:
    """The first reference, of those that are needed for some ids, that leads nowhere or in a circle.

    Args:
        values: from `all_values`, relative ids resolved.
        starts: ids that are wanted; absent ones are left out.

    Example:
        >>> broken_reference(all_values({"run": "$@a.run()", "a": "@b", "bb": 1}), ["run"])
        BrokenReference(key='a', reason='refers to @b, which is not there; did you mean @bb?')
        >>> broken_reference(all_values({"run": "@a", "a": "@b", "b": "@a"}), ["run"]).reason
        'refers in a circle: a -> b -> a'
    """
    sound: set[str] = set()
    for start in starts:
        if start in values and (found := _follow(start, values, [], sound)):
            return found
    return None


def broken_macro(values: Mapping[str, Any]) -> BrokenReference | None:
    """The first macro (`%id`) that copies from an id that is not there."""
    for key, value in values.items():
        if isinstance(value, str) and value.startswith("%"):
            path, target = ConfigParser.split_path_id(value[1:])
            if not path and target and target not in values:
                return BrokenReference(key, f"copies %{target}, which is not there{near(target, values)}")
    return None


def _follow(key: str, values: Mapping[str, Any], way: list[str], sound: set[str]) -> BrokenReference | None:
    if key in way:
        circle = [*way[way.index(key) :], key]
        return BrokenReference(circle[0], f"refers in a circle: {' -> '.join(circle)}")
    if key in sound:
        return None
    for wanted in ReferenceResolver.find_refs_in_config(config=values[key], id=key):
        if wanted not in values:
            missing = f"refers to @{wanted}, which is not there{near(f'@{wanted}', (f'@{name}' for name in values))}"
            return BrokenReference(_holder(key, wanted, values), missing)
        if found := _follow(wanted, values, [*way, key], sound):
            return found
    sound.add(key)
    return None


def _holder(key: str, wanted: str, values: Mapping[str, Any]) -> str:
    """The id of the very text that refers, at or below an id."""
    for name, value in values.items():
        below = name == key or name.startswith(f"{key}::")
        if below and isinstance(value, str) and wanted in ReferenceResolver.match_refs_pattern(value):
            return name
    return key
