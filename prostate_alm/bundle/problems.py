"""Everything that is wrong with a bundle here and now, in lines for a person."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from prostate_alm.bundle.integrity import check_hashes
from prostate_alm.bundle.reading import read_config
from prostate_alm.bundle.static import METADATA, static_findings
from prostate_alm.errors import UserError

_KEYS = {"monai_version": "monai", "pytorch_version": "torch", "numpy_version": "numpy"}


def problems_of(bundle: Path) -> list[str]:
    """Hashes that differ, what is not safe to run, and packages of another version than the bundle was made with.

    Args:
        bundle: the bundle's folder.

    Returns:
        One line for each problem; empty for a bundle that is as it was made.

    Example:
        >>> problems_of(Path("nowhere"))[0]
        'bundle nowhere has no hashes.json: only a bundle whose files are recorded may run'
    """
    problems: list[str] = []
    try:
        check_hashes(bundle)
    except UserError as error:
        problems.append(str(error))
    problems += [f"bundle {bundle.name} is not safe to run: {finding}" for finding in static_findings(bundle)]
    try:
        problems += _version_problems(bundle.name, read_config(bundle / "configs" / METADATA))
    except UserError as error:
        problems.append(str(error))
    return list(dict.fromkeys(problems))


def _version_problems(name: str, metadata: dict[str, Any]) -> Iterator[str]:
    """Packages that differ: numbers of a bundle are promised for its own versions alone."""
    further = metadata.get("required_packages_version", {})
    wanted = {package: (key, metadata.get(key)) for key, package in _KEYS.items()} | {
        package: (f"required_packages_version::{package}", asked)
        for package, asked in (further.items() if isinstance(further, dict) else ())
    }
    for package, (key, asked) in wanted.items():
        if asked is None:
            continue
        try:
            found = version(package).partition("+")[0]
        except PackageNotFoundError:
            yield f"bundle {name} was made with {package} {asked} ({key} in configs/{METADATA}); it is not installed"
            continue
        if found != str(asked).partition("+")[0]:
            yield f"bundle {name} was made with {package} {asked} ({key} in configs/{METADATA}); {found} is installed"
