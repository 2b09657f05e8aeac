"""Values of a header, by keyword, as the types that are wanted; what is absent is empty or None."""

import math
from typing import Any

from pydicom.multival import MultiValue


def listed(values: dict[str, Any], keyword: str) -> list[Any]:
    """All values of an element; none if it is absent or empty."""
    value = values.get(keyword)
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (MultiValue, list, tuple)) else [value]


def text(values: dict[str, Any], keyword: str) -> str:
    """A text; several values with the backslashes between them."""
    value = values.get(keyword)
    if type(value) is str:
        return value.strip("\0 ")
    return "\\".join(str(value) for value in listed(values, keyword)).strip("\0 ")


def texts(values: dict[str, Any], keyword: str) -> tuple[str, ...]:
    """Words in capitals."""
    return tuple(str(value).strip("\0 ").upper() for value in listed(values, keyword))


def numbers(values: dict[str, Any], keyword: str) -> tuple[float, ...]:
    """Finite numbers; none if one is not."""
    found = tuple(float(value) for value in listed(values, keyword))
    return found if all(math.isfinite(value) for value in found) else ()


def number(values: dict[str, Any], keyword: str) -> float | None:
    """The first number, None if there is none."""
    return next(iter(numbers(values, keyword)), None)


def whole(values: dict[str, Any], keyword: str) -> int | None:
    """The first number without its fraction."""
    found = number(values, keyword)
    return None if found is None else int(found)
