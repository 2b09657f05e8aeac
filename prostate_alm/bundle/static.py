"""Is a bundle safe to run? Its configs are read and judged against an allow-list; nothing is evaluated or imported.

A MONAI config is code: `$` strings are evaluated, `_target_` names are imported and called. A bundle from elsewhere is
therefore looked at before MONAI sees it.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monai.bundle.config_parser import ConfigParser

from prostate_alm.bundle.allowed import CALLABLES, COMPONENTS, site_components
from prostate_alm.bundle.expressions import Refused, check_address, check_expression, check_guarded, imported
from prostate_alm.bundle.logging_conf import logging_findings
from prostate_alm.bundle.reading import BadConfigError, config_files, read_config, walk
from prostate_alm.errors import IntegrityError, ModelError

METADATA = "metadata.json"
CODE_SUFFIXES = frozenset(
    (".py", ".pyw", ".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib", ".pth", ".dist-info", ".egg-info", ".egg-link")
)
"""Code, and what tells Python of an installed package, whose entry points would be believed."""
MOST_VALUES = 100_000
LONGEST_NAME = 200
_KEY = re.compile(r"\+?\w+(?:(?:::|#)\w+)*", re.ASCII)
_SPECIAL = frozenset(("_target_", "_desc_", "_requires_", "_disabled_", "_mode_", "_meta_"))


@dataclass(frozen=True)
class Finding:
    """One thing in a bundle that is not allowed.

    Args:
        file: path inside the bundle.
        key: config id.
        reason: what is wrong with it.
        misspelt: the value is close to an allowed one, so that it is rather a slip of the pen.
    """

    file: str
    key: str
    reason: str
    misspelt: bool = False

    def __str__(self) -> str:
        """One line, whatever the bundle wrote into it."""
        return _one_line(f"{self.file}: {self.key}: {self.reason}")


def static_findings(folder: Path) -> list[Finding]:
    """Everything in a bundle that the allow-list does not allow; empty for a bundle that is safe to run.

    Args:
        folder: the bundle's folder.
    """
    contents: dict[str, dict[str, Any]] = {}
    found: list[Finding] = []
    for path in config_files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            contents[name] = read_config(path)
            _refuse_huge(contents[name])
        except BadConfigError as error:
            found.append(Finding(name, "the file", str(error), misspelt=True))
        except (Refused, RecursionError) as error:
            contents.pop(name)
            reason = str(error) if isinstance(error, Refused) else "is nested too deeply"
            found.append(Finding(name, "the file", reason))
    if not contents and not found:
        found.append(Finding("configs", "the folder", "holds no config"))
    metadata = {name: content for name, content in contents.items() if Path(name).name == METADATA}
    configs = {name: content for name, content in contents.items() if name not in metadata}
    for name, content in metadata.items():
        found += _inert_findings(name, content)
    found += _config_findings(configs)
    for path in sorted((folder / "configs").rglob("*.conf")):
        name = path.relative_to(folder).as_posix()
        found += [Finding(name, key, reason) for key, reason in logging_findings(path)]
    return found + list(_code_findings(folder))


def check_static(folder: Path) -> None:
    """Refuse a bundle that the allow-list does not allow.

    Raises:
        ModelError: if all that is wrong looks like a misspelt name or a damaged file.
        IntegrityError: for anything else; names the file, the key and the reason.
    """
    found = static_findings(folder)
    if not found:
        return
    serious = [finding for finding in found if not finding.misspelt]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    if not serious:
        raise ModelError(f"bundle {folder.name}: {found[0]}{more}")
    raise IntegrityError(f"bundle {folder.name} is not safe to run: {serious[0]}{more}")


def _refuse_huge(content: Any) -> None:
    count = 0

    def visit(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > MOST_VALUES:
            raise Refused(f"holds more than {MOST_VALUES} values")

    walk(content, visit)


def _inert_findings(file: str, content: Any) -> list[Finding]:
    """MONAI parses the metadata as a part of the config: there is nothing in it to evaluate."""
    found: list[Finding] = []

    def visit(key: str, name: str, value: Any, _parent: Any) -> None:
        special = not (_SPECIAL - {"_desc_"}).isdisjoint(_parts(name))
        if special or (isinstance(value, str) and value[:1] in ("$", "%", "@")):
            found.append(Finding(file, key, "metadata is plain data: no expression, macro, reference or component"))

    walk(content, visit)
    return found


def _config_findings(configs: Mapping[str, Any]) -> list[Finding]:
    """Imports first: what a name stands for is the same in all configs of a bundle, which MONAI merges."""
    found: list[Finding] = []
    aliases: dict[str, str] = {}
    for file, content in configs.items():

        def collect(key: str, _name: str, value: Any, _parent: Any, file: str = file) -> None:
            try:
                made = imported(value) if _is_expression(value) else None
                if made and aliases.setdefault(made.name, made.what) != made.what:
                    raise Refused(f"gives the name {made.name!r} another meaning")
            except Refused as reason:
                found.append(Finding(file, key, f"{reason}: {_short(value)}"))

        walk(content, collect)
    for file, content in configs.items():

        def judge(key: str, name: str, value: Any, parent: Any, file: str = file) -> None:
            found.extend(_value_findings(file, key, name, value, parent, aliases))

        walk(content, judge)
    return found


def _value_findings(
    file: str, key: str, name: str, value: Any, parent: Any, aliases: Mapping[str, str]
) -> Iterator[Finding]:
    if isinstance(parent, dict):
        last = _parts(name)[-1]
        checks = (lambda: _check_key(name, key, value), lambda: _check_special(last, name, value, parent))
        for check in checks:
            try:
                check()
            except Refused as reason:
                near = _near_component(value) if last == "_target_" else None
                hint = f"; did you mean {near}?" if near else ""
                yield Finding(file, key, f"{reason}{hint}", misspelt=near is not None)
        if last in ("_target_", "_mode_"):
            return
    if isinstance(value, str):
        try:
            _check_text(value, key.removeprefix("+"), aliases, described=name == "_desc_")
        except Refused as reason:
            yield Finding(file, key, f"{reason}: {_short(value)}")


def _check_key(name: str, key: str, value: Any) -> None:
    """MONAI writes keys into expressions (`@##id`), so that a key may be nothing but words."""
    if not _KEY.fullmatch(name):
        raise Refused("a key holds letters, digits, '_' and '::' alone")
    for part in _parts(name):
        if part.startswith("_") and part.endswith("_") and part not in _SPECIAL:
            raise Refused(f"the special key {part} is not on the allow-list")
    merged = name.startswith("+") and isinstance(value, dict) and not {"_target_", "_mode_"}.isdisjoint(value)
    if merged or (name not in _SPECIAL and _parts(key)[-1] in ("_target_", "_mode_")):
        raise Refused("exchanges a part of a component; write the whole component")


def _check_special(last: str, name: str, value: Any, parent: Mapping[str, Any]) -> None:
    for part in _parts(name):  # of `reader::0` too
        check_guarded(part, value)
    if last == "_target_":
        _check_target(value, parent.get("_mode_") if name == "_target_" else None)
    if last == "_mode_" and (value not in ("default", "callable") or "_target_" not in parent):
        raise Refused(f"{value!r} is no mode that a bundle may use: default or callable, beside its _target_")


def _check_target(target: Any, mode: Any) -> None:
    if not isinstance(target, str):
        raise Refused(f"must be the name of a component, got a {type(target).__name__}")
    if mode == "callable":
        if target not in CALLABLES and target not in site_components():
            raise Refused(f"{target!r} is not on the allow-list of callables")
    elif target not in COMPONENTS and target not in CALLABLES and target not in site_components():
        raise Refused(f"{target!r} is not on the allow-list")


def _parts(name: str) -> list[str]:
    return re.split("::|#", name.removeprefix("+"))


def _near_component(target: Any) -> str | None:
    """The allowed component that a name is a misspelling of, if there is one."""
    if not isinstance(target, str) or len(target) > LONGEST_NAME:
        return None
    package, _, name = target.rpartition(".")
    candidates = [allowed for allowed in COMPONENTS if _alike(package, allowed.rpartition(".")[0])]
    found = difflib.get_close_matches(name, [each.rpartition(".")[2] for each in candidates], n=1, cutoff=0.75)
    return next((each for each in sorted(candidates) if found and each.rpartition(".")[2] == found[0]), None)


def _alike(name: str, other: str) -> bool:
    return name == other or difflib.SequenceMatcher(None, name, other).ratio() >= 0.85


def _is_expression(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("$")


def _check_text(text: str, key: str, aliases: Mapping[str, str], described: bool) -> None:
    if text.startswith("%"):
        try:
            path, _ = ConfigParser.split_path_id(ConfigParser.resolve_relative_ids(key, text)[1:])
        except ValueError as error:
            raise Refused("the macro leads out of the config") from error
        if path or not re.fullmatch(r"%[\w:#]*", text, re.ASCII):
            raise Refused("a macro reads no other file; write an overlay, or copy what you need")
    elif not _is_expression(text):
        if not described:
            check_address(text)
    elif _import_of(text) is None:
        check_expression(text, key, aliases)


def _import_of(text: str) -> object | None:
    try:
        return imported(text)
    except Refused:
        return text  # found when the imports were collected


def _code_findings(folder: Path) -> Iterator[Finding]:
    """MONAI puts the bundle's folder on Python's path: a file in it could be imported in the place of a package."""
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        below = [] if entry.name == "eval" and entry.is_dir() else [entry, *sorted(entry.rglob("*"))]
        for path in below:
            name = path.relative_to(folder).as_posix()
            if path.suffix.lower() in CODE_SUFFIXES:
                yield Finding(name, "the file", "is code; a bundle's code belongs into an installed package")
            elif path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
                yield Finding(name, "the file", "is a link that leads out of the bundle")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _one_line(text: str) -> str:
    plain = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
    return plain if len(plain) <= 400 else f"{plain[:400]}..."
