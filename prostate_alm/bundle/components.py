"""What is wrong with one component of a config, told by its signature: arguments, and types of plain values."""

import inspect
import re
import types
from collections.abc import Collection, Mapping
from collections.abc import Sequence as AnySequence
from pydoc import locate
from typing import Any, Union, get_args, get_origin, get_type_hints

from monai.bundle.config_item import ComponentLocator, ConfigComponent

from prostate_alm.bundle.graph import near

_PLAIN = {bool: bool, int: int, float: (int, float), str: str}


def arguments(component: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a component.

    Example:
        >>> arguments({"_target_": "Dataset", "_desc_": "cases", "data": []})
        {'data': []}
    """
    return {name: value for name, value in component.items() if name not in ConfigComponent.non_arg_keys}


def plain_value(value: Any, values: Mapping[str, Any]) -> tuple[str | None, Any]:
    """Follow `@id` to the id that holds a value itself.

    Returns:
        The last id (None if the value is no reference), and its value.

    Example:
        >>> plain_value("@a", {"a": "@b", "b": 3})
        ('b', 3)
    """
    key, seen = None, set[str]()
    while isinstance(value, str) and value.startswith("@") and value[1:] in values and value not in seen:
        seen.add(value)
        key, value = value[1:], values[value[1:]]
    return key, value


def located(component: Mapping[str, Any], locator: ComponentLocator) -> Any:
    """The class or function that a `_target_` names; None if there is none."""
    name = ConfigComponent(config=dict(component), locator=locator).resolve_module_name()
    try:
        return locate(name) if isinstance(name, str) else name
    except Exception:  # pydoc's own ErrorDuringImport, or what the module raised
        return None


def wrong_argument(target: Any, given: Collection[str]) -> tuple[str | None, str] | None:
    """An argument that a class or function does not have, or needs and is not given.

    Returns:
        The argument (None if one is missing) and what is wrong; None if nothing is.

    Example:
        >>> def scale(image, factor=1.0): ...
        >>> wrong_argument(scale, ["image", "facter"])
        ('facter', "has no argument 'facter'; did you mean factor?")
        >>> wrong_argument(scale, [])
        (None, "needs the argument 'image'")
    """
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return None
    names = [name for name, each in parameters.items() if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    if not any(each.kind == each.VAR_KEYWORD for each in parameters.values()):
        for name in given:
            if name not in names:
                return name, f"has no argument {name!r}{near(name, names)}"
    for name in names:
        if parameters[name].default is inspect.Parameter.empty and name not in given:
            return None, f"needs the argument {name!r}"
    return None


def wrong_type(target: Any, given: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, str] | None:
    """An argument whose plain value is not of the type that the signature says.

    Args:
        target: a class or function.
        given: its arguments, as the config has them.
        values: id -> value, to follow references.

    Returns:
        The argument and what is wrong; None if nothing is, or nothing can be told.

    Example:
        >>> def train(epochs: int): ...
        >>> wrong_type(train, {"epochs": "@n"}, {"n": "three"})
        ('epochs', "must be int, not 'three'")
    """
    try:
        hints = get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except Exception:  # a signature that names what is not imported
        return None
    for name, value in given.items():
        _, plain = plain_value(value, values)
        if name in hints and not _evaluated(plain) and not _fits(plain, hints[name]):
            hint = getattr(hints[name], "__name__", None) if isinstance(hints[name], type) else None
            wanted = hint or re.sub(r"\b(typing|collections\.abc)\.", "", str(hints[name]))
            return name, f"must be {wanted}, not {plain!r}"
    return None


def _evaluated(value: Any) -> bool:
    """Whether the value is known only when MONAI has built it."""
    if isinstance(value, list):
        return any(map(_evaluated, value))
    return isinstance(value, dict) or (isinstance(value, str) and value[:1] in ("$", "@", "%"))


def _fits(value: Any, hint: Any) -> bool:
    """False only if the value is surely of another type."""
    if value is None:
        return True
    if hint in _PLAIN:
        return isinstance(value, _PLAIN[hint]) and (hint is bool or not isinstance(value, bool))
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(part is not type(None) and _fits(value, part) for part in parts)
    if origin in (list, tuple, AnySequence):
        if not isinstance(value, list | tuple):
            return False
        return len(parts) != 1 or all(_fits(each, parts[0]) for each in value)
    return True
