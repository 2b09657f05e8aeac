"""Whose file is it: skipped files -> the studies that they belong to, or studies of their own."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from prostate_alm.studies.headers import Skipped
from prostate_alm.studies.strays import ending, hidden, named_otherwise
from prostate_alm.studies.volume_files.names import is_volume_file


@dataclass(frozen=True)
class Orphans:
    """Damaged files of one study of which nothing can be read; `study_uid` is empty if none names it."""

    folder: Path
    study_uid: str
    files: tuple[Skipped, ...]


class Tree:
    """Which studies have images below which folder.

    Args:
        root: where the search began.
        images: StudyInstanceUID -> the paths of its images.
    """

    def __init__(self, root: Path, images: Mapping[str, Iterable[Path]]) -> None:
        self._root = root
        self._below: dict[Path, set[str]] = defaultdict(set)
        self._folder: dict[str, Path] = {}
        self._holders: dict[str, set[Path]] = {}
        self._endings: dict[str, set[str]] = {}
        self._holding: set[Path] = set()
        for uid, paths in images.items():
            held = list(dict.fromkeys(paths))
            self._holders[uid] = {path.parent for path in held}
            # a volume file that lost its content is still known by its ending: no other file stands for one
            slices = [path for path in held if not is_volume_file(path)]
            self._endings[uid] = {ending(path) for path in slices}
            self._holding |= {path.parent for path in slices}
            self._folder[uid] = Path(os.path.commonpath(list(self._holders[uid])))
            for holder in self._holders[uid]:
                for folder in (holder, *holder.parents):
                    self._below[folder].add(uid)

    def share_out(self, skipped: Iterable[Skipped]) -> tuple[dict[str, list[Skipped]], list[Orphans]]:
        """Give each skipped file to the study that it names, else to the studies nearest to it in the tree.

        Damage counts against a study if the nearest ancestor with images is shared with no other study, or lies in the
        folder that holds all of the study. What is left is damage to studies of which nothing can be read.

        Args:
            skipped: every file that takes no part.

        Returns:
            Per study its files, and the groups of damaged files that belong to none.
        """
        items = list(skipped)
        mixed = {item.path.parent for item in items if not item.damaged and not item.suspect}
        mixed |= {item.path.parent for item in items if item.suspect and named_otherwise(item.path)}
        owned: dict[str, list[Skipped]] = defaultdict(list)
        orphans: list[tuple[Path, Skipped]] = []
        for item in items:
            if item.study_uid in self._folder:
                owned[item.study_uid].append(item)
                continue
            ancestor = self._ancestor(item.path)
            near = self._below[ancestor]
            judged = self._judge(item, near, mixed)
            losers = set() if item.study_uid else self._losers(ancestor, near)
            for uid in near:
                owned[uid].append(replace(judged, damaged=judged.damaged and uid in losers))
            if judged.damaged and not (losers and self._at_home(ancestor, losers)):
                orphans.append((self._home(item.path, ancestor), judged))
        return owned, _groups(orphans)

    def _ancestor(self, path: Path) -> Path:
        """The nearest folder above a file with images in or below it; the root has some for certain."""
        return next((folder for folder in path.parents if folder in self._below), self._root)

    def _judge(self, item: Skipped, near: set[str], mixed: set[Path]) -> Skipped:
        """No DICOM, but named like the images or alone among images: an image that was damaged."""
        if item.damaged or not item.suspect or hidden(item.path):
            return item
        folder = item.path.parent
        like = ending(item.path) in {known for uid in near for known in self._endings[uid]}
        alone = folder in self._holding and folder not in mixed
        if named_otherwise(item.path) and not (like and ending(item.path)):
            return item
        if like or alone:
            return replace(item, damaged=True, reason=f"{item.reason}, though it stands where images stand")
        return item

    def _losers(self, ancestor: Path, near: set[str]) -> set[str]:
        """The studies that a damaged file without a name counts against."""
        spread = {uid for uid in near if ancestor.is_relative_to(self._folder[uid])}
        if spread or len(near) != 1:
            return spread
        (uid,) = near
        # the root may hold other studies that are damaged through and through; series side by side are one study
        if ancestor != self._root or self._folder[uid] in self._holders[uid]:
            return near
        return set()

    def _at_home(self, ancestor: Path, losers: set[str]) -> bool:
        """True if the damage is sure to be that of the losers: no study of its own need be listed for it."""
        return ancestor != self._root or any(self._folder[uid] == self._root for uid in losers)

    def _home(self, path: Path, ancestor: Path) -> Path:
        """The highest folder above a file that holds no readable image; the ancestor if the file lies in it."""
        inside = [folder for folder in path.parents if folder.is_relative_to(ancestor) and folder != ancestor]
        return inside[-1] if inside else path if path.is_dir() else ancestor


def _groups(orphans: Iterable[tuple[Path, Skipped]]) -> list[Orphans]:
    """By StudyInstanceUID; files that name none go with the only one of their folder, else they are one by folder."""
    named: dict[str, list[tuple[Path, Skipped]]] = defaultdict(list)
    nameless: dict[Path, list[Skipped]] = defaultdict(list)
    homes: dict[Path, set[str]] = defaultdict(set)
    for home, item in orphans:
        if item.study_uid:
            named[item.study_uid].append((home, item))
            homes[home].add(item.study_uid)
        else:
            nameless[home].append(item)
    groups: list[Orphans] = []
    for home, items in nameless.items():
        if len(homes[home]) == 1:
            named[next(iter(homes[home]))] += [(home, item) for item in items]
        else:
            groups.append(Orphans(home, "", tuple(items)))
    for uid, pairs in named.items():
        folder = Path(os.path.commonpath([home for home, _ in pairs]))
        groups.append(Orphans(folder, uid, tuple(item for _, item in pairs)))
    return groups
