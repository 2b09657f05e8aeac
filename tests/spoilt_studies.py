"""Studies on disk, each broken in one way that must leave it undecided."""

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pydicom
from planted import unwarned
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from prostate_alm.studies import Keys, find_studies, read_study

KEYS = Keys(b"a salt for tests only")


def used(folder: Path, kind: str | int) -> list[Path]:
    """The files of the T2 that is used (`"t2"`), or of one b-value, from feet to head."""
    (study,) = find_studies(folder)
    read = read_study(study, keys=KEYS)
    named = {report.description for report in read.series if report.reason.startswith("used as")}
    files = sorted((file for file in study.files if file.description in named), key=lambda file: file.position_mm[2])
    if kind == "t2":
        return [file.path for file in files if file.b_value is None]
    return [file.path for file in files if file.b_value is not None and file.b_value.nominal == kind]


def edited(kind: str | int, edit: Callable[[Dataset], object], only: slice = slice(None)) -> Callable[[Path], None]:
    """Change the header or the pixels of the files of one sequence."""

    def spoil(folder: Path) -> None:
        for path in used(folder, kind)[only]:
            dataset = pydicom.dcmread(path)
            with unwarned():
                edit(dataset)
                dataset.save_as(path)

    return spoil


def removed(*kinds: str | int, only: slice = slice(None)) -> Callable[[Path], None]:
    """Take files away."""
    return lambda folder: [path.unlink() for kind in kinds for path in used(folder, kind)[only]] and None


def rewritten(kind: str | int, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Change the bytes of one file."""

    def spoil(folder: Path) -> None:
        path = used(folder, kind)[2]
        path.write_bytes(change(path.read_bytes()))

    return spoil


def pixels(change: Callable[..., object]) -> Callable[[Dataset], None]:
    """Change the stored values."""

    def edit(dataset: Dataset) -> None:
        dataset.PixelData = change(dataset.pixel_array).astype("<u2").tobytes()

    return edit


def put(name: str, value: object) -> Callable[[Dataset], None]:
    """Set an element."""
    return lambda dataset: setattr(dataset, name, value)


def _moved(dataset: Dataset) -> None:
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x + 300, y, z]


def _coronal(dataset: Dataset) -> None:
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]


def _not_a_number(dataset: Dataset) -> None:
    dataset.RescaleIntercept = "0"
    dataset.RescaleSlope = "1"
    dataset["RescaleSlope"]._value = "NaN"


def _doubled(folder: Path) -> None:
    first, second = used(folder, 600)[1:3]
    dataset, other = pydicom.dcmread(first), pydicom.dcmread(second)
    other.ImagePositionPatient = dataset.ImagePositionPatient
    other.save_as(second)


def _mixed(folder: Path) -> None:
    """An image of another patient under the same study."""
    path = used(folder, "t2")[1]
    dataset = pydicom.dcmread(path)
    dataset.PatientID, dataset.PatientName = "somebody else", "ELSE^SOMEBODY"
    dataset.SOPInstanceUID = generate_uid()
    dataset.save_as(path)


def _junk(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    for number in range(5):
        (folder / f"IM{number:04d}").write_bytes(os.urandom(2000))


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _pipe(folder: Path) -> None:
    path = used(folder, 600)[2]
    path.unlink()
    os.mkfifo(path)


def _locked(folder: Path) -> None:
    """No one may read it; for root, who may, a link to nothing."""
    path = used(folder, 1000)[2]
    path.chmod(0)
    if os.access(path, os.R_OK):
        path.unlink()
        path.symlink_to(folder / "nowhere")


def _swapped(folder: Path) -> None:
    for low, high in zip(used(folder, 100), used(folder, 1000), strict=True):
        one, other = pydicom.dcmread(low), pydicom.dcmread(high)
        one.PixelData, other.PixelData = other.PixelData, one.PixelData
        one.save_as(low)
        other.save_as(high)


def packed(folder: Path) -> Path:
    """A study as a zip archive in place of its folder."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
    shutil.rmtree(folder)
    return path


def _cut_archive(folder: Path) -> None:
    path = packed(folder)
    path.write_bytes(path.read_bytes()[:-3000])


def _bomb(folder: Path) -> None:
    shutil.rmtree(folder)
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("study/1.dcm", bytes(50_000_000))


def _escaping(folder: Path) -> None:
    path = packed(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../outside.dcm", b"x")


def _nested(folder: Path) -> None:
    path = packed(folder)
    content = path.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("study.zip", content)


SPOILT: dict[str, Callable[[Path], None]] = {
    "no T2": removed("t2"),
    "no b1000": removed(1000),
    "no DWI": removed(100, 600, 1000),
    "a gap": removed(600, only=slice(2, 3)),
    "still arriving": removed("t2", only=slice(None, 2)),
    "cut pixels": rewritten("t2", lambda data: data[:-300]),
    "cut header": rewritten(600, lambda data: data[:200]),
    "an empty file": rewritten(1000, lambda _: b""),
    "a zeroed file": rewritten("t2", lambda data: bytes(len(data))),
    "another orientation": edited("t2", _coronal),
    "one slice tilted": edited("t2", put("ImageOrientationPatient", [1, 0, 0, 0, 0.94, 0.34]), slice(2, 3)),
    "a position twice": _doubled,
    "two patients": _mixed,
    "constant": edited("t2", pixels(lambda values: values * 0 + 100)),
    "inverted": edited("t2", pixels(lambda values: 4095 - values)),
    "not a number": edited(600, _not_a_number),
    "another modality": edited("t2", put("Modality", "CT")),
    "another vendor": edited("t2", put("Manufacturer", "Philips")),
    "another scanner": edited("t2", put("ManufacturerModelName", "Vida")),
    "another field strength": edited("t2", put("MagneticFieldStrength", "1.5")),
    "another echo time": edited("t2", put("EchoTime", "180")),
    "T2 and DWI apart": edited("t2", _moved),
    "b-values mixed up": _swapped,
    "another sex": edited("t2", put("PatientSex", "F")),
    "another body part": edited("t2", put("BodyPartExamined", "KNEE")),
    "no DICOM": _junk,
    "no file": _empty,
    "a named pipe": _pipe,
    "may not be read": _locked,
    "a cut archive": _cut_archive,
    "an archive that is a bomb": _bomb,
    "an archive that leads out": _escaping,
    "an archive in an archive": _nested,
}
"""Name of the defect -> what does it to a study's folder."""
