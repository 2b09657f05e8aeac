"""Volume files (NIfTI, MetaImage, NRRD) -> the images of their slices, as a scanner would have written them.

They state no StudyInstanceUID unless a sidecar keeps it. So the files of one folder are one study, or those that share
the prefix which the site's rules read out of their names.
"""

import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from prostate_alm.studies.bvalues.binning import BValue, BValueError
from prostate_alm.studies.dicom.instances import MAX_FRAMES
from prostate_alm.studies.headers import FormError, Header, Skipped
from prostate_alm.studies.rules import Rules
from prostate_alm.studies.volume_files import nifti as volume_nifti
from prostate_alm.studies.volume_files.forms import Form, NotReadError, Scan, as_scanned
from prostate_alm.studies.volume_files.itk import METAIMAGE, NRRD
from prostate_alm.studies.volume_files.names import Name, name_of, prefix_in
from prostate_alm.studies.volume_files.sidecars import Sidecar, read_b_values, read_sidecar

FILES = "files:"
"""What the uid of a study begins with that no file names: then its folder relative to the root, and its prefix."""
BESIDE_DICOM = "a volume file beside DICOM images is not read"


class _Format(Protocol):
    def form(self, path: Path) -> Form: ...
    def voxels(self, path: Path) -> np.ndarray: ...


_FORMATS: dict[str, _Format] = {
    ".nii": volume_nifti, ".gz": volume_nifti, ".mha": METAIMAGE, ".mhd": METAIMAGE, ".nrrd": NRRD, ".nhdr": NRRD,
}  # fmt: skip


@dataclass(frozen=True)
class _File:
    """A volume file and what is known before it is opened."""

    path: Path
    place: str
    name: Name
    sidecar: Sidecar | None
    problem: str = ""

    @property
    def role(self) -> str:
        """What the rule says; beside a sidecar, which says more than a name, only that the file is left out."""
        use_as = self.name.rule.use_as if self.name.rule else ""
        return use_as if self.sidecar is None or use_as == "ignore" else ""

    @property
    def prefix(self) -> str:
        """The prefix that makes it part of a study of its own."""
        return self.name.prefix if self.sidecar is None else ""

    @property
    def person(self) -> str:
        """The prefix of a T2 or DWI, sidecar or not: two of them may be two people."""
        used = self.name.rule is not None and self.name.rule.use_as in ("t2", "dwi")
        return self.name.prefix if used else ""


def read_volume_files(
    paths: Iterable[Path], root: Path, rules: Rules, *, dicom_folders: set[Path], dicom_studies: set[str]
) -> Iterator[tuple[Header, ...] | Skipped]:
    """The images of volume files, file by file; whatever goes wrong becomes a `Skipped` with the reason.

    Args:
        paths: volume files.
        root: the folder where the search began.
        rules: the site's rules.
        dicom_folders: folders that hold DICOM images, whose volume files are copies of these at best.
        dicom_studies: StudyInstanceUIDs of the DICOM images.
    """
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in paths:
        if path.parent in dicom_folders:
            yield Skipped(path, BESIDE_DICOM)
        else:
            folders[path.parent].append(path)
    for folder, members in folders.items():
        place = folder.relative_to(root).as_posix()
        files = [_known(path, place, rules) for path in members]
        people = frozenset(file.person for file in files) - {""}
        prefixes = frozenset(file.prefix for file in files) - {""} | (people if len(people) > 1 else frozenset())
        for file in files:
            uid = file.sidecar.uid("StudyInstanceUID") if file.sidecar else ""
            if uid in dicom_studies:
                yield Skipped(file.path, BESIDE_DICOM, study_uid=uid)
            else:
                yield _read(file, uid or f"{FILES}{place}/{prefix_in(file.name, prefixes)}")


def decode_volume_file(path: Path) -> np.ndarray:
    """All slices of a volume file as measured, (frames, rows, columns), in the order of its headers' `frame`.

    Args:
        path: a file of which `read_volume_files` made headers.

    Raises:
        FormError: if it is damaged or cut short.
    """
    source = _format_of(path)
    return as_scanned(source.form(path)).planes(source.voxels(path))


def _format_of(path: Path) -> _Format:
    return _FORMATS[path.suffix.lower()]


def _known(path: Path, place: str, rules: Rules) -> _File:
    name = name_of(path, rules)
    try:
        return _File(path, place, name, read_sidecar(path))
    except FormError as error:
        return _File(path, place, name, None, str(error))
    except OSError as error:
        return _File(path, place, name, None, f"its JSON sidecar cannot be opened: {error.strerror}")


def _read(file: _File, study_uid: str) -> tuple[Header, ...] | Skipped:
    counts = file.role != "ignore"
    try:
        if not stat.S_ISREG(file.path.stat().st_mode):  # opening a pipe would wait for ever
            raise FormError("not a regular file")
        if file.problem:
            raise FormError(file.problem)
        return _headers(file, study_uid)
    except NotReadError as error:
        return Skipped(file.path, f"a volume file that is not read: {error}", study_uid=study_uid)
    except OSError as error:
        reason = f"cannot be opened: {error.strerror or type(error).__name__}"
        return Skipped(file.path, reason, damaged=counts, study_uid=study_uid)
    except FormError as error:
        return Skipped(file.path, f"damaged volume file ({error})", damaged=counts, study_uid=study_uid)
    except Exception as error:  # readers raise many kinds on damaged input; one bad file never stops a batch
        reason = f"damaged volume file ({type(error).__name__})"
        return Skipped(file.path, reason, damaged=counts, study_uid=study_uid)


def _headers(file: _File, study_uid: str) -> tuple[Header, ...]:
    form = _format_of(file.path).form(file.path)
    scan = as_scanned(form)
    if scan.slices * scan.volumes > MAX_FRAMES:
        raise FormError(f"{scan.slices * scan.volumes} slices")
    b_values, b_problem = _b_values(file, scan.volumes)
    shared = _shared(file, study_uid, scan) | {"monochrome": form.monochrome, "b_problem": b_problem}
    places = scan.affine[:3, 3] + np.outer(np.arange(scan.slices), scan.affine[:3, 2])
    return tuple(
        Header(**shared, frame=volume * scan.slices + index, b_value=b_value, position_mm=tuple(map(float, place)))
        for volume, b_value in enumerate(b_values)
        for index, place in enumerate(places)
    )


def _b_values(file: _File, volumes: int) -> tuple[list[BValue | None], str]:
    try:
        found = read_b_values(file.path, volumes, None if file.sidecar else file.name.b)
    except BValueError as error:
        return [None] * volumes, str(error)
    if file.role == "t2" and any(value is not None and value.nominal for value in found):
        raise FormError("its name says T2, its .bval says diffusion")
    return found, ""


def _shared(file: _File, study_uid: str, scan: Scan) -> dict[str, Any]:
    """What all slices of a file have in common."""
    row, column = scan.affine[:3, 0], scan.affine[:3, 1]
    width, height = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    stated = file.sidecar.fields() if file.sidecar else {"modality": "MR" if file.role else "other", "image_type": ()}
    stated["raw_description"] = stated.get("raw_description") or file.name.stem
    return stated | {
        "path": file.path,
        "sop_class": "",
        "sop_uid": f"{FILES}{file.place}/{file.path.name}",
        "study_uid": study_uid,
        "series_uid": _series_uid(file, study_uid),
        "transfer_syntax": "",
        "rows": scan.rows,
        "columns": scan.columns,
        "frames": scan.slices * scan.volumes,
        "pixel_spacing_mm": (height, width),
        "orientation": tuple(map(float, (*(row / width), *(column / height)))),
        "named": file.role,
    }


def _series_uid(file: _File, study_uid: str) -> str:
    """A rule that reads a b-value out of names declares the files that it fits one measurement."""
    if file.sidecar:
        return file.sidecar.uid("SeriesInstanceUID") or f"{study_uid}/{file.path.name}"
    if file.name.rule and file.role == "dwi" and file.name.b is not None:
        return f"{study_uid}/{file.name.rule.name}"
    return f"{study_uid}/{file.path.name}"
