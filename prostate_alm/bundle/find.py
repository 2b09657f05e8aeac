"""Where the bundles are, in a checkout or installed from a wheel."""

from pathlib import Path

from prostate_alm.errors import ModelError


def find_bundle(name: str) -> Path:
    """The folder of a bundle that comes with the package.

    Raises:
        ModelError: if there is no such bundle.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "bundles" / name, package / "_bundles" / name):
        if (folder / "configs" / "metadata.json").is_file():
            return folder
    raise ModelError(f"the bundle {name} is not part of this installation; install prostate-alm again")
