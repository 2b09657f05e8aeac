"""Experiment trackers are optional packages."""

from importlib.util import find_spec

from prostate_alm.errors import UsageError


def require_package(name: str, key: str) -> None:
    """Refuse to start without a package that the config asks for.

    Args:
        name: the package, as it is imported and installed.
        key: the config id that asks for it.

    Raises:
        UsageError: if it is not installed.

    Example:
        >>> require_package("torch", key="network")
    """
    if find_spec(name.partition(".")[0]) is None:  # of a.b, it would import a
        raise UsageError(f"{key} needs the package {name}: pip install 'prostate-alm[trackers]', or set {key} to false")
