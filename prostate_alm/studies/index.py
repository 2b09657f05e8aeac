"""A folder of files -> studies: headers only, any nesting, nothing lost without a word."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom

from prostate_alm.errors import NoInputError
from prostate_alm.files import sha256
from prostate_alm.studies.headers import Header, Skipped, read_header


@dataclass(frozen=True)
class StudyFiles:
    """The files of one study.

    Args:
        uid: StudyInstanceUID.
        patient_id: PatientID, empty if not stated.
        accession: AccessionNumber, empty if not stated.
        folder: the deepest folder that holds all its images.
        files: the parsed headers of its images, in a fixed order.
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


def find_studies(root: Path | str) -> list[StudyFiles]:
    """Index a folder of any nesting, grouped by StudyInstanceUID, in order of their folders.

    Args:
        root: a folder, or one file.

    Raises:
        NoInputError: if there is no readable DICOM image at all.
    """
    root = Path(root)
    if not root.exists():
        raise NoInputError(f"{root} does not exist; give a folder with the DICOM files of a study")
    headers: dict[str, list[Header]] = defaultdict(list)
    skipped: list[Skipped] = []
    for path in _walk(root, skipped):
        outcome = read_header(path)
        if isinstance(outcome, Header):
            headers[outcome.study_uid].append(outcome)
        else:
            skipped.append(outcome)
    if not headers:
        raise NoInputError(_nothing(root, skipped))
    studies = [_study(uid, images) for uid, images in headers.items()]
    return sorted(_with_skipped(studies, skipped), key=lambda study: (str(study.folder), study.uid))


def _walk(root: Path, skipped: list[Skipped]) -> Iterator[Path]:
    if root.is_file():
        yield root
        return

    def refused(error: OSError) -> None:
        skipped.append(Skipped(Path(error.filename), f"cannot be opened: {error.strerror}", damaged=True))

    for folder, subfolders, names in os.walk(root, onerror=refused):
        subfolders.sort()
        yield from (Path(folder, name) for name in sorted(names))


def _nothing(root: Path, skipped: list[Skipped]) -> str:
    if not skipped:
        return f"no DICOM image in {root}: it holds no files; give a folder with the DICOM files of a study"
    first = skipped[0]
    count = "1 file" if len(skipped) == 1 else f"{len(skipped)} files"
    return (
        f"no DICOM image in {root}: {count}, {first.path.name}: {first.reason}; "
        "give a folder with the DICOM files of a study"
    )


def _study(uid: str, images: list[Header]) -> StudyFiles:
    kept, copies = _without_copies(images)
    first = kept[0]
    folder = Path(os.path.commonpath([image.path.parent for image in kept]))
    return StudyFiles(uid, first.patient_id, first.accession, folder, tuple(kept), tuple(copies))


def _without_copies(images: Iterable[Header]) -> tuple[list[Header], list[Skipped]]:
    """Drop the second file of one SOPInstanceUID: a plain copy is harmless, different content is damage."""
    first: dict[str, Header] = {}
    kept: list[Header] = []
    copies: list[Skipped] = []
    for image in images:
        original = first.setdefault(image.sop_uid, image) if image.sop_uid else image
        if original is image:
            kept.append(image)
        elif _same(original, image):
            copies.append(Skipped(image.path, "a copy of another file", study_uid=image.study_uid))
        else:
            reason = "has the SOPInstanceUID of another file but other content"
            copies.append(Skipped(image.path, reason, damaged=True, study_uid=image.study_uid))
    return kept, copies


def _same(one: Header, other: Header) -> bool:
    """The same image, whatever the file's own preamble and meta group say."""
    if sha256(one.path) == sha256(other.path):
        return True
    if replace(one, path=other.path) != other:
        return False
    pixels = [pydicom.dcmread(path, force=True).get("PixelData") for path in (one.path, other.path)]
    return pixels[0] == pixels[1]


def _with_skipped(studies: list[StudyFiles], skipped: list[Skipped]) -> list[StudyFiles]:
    """Give each skipped file to the study that it names, else to the studies nearest to it in the tree.

    A damaged file that names no study counts against those whose folder it lies in.
    """
    extra: dict[str, list[Skipped]] = defaultdict(list)
    parents = {study.uid: {image.path.parent for image in study.files} for study in studies}
    for item in skipped:
        if item.study_uid in parents:
            extra[item.study_uid].append(item)
            continue
        near = {uid: max(_shared_parts(item.path, folder) for folder in held) for uid, held in parents.items()}
        for study in studies:
            if near[study.uid] == max(near.values()):
                inside = item.path.is_relative_to(study.folder)
                extra[study.uid].append(replace(item, damaged=item.damaged and inside))
    return [replace(study, skipped=(*study.skipped, *extra[study.uid])) for study in studies]


def _shared_parts(path: Path, folder: Path) -> int:
    return len(Path(os.path.commonpath([path, folder])).parts)
