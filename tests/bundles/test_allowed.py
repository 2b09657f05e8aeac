"""The allow-list: every name on it exists, and none takes code."""

import importlib
import inspect
from pydoc import locate

from monai.bundle import ComponentLocator

from prostate_alm.bundle.allowed import ATTRIBUTES, BUILTINS, CALLABLES, COMPONENTS, NAMES


def test_what_the_list_allows_exists_and_is_what_it_says() -> None:
    """A short name that MONAI does not know would be imported from the path: each must be MONAI's."""
    for room in ("data", "engines", "handlers", "inferers", "losses", "metrics", "networks.nets", "optimizers"):
        importlib.import_module(f"monai.{room}")
    locator = ComponentLocator()
    for name in sorted(COMPONENTS | CALLABLES | NAMES):
        module = f"{locator.get_component_module_name(name)}." if "." not in name else ""
        assert locate(f"{module}{name}") is not None, name
    for name in COMPONENTS:
        assert not name.startswith("monai.") or inspect.isclass(locate(name)), name


def test_no_allowed_name_evaluates_or_reads_attributes() -> None:
    assert not BUILTINS & {"eval", "exec", "open", "compile", "getattr", "setattr", "vars", "map", "type", "__import__"}
    assert not ATTRIBUTES & {"format", "format_map", "apply", "load", "eval", "system"}
    assert not any(name.startswith("_") for name in ATTRIBUTES | BUILTINS)
    assert NAMES & {"torch.load", "torch.jit.load", "numpy.load"} == {"torch.load"}
    assert CALLABLES.isdisjoint(name for name in COMPONENTS if name.rpartition(".")[2].startswith(("Load", "Save")))
