"""Expressions of a bundle's configs, judged by their syntax tree: nothing is evaluated."""

import ast
import builtins
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from monai.bundle.config_parser import ConfigParser
from monai.bundle.reference_resolver import ReferenceResolver

from prostate_alm.bundle.allowed import ADDRESSES, ATTRIBUTES, BUILTINS, FILES, GUARDED, IMPORTS, NAMES

STANDARD_ALIASES = {"monai": "monai", "torch": "torch", "np": "numpy", "numpy": "numpy"}
"""What MONAI imports for every expression: name -> module."""

_BUILTINS = frozenset(dir(builtins)) - {"_"}  # an interactive session keeps its last result there
_REFERENCES = "__local_refs"  # what MONAI writes in the place of @id
_NODES = (
    ast.Expression, ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Call, ast.keyword, ast.Starred,
    ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
    ast.comprehension, ast.Lambda, ast.arguments, ast.arg, ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.IfExp,
    ast.JoinedStr, ast.FormattedValue, ast.expr_context, ast.boolop, ast.unaryop, ast.cmpop,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr,
)  # fmt: skip
_FILE = re.compile(r"[\w-]+(\.[\w-]+)*\.(csv|pt)", re.ASCII)
_LOCAL = re.compile(r"(sqlite|file):///")
_RELATIVE_MACRO = re.compile("%(::|#)")
_ADDRESS = re.compile(r"(?<![A-Za-z0-9+.-])(?!(?:sqlite|file):///)[A-Za-z][A-Za-z0-9+.-]*://")


class Refused(Exception):  # noqa: N818 - a verdict, not an error
    """Why something in a config is not allowed."""


@dataclass(frozen=True)
class Import:
    """One import: the name that expressions use, and what it stands for."""

    name: str
    what: str


def check_address(text: str) -> None:
    """A config names no address in a network.

    Raises:
        Refused: if it does.

    Example:
        >>> check_address("sqlite:////runs/mlflow.db")
    """
    if found := _ADDRESS.search(text):
        raise Refused(f"names the network address {text[found.start() :][:60]!r}")


def check_guarded(name: str, value: object) -> None:
    """Arguments that name or load code have their own lists.

    Raises:
        Refused: if the value is not one of them.
    """
    if name in FILES and not (isinstance(value, str) and _FILE.fullmatch(value)):
        raise Refused(f"{name} must be the plain name of a .csv or .pt file, not {value!r}")
    if name in ADDRESSES and value is not None:
        _check_local(name, value)
    if name not in GUARDED or value is None:
        return
    values = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(each, str | bool) and each in GUARDED[name] for each in values):
        allowed = ", ".join(sorted(map(str, GUARDED[name]))) or "null alone"
        raise Refused(f"{name} may name or load code, or send files: allowed is {allowed}, not {value!r}")


def _check_local(name: str, value: object) -> None:
    """Text that an expression puts together cannot be read in advance, but what it begins with can."""
    first: ast.AST | None = None
    if isinstance(value, str) and value.startswith("$"):
        try:
            first = ast.parse(value[1:].replace("@", ""), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            first = None
        while isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add):
            first = first.left
    begins = first.value if isinstance(first, ast.Constant) else value
    if value != "@mlflow_uri" and not (isinstance(begins, str) and _LOCAL.match(begins)):
        raise Refused(f"{name} must begin with sqlite:/// or file:///, not be {value!r}")


def as_evaluated(text: str, key: str) -> str:
    """An expression as MONAI hands it to Python: `@id` replaced, without the dollar sign.

    Args:
        text: the expression, with its dollar sign.
        key: the config id where it stands.

    Raises:
        Refused: if a relative id leads out of the config.

    Example:
        >>> as_evaluated("$@a + @b::c", "d")
        "__local_refs['a'] + __local_refs['b::c']"
    """
    try:
        absolute = ConfigParser.resolve_relative_ids(key, text)
    except ValueError as error:
        raise Refused(f"the relative id in {text!r} leads out of the config") from error
    return ReferenceResolver.update_refs_pattern(absolute, ReferenceResolver.match_refs_pattern(absolute))[1:]


def imported(text: str) -> Import | None:
    """What an expression imports; None if it is no import.

    Raises:
        Refused: if it imports what it may not, or does more than one import.

    Example:
        >>> imported("$import numpy as np")
        Import(name='np', what='numpy')
    """
    try:
        body = ast.parse(text[1:]).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not body or not isinstance(body[0], ast.Import | ast.ImportFrom):
        return None
    if len(body) > 1 or len(body[0].names) > 1:
        raise Refused("imports more than one thing; write one import for each")
    module, alias = body[0], body[0].names[0]
    if isinstance(module, ast.Import):
        what, allowed = alias.name, IMPORTS
    else:
        what, allowed = f"{module.module}.{alias.name}", NAMES
    if what not in allowed or what == "torch.load" or getattr(module, "level", 0):
        raise Refused(f"imports {what}, which is not on the allow-list")
    name = alias.asname or alias.name
    if STANDARD_ALIASES.get(name, what) != what or name in _BUILTINS or name.startswith("_"):
        raise Refused(f"gives the name {name!r} another meaning")
    return Import(name, what)


def check_expression(text: str, key: str, aliases: Mapping[str, str]) -> None:
    """Judge one expression that is no import.

    Args:
        text: the expression, with its dollar sign.
        key: the config id where it stands.
        aliases: names that the bundle imported -> what they stand for.

    Raises:
        Refused: with the reason.

    Example:
        >>> check_expression("$list(@network.parameters())", "params", {})
    """
    if _RELATIVE_MACRO.search(text):
        raise Refused("holds a relative macro, in whose place MONAI would write keys")
    code = as_evaluated(text, key)
    try:
        tree = ast.parse(code, mode="eval")
        _Judge({**STANDARD_ALIASES, **aliases}, frozenset(_bound(tree))).check(tree)
    except (SyntaxError, ValueError, MemoryError) as error:
        raise Refused(f"is no Python expression ({error})") from error
    except RecursionError as error:
        raise Refused("is nested too deeply") from error


def _bound(tree: ast.AST) -> Iterator[str]:
    """Names of lambda parameters and loop variables; none may hide a name that means something else."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


class _Judge:
    """Walks a syntax tree and refuses at the first node that is not allowed."""

    def __init__(self, aliases: Mapping[str, str], bound: frozenset[str]) -> None:
        self.aliases = aliases
        self.bound = bound
        for name in sorted(bound):
            if name in aliases or name in _BUILTINS or (name.startswith("_") and name != "_"):
                raise Refused(f"gives the name {name!r} another meaning")

    def check(self, node: ast.AST) -> None:
        """Refuse a node, or look at what is below it."""
        if not isinstance(node, _NODES):
            raise Refused(f"uses {type(node).__name__}, which is not on the allow-list")
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            raise Refused("changes a value")
        special = getattr(self, f"on_{type(node).__name__.lower()}", None)
        if special is None:
            self._below(node)
        else:
            special(node)

    def _below(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            self.check(child)

    def on_constant(self, node: ast.Constant) -> None:
        """Text may name no address, and hold no `@id`: its quotes would end the text, at another place another one."""
        if _REFERENCES in str(node.value):
            raise Refused("refers to an id inside a text")
        if isinstance(node.value, str):
            check_address(node.value)

    def on_name(self, node: ast.Name) -> None:
        """A name of the expression's own, of Python's, or an imported one."""
        if node.id in self.bound or node.id in BUILTINS:
            return
        self._global(self.aliases.get(node.id, node.id))

    def _global(self, name: str) -> None:
        if name not in NAMES:
            raise Refused(f"uses {name}, which is not on the allow-list")
        if name == "torch.load":
            raise Refused("uses torch.load otherwise than in torch.load(path, weights_only=True)")

    def on_subscript(self, node: ast.Subscript) -> None:
        """`__local_refs['id']` is a reference; anything else is looked at part by part."""
        reference = isinstance(node.value, ast.Name) and node.value.id == _REFERENCES
        if not (reference and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)):
            self._below(node)

    def on_attribute(self, node: ast.Attribute) -> None:
        """A name in a module, or an attribute of a value."""
        name = self._dotted(node)
        if name in NAMES:
            self._global(name)
        elif name is not None and not any(name.startswith(f"{allowed}.") for allowed in NAMES):
            raise Refused(f"uses {name}, which is not on the allow-list")
        elif node.attr not in ATTRIBUTES:
            raise Refused(f"asks for the attribute {node.attr!r}, which is not on the allow-list")
        else:
            self.check(node.value)

    def _dotted(self, node: ast.expr) -> str | None:
        """`torch.cuda.is_available` of a chain that begins at an imported name; None for any other chain."""
        if isinstance(node, ast.Attribute):
            before = self._dotted(node.value)
            return None if before is None else f"{before}.{node.attr}"
        if isinstance(node, ast.Name) and node.id not in self.bound:
            return self.aliases.get(node.id)
        return None

    def on_call(self, node: ast.Call) -> None:
        """What is called must have a name: a value that a reference gives may be anything."""
        for keyword in node.keywords:
            if keyword.arg is None:
                raise Refused("calls with **, whose names cannot be seen")
            if keyword.arg in GUARDED or keyword.arg in FILES:
                check_guarded(keyword.arg, keyword.value.value if isinstance(keyword.value, ast.Constant) else ...)
        if self._dotted(node.func) == "torch.load":
            self._load(node)
        elif isinstance(node.func, ast.Attribute) or (
            isinstance(node.func, ast.Name) and node.func.id not in self.bound
        ):
            self.check(node.func)
        else:
            raise Refused("calls something that has no name on the allow-list")
        for child in (*node.args, *node.keywords):
            self.check(child)

    def _load(self, node: ast.Call) -> None:
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        only = given.get("weights_only")
        safe = isinstance(only, ast.Constant) and only.value is True
        positional = len(node.args) == 1 and not isinstance(node.args[0], ast.Starred)
        if not (safe and positional and given.keys() <= {"weights_only", "map_location"}):
            raise Refused("uses torch.load otherwise than in torch.load(path, weights_only=True)")
