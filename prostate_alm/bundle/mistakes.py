"""From what MONAI raised to one line: which key of which file is wrong."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from monai.bundle.config_item import ConfigComponent, ConfigExpression
from monai.bundle.config_parser import ConfigParser
from monai.bundle.reference_resolver import ReferenceResolver
from monai.transforms import Transform

from prostate_alm.bundle.allowed import COMPONENTS
from prostate_alm.bundle.components import arguments, located, plain_value, wrong_argument, wrong_type
from prostate_alm.bundle.graph import all_values, broken_macro, broken_reference, near
from prostate_alm.bundle.origins import CALL, Origins
from prostate_alm.errors import UsageError, UserError

_REFUSALS = (
    ValueError, TypeError, RuntimeError, LookupError, AttributeError, AssertionError, OSError, ImportError
)  # fmt: skip
LONGEST = 300
STEPS = ("initialize", "run", "finalize")
"""Ids that run what others define, and are themselves no place of a mistake."""


class TellingResolver(ReferenceResolver):
    """MONAI's resolver, which remembers the id at which it failed first: MONAI's messages lose it."""

    failed: str | None = None

    def _resolve_one_item(self, id: str, waiting_list: set[str] | None = None, **kwargs: Any) -> Any:
        try:
            return super()._resolve_one_item(id=id, waiting_list=waiting_list, **kwargs)
        except Exception:
            if self.failed is None:
                self.failed = self.normalize_id(id)
            raise


def telling_parser(parser: ConfigParser) -> ConfigParser:
    """Make a parser that has resolved nothing yet remember where it fails."""
    parser.ref_resolver = TellingResolver()
    return parser


@dataclass(frozen=True)
class Explainer:
    """Tells a user's mistake in a config from a bug.

    Args:
        parser: from `telling_parser`, after it failed.
        origins: of the same configs.
        starts: the ids that were asked for.
        kind: the error to make.
    """

    parser: ConfigParser
    origins: Origins
    starts: Sequence[str]
    kind: type[UserError] = UsageError

    def mistake_behind(self, error: BaseException) -> UserError | None:
        """The user's mistake that led to an error; None if it is a bug, or cannot be told from one."""
        chain = [error]
        while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
            chain.append(cause)
        failed = getattr(self.parser.ref_resolver, "failed", None)
        values = all_values(self.parser.config)
        value: Any = values.get(failed) if failed else None
        for link in chain:
            if isinstance(link, UserError):
                return self._located(link, failed, value, values)
        if isinstance(chain[-1], MemoryError | torch.OutOfMemoryError):
            return None
        if broken := broken_macro(values) or broken_reference(values, self.starts):
            return self.kind(f"{self.origins.place(broken.key)} {broken.reason}")
        if failed and ConfigComponent.is_instantiable(value):
            return self._component(failed, value, chain[-1], values)
        if failed and ConfigExpression.is_expression(value) and failed.split("::")[0] not in STEPS:
            return self.kind(f"{self.origins.place(failed)}: {value} fails: {_line(chain[-1])}")
        return self._running(chain[-1], values) or self._type(values)

    def _located(self, error: UserError, failed: str | None, value: Any, values: Mapping[str, Any]) -> UserError:
        """What the package itself said, and the key of the argument that it was about."""
        if failed is None or not ConfigComponent.is_instantiable(value):
            return error
        key = self._culprit(failed, value, str(error), values)
        if key == failed:
            return error
        return type(error)(f"{error} ({self.origins.place(key)})")

    def _component(self, key: str, component: Any, root: BaseException, values: Mapping[str, Any]) -> UserError | None:
        target, given = component["_target_"], arguments(component)
        if isinstance(root, ModuleNotFoundError) and "Cannot locate" in str(root):
            hint = near(target, COMPONENTS)
            return self.kind(f"{self.origins.place(f'{key}::_target_')}: there is no {target}{hint}")
        found = located(component, self.parser.locator)
        wrong = wrong_argument(found, given)
        if wrong:
            place = self.origins.place(key if wrong[0] is None else f"{key}::{wrong[0]}")
            return self.kind(f"{place}: {target} {wrong[1]}")
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(root))
        if unknown and unknown[1] in given:
            return self.kind(f"{self.origins.place(f'{key}::{unknown[1]}')}: {target} has no argument {unknown[1]!r}")
        if typed := wrong_type(found, given, values):
            place = self.origins.place(_holder(key, typed[0], component, values))
            return self.kind(f"{place}: {typed[0]} of {target} {typed[1]}")
        if not isinstance(root, _REFUSALS):
            return None
        culprit = self._culprit(key, component, str(root), values)
        plain = values.get(culprit)
        what = repr(plain) if isinstance(plain, str | int | float) else "its value"
        return self.kind(f"{self.origins.place(culprit)}: {target} refuses {what}: {_line(root)}")

    def _culprit(self, key: str, component: Mapping[str, Any], text: str, values: Mapping[str, Any]) -> str:
        """The id that holds the argument which a message is about; the component's own if that cannot be told."""
        given = arguments(component)
        resolved = self.parser.ref_resolver.resolved_content
        named = [name for name in given if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
        for name, value in given.items():
            made = resolved.get(value[1:]) if isinstance(value, str) and value.startswith("@") else value
            if isinstance(made, str) and len(made) > 2 and made in text:
                named.insert(0, name)
        keys = [_holder(key, name, component, values) for name in named or given]
        from_call = [each for each in dict.fromkeys(keys) if self.origins.file_of(each) == CALL]
        if len(from_call) == 1:
            return from_call[0]
        return keys[0] if named else key

    def _running(self, root: BaseException, values: Mapping[str, Any]) -> UserError | None:
        """An error inside a transform, or inside the network's forward: they do not fit the images."""
        if not isinstance(root, RuntimeError | ValueError | TypeError | LookupError):
            return None
        resolved = self.parser.ref_resolver.resolved_content
        transforms = {id(made): key for key, made in resolved.items() if isinstance(made, Transform)}
        key, target, trace = None, "", root.__traceback__
        while trace is not None:
            owner = trace.tb_frame.f_locals.get("self")
            if owner is not None and owner is resolved.get("network"):
                key, target = network_key(values)
            elif id(owner) in transforms and ConfigComponent.is_instantiable(values.get(transforms[id(owner)])):
                key = transforms[id(owner)]
                target = values[key]["_target_"]
            trace = trace.tb_next
        reason = f"{target} does not fit the images that it is given: {_line(root)}"
        return None if key is None else self.kind(f"{self.origins.place(key)}: {reason}")

    def _type(self, values: Mapping[str, Any]) -> UserError | None:
        """A plain value of another type than its component says, found when it was used."""
        for key, component in values.items():
            if not ConfigComponent.is_instantiable(component) or key not in self.parser.ref_resolver.resolved_content:
                continue
            wrong = wrong_type(located(component, self.parser.locator), arguments(component), values)
            if wrong:
                place = self.origins.place(_holder(key, wrong[0], component, values))
                return self.kind(f"{place}: {wrong[0]} of {component['_target_']} {wrong[1]}")
        return None


def network_key(values: Mapping[str, Any]) -> tuple[str, str]:
    """The id that defines the network itself, below ensembles and loaders of weights, and its target.

    Example:
        >>> network_key({"network_def": "@net", "net": {"_target_": "UNet"}})
        ('net', 'UNet')
    """
    key, value = "network_def", values.get("network_def")
    while True:
        after, value = plain_value(value, values)
        key = after or key
        if not isinstance(value, dict):
            return key, "the network"
        inner = value.get("network", value.get("member"))
        if inner is None or plain_value(inner, values)[0] is None:
            return key, str(value.get("_target_", "the network"))
        value = inner


def _holder(key: str, name: str, component: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """The id where the value of an argument stands."""
    return plain_value(component[name], values)[0] or f"{key}::{name}"


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
