"""A folder of files -> studies: headers only, any nesting, nothing lost without a word."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom

from prostate_alm.errors import NoInputError
from prostate_alm.files import sha256
from prostate_alm.studies.archives import opened
from prostate_alm.studies.dicom.instances import read_headers
from prostate_alm.studies.dicom.quiet import quiet
from prostate_alm.studies.headers import Header, Skipped
from prostate_alm.studies.owners import Orphans, Tree
from prostate_alm.studies.rules import Rules, load_rules
from prostate_alm.studies.volume_files import FILES, read_volume_files
from prostate_alm.studies.volume_files.names import companions_among, is_volume_file

UNREADABLE = "unreadable:"
"""What the uid of a study begins with that no file names, before its folder relative to the root."""


@dataclass(frozen=True)
class StudyFiles:
    """The files of one study.

    Args:
        uid: StudyInstanceUID; `files:<folder>/<prefix>` for volume files without one, the prefix as a rule reads it
            out of their names; `unreadable:<folder>` if no file can be read and none names it.
        patient_id: PatientID, empty if not stated.
        accession: AccessionNumber, empty if not stated.
        folder: the deepest folder that holds all its images; for files that share a prefix, that folder and the prefix,
            which tells the studies of one folder apart.
        files: the parsed headers of its images, in a fixed order; none if all are damaged.
        skipped: files beside them that take no part, with reasons.
    """

    uid: str
    patient_id: str
    accession: str
    folder: Path
    files: tuple[Header, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def unreadable(self) -> list[tuple[Path, str]]:
        """The files that take no part, each with the reason."""
        return [(skipped.path, skipped.reason) for skipped in self.skipped]


@contextmanager
def open_studies(path: Path | str, rules: Rules | None = None) -> Iterator[list[StudyFiles]]:
    """The studies behind a folder, a file or a zip archive, which can be read as long as the block lasts.

    Args:
        path: as a person gave it; the studies' folders begin with it, also if an archive was unpacked elsewhere.
        rules: the site's rules; None means the defaults.

    Raises:
        NoInputError: as `find_studies` and `archives.opened`.
        OutputError: if an archive cannot be unpacked.
    """
    with opened(path) as place:
        yield find_studies(place, rules, origin=Path(path))


def find_studies(root: Path | str, rules: Rules | None = None, *, origin: Path | None = None) -> list[StudyFiles]:
    """Index a folder of any nesting, grouped by StudyInstanceUID, in order of their folders.

    NIfTI, MHA and NRRD files without one are a study by folder and prefix; sidecars (.json, .bval, .bvec) and detached
    voxels belong to their volume file and are not listed.

    Damaged files that belong to no readable study are a study of their own, with no `files`: by StudyInstanceUID where
    a header still gives one, else by the highest folder that holds no readable image.

    Args:
        root: a folder, or one file.
        rules: the site's rules, of which those for file names count here; None means the defaults.
        origin: what the studies' folders begin with in place of `root`.

    Raises:
        NoInputError: if there is no readable image at all.
    """
    root = Path(root)
    if not root.exists():
        raise NoInputError(f"{root} does not exist; give a folder with the files of a study")
    headers: dict[str, list[Header]] = defaultdict(list)
    skipped: list[Skipped] = []
    for outcome in _outcomes(root, skipped, rules or load_rules(None)):
        if isinstance(outcome, Skipped):
            skipped.append(outcome)
        else:
            headers[outcome[0].study_uid] += outcome
    if not headers:
        raise NoInputError(_nothing(origin or root, skipped))
    studies = [_study(root, uid, images) for uid, images in headers.items()]
    tree = Tree(root, {study.uid: [image.path for image in study.files] for study in studies})
    owned, orphans = tree.share_out(skipped)
    studies = [replace(study, skipped=(*study.skipped, *owned[study.uid])) for study in studies]
    studies += [_unread(root, group) for group in orphans]
    studies = [_placed(study, origin or root) for study in studies]
    if origin is not None and origin != root:
        studies = [replace(study, folder=origin / study.folder.relative_to(root)) for study in studies]
    return sorted(studies, key=lambda study: (str(study.folder), study.uid))


def _placed(study: StudyFiles, root: Path) -> StudyFiles:
    """Volume files without a UID are known by their place, whatever folder above it was named."""
    if not study.uid.startswith(FILES):
        return study
    place = study.uid.removeprefix(FILES).removeprefix("./")
    return replace(study, uid=f"{FILES}{_top(root.resolve()).as_posix()}/{place}")


def _outcomes(root: Path, skipped: list[Skipped], rules: Rules) -> Iterator[tuple[Header, ...] | Skipped]:
    """What each file holds: DICOM first, since it decides which volume files are read."""
    paths = list(_walk(root, skipped))
    volumes = [path for path in paths if is_volume_file(path)]
    apart = {*volumes, *companions_among(paths, volumes)}
    folders: set[Path] = set()
    studies: set[str] = set()
    for path in paths:
        if path in apart:
            continue
        outcome = read_headers(path)
        if not isinstance(outcome, Skipped):
            folders.add(path.parent)
            studies.add(outcome[0].study_uid)
        yield outcome
    yield from read_volume_files(volumes, _top(root), rules, dicom_folders=folders, dicom_studies=studies)


def _top(root: Path) -> Path:
    """The folder that places are relative to."""
    return root.parent if root.is_file() else root


def _walk(root: Path, skipped: list[Skipped]) -> Iterator[Path]:
    """Every file once; links to folders are followed, a folder met again is not entered again."""
    if root.is_file():
        yield root
        return

    above = root.resolve().parents  # a link to a folder above would lead through everything
    met = {_identity(root), *(_identity(folder) for folder in above)}
    pending = [root]
    while pending:  # no recursion: folders may lie deeper than Python's stack
        here = pending.pop()
        try:
            paths = sorted(here.iterdir())
        except OSError as error:
            skipped.append(Skipped(here, f"cannot be opened: {error.strerror}", damaged=True))
            continue
        folders = {path for path in paths if os.path.isdir(path)}  # noqa: PTH112  Path.is_dir raises on loops of links
        real_first = sorted(folders, key=lambda path: (path.is_symlink(), path))
        pending += reversed([folder for folder in real_first if _is_new(folder, met)])
        yield from (path for path in paths if path not in folders)


def _is_new(folder: Path, met: set[tuple[int, int] | None]) -> bool:
    identity = _identity(folder)
    known = identity is not None and identity in met
    met.add(identity)
    return not known


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:  # the walk reports it
        return None
    return status.st_dev, status.st_ino


def _nothing(root: Path, skipped: list[Skipped]) -> str:
    if not skipped:
        return f"no readable image in {root}: it holds no files; give a folder with the files of a study"
    first = skipped[0]
    count = "1 file" if len(skipped) == 1 else f"{len(skipped)} files"
    return (
        f"no readable image in {root}: {count}, {first.path.name}: {first.reason}; "
        "give a folder with the files of a study"
    )


def _study(root: Path, uid: str, images: list[Header]) -> StudyFiles:
    kept, copies = _without_copies(images)
    first = kept[0]
    folder = _place(root, uid) or Path(os.path.commonpath([image.path.parent for image in kept]))
    return StudyFiles(uid, first.patient_id, first.accession, folder, tuple(kept), tuple(copies))


def _place(root: Path, uid: str) -> Path | None:
    """Folder and prefix of volume files, which stand in the uid."""
    return _top(root) / uid.removeprefix(FILES) if uid.startswith(FILES) else None


def _unread(root: Path, group: Orphans) -> StudyFiles:
    folder = group.folder.relative_to(root) if group.folder.is_relative_to(root) else group.folder
    uid = group.study_uid or f"{UNREADABLE}{folder.as_posix()}"
    return StudyFiles(uid, "", "", _place(root, uid) or group.folder, (), group.files)


def _without_copies(images: Iterable[Header]) -> tuple[list[Header], list[Skipped]]:
    """Drop the second file of one SOPInstanceUID: a plain copy is harmless, different content is damage."""
    first: dict[str, Header] = {}
    kept: list[Header] = []
    copies: list[Skipped] = []
    for image in images:
        original = first.setdefault(image.sop_uid, image) if image.sop_uid else image
        if original.path == image.path:
            kept.append(image)
        elif image.path in {copy.path for copy in copies[-1:]}:  # a further image of the same file
            continue
        elif _same(original, image):
            copies.append(Skipped(image.path, "a copy of another file", study_uid=image.study_uid))
        else:
            reason = f"an image of {image.name} has the SOPInstanceUID of another file but other content"
            copies.append(Skipped(image.path, reason, damaged=True, study_uid=image.study_uid))
    return kept, copies


def _same(one: Header, other: Header) -> bool:
    """The same data set, whatever the file's own preamble and meta group say."""
    if sha256(one.path) == sha256(other.path):
        return True
    if replace(one, path=other.path) != other:
        return False
    try:
        with quiet():
            return pydicom.dcmread(one.path, force=True) == pydicom.dcmread(other.path, force=True)
    except Exception:  # pydicom raises many kinds on values it cannot convert
        return False
