"""A bundle's `logging.conf`: Python evaluates four of its values, so these are judged first."""

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path

from prostate_alm.bundle.allowed import words
from prostate_alm.bundle.expressions import Refused

CLASSES = frozenset(
    words("""
    Formatter StreamHandler FileHandler NullHandler handlers.RotatingFileHandler handlers.TimedRotatingFileHandler
    logging.Formatter logging.StreamHandler logging.FileHandler logging.NullHandler
    logging.handlers.RotatingFileHandler logging.handlers.TimedRotatingFileHandler
    """)
)
"""Handlers that write here; those that send to other machines are left out."""

_STREAMS = ("sys.stdout", "sys.stderr")
_WORDS = frozenset(
    words("a w x utf-8 midnight S M H D filename mode encoding delay when interval maxBytes backupCount")
)
_LOG = re.compile(r"[\w-]+\.(log|txt)", re.ASCII)


def logging_findings(path: Path) -> Iterator[tuple[str, str]]:
    """Every value that may not be evaluated, as (key, reason)."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
        sections = {name: dict(parser.items(name, raw=name.startswith("formatter_"))) for name in parser.sections()}
        # a formatter's format is full of %(name)s; its class and defaults are interpolated
        for name in sections:
            for key in {"class", "defaults"} & sections[name].keys():
                sections[name][key] = parser.get(name, key)
    except (configparser.Error, ValueError, OSError) as error:
        yield "the file", f"cannot be read: {' '.join(str(error).split())}"
        return
    for name, values in sections.items():
        for key in ("class", "args", "kwargs", "defaults"):
            if key in values:
                try:
                    _check(key, values[key])
                except Refused as reason:
                    yield f"{name}::{key}", str(reason)


def _check(key: str, text: str) -> None:
    if key == "class":
        if text.strip() not in CLASSES:
            raise Refused(f"{text!r} is not on the allow-list: {', '.join(sorted(CLASSES))}")
        return
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"{text!r} is no Python value") from error
    for node in ast.walk(tree):
        _check_node(node, text)


def _check_node(node: ast.AST, text: str) -> None:
    if isinstance(node, ast.Attribute | ast.Name):
        if ast.unparse(node) not in (*_STREAMS, "sys"):
            raise Refused(f"{text!r} uses {ast.unparse(node)}; only {' and '.join(_STREAMS)} are allowed")
    elif isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, str | bytes) and value not in _WORDS and not _LOG.fullmatch(str(value)):
            raise Refused(f"{text!r} may name a file that is no plain .log or .txt")
    elif not isinstance(node, ast.Tuple | ast.List | ast.Dict | ast.Load):
        raise Refused(f"{text!r} is an expression ({type(node).__name__}), not a value")
