"""What lies in a watched folder: each subfolder and archive is one delivery, all other files together are another."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from prostate_alm.studies import find_studies, open_studies
from prostate_alm.studies.archives import is_archive

if TYPE_CHECKING:
    from prostate_alm.studies import Rules, StudyFiles

Print = tuple[tuple[str, int, int], ...]
"""Name, size and time of change (ns) of every file of a delivery."""


def look_at(folder: Path, before: Mapping[Path, Print]) -> dict[Path, Print]:
    """The files of every delivery that has any; the loose files stand under the folder itself.

    Names that begin with a dot are left out.

    Args:
        folder: the watched folder.
        before: what was there at the last look; it is still there if the folder cannot be looked into at all.
    """
    try:
        paths = _visible(folder)
        own = [path for path in paths if path.is_dir() or is_archive(path)]
    except OSError:  # the share is away for a moment: nothing has changed
        return dict(before)
    prints = {path: _print(path) for path in own}
    prints[folder] = _print_of(path for path in paths if path not in prints)
    return {path: seen for path, seen in prints.items() if seen}


@contextmanager
def opened(folder: Path, path: Path, rules: "Rules") -> "Iterator[list[StudyFiles]]":
    """The studies of one delivery, as `open_studies` gives them.

    Args:
        folder: the watched folder.
        path: the delivery.
        rules: the site's rules.
    """
    if path != folder:
        with open_studies(path, rules) as found:
            yield found
        return
    with tempfile.TemporaryDirectory(prefix="prostate-alm-") as place:
        for file in _visible(folder):
            if not file.is_dir() and not is_archive(file):
                Path(place, file.name).symlink_to(file.resolve())
        yield find_studies(Path(place), rules, origin=folder)


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _print(path: Path) -> Print:
    if not path.is_dir():
        return _print_of([path])
    barred: list[OSError] = []  # what may not be looked into is something all the same
    files = (Path(place, name) for place, _, names in os.walk(path, onerror=barred.append) for name in names)
    return (*_print_of(files), *((str(error.filename), -1, error.errno or 0) for error in barred))


def _print_of(paths: Iterable[Path]) -> Print:
    prints: list[tuple[str, int, int]] = []
    for path in paths:
        try:
            status = path.lstat()
        except OSError:  # it went while the folder was looked through
            continue
        prints.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(sorted(prints))
