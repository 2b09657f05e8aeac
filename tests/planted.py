"""Studies full of names: what a hospital's export may say of a person, in every place where it may say it.

What stands in files and what stands in names of files and folders are different words, so that a test can tell where a
leak comes from.
"""

import copy
import json
import os
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dicom_factory
import nibabel
import numpy as np
import pydicom
import SimpleITK
import volume_factory
from leaks import Secret
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag
from pydicom.uid import PYDICOM_ROOT_UID, generate_uid

from prostate_alm.phantom.study import StudyPlan, write_study

STAFF = {
    "ReferringPhysicianName": "Ueberweisner^Adalbertine",
    "PerformingPhysicianName": "Durchleuchter^Hieronymus",
    "OperatorsName": "Bedienowski^Kunigunde",
    "InstitutionName": "Klinikum Quellental",
    "InstitutionAddress": "Wiesengrundweg, Hintertupfing",
    "StationName": "MRWIESENGRUND7",
    "DeviceSerialNumber": "SERQ8812047",
}
BIRTH_DATES = {"19410307": ("1941-03-07", "07.03.1941", "03/07/1941"), "19520814": ("1952-08-14",)}
PATH_WORDS = (
    "Hohenstaufner", "Ludmilla", "19291113", "Zieglbauerin", "Kreszentia", "Achternbuscher", "Rosalinde",
    "Höllriegelß", "Wöllstätter", "Dornrosenweg",
)  # fmt: skip
HOME = "Dornrosenweg"
"""The folder above everything: an absolute path may name the person who works there."""


@dataclass(frozen=True)
class Person:
    """Who was scanned, as the headers say it."""

    name: str
    charset: str
    birth_date: str
    number: int

    @property
    def stated(self) -> dict[str, str]:
        """Keyword -> value of everything that identifies him."""
        words = self.name.partition("=")[0].replace("^", " ")
        return {
            "PatientName": self.name,
            "PatientID": f"PIDQ{self.number:03d}77190",
            "OtherPatientIDs": f"ALTQ{self.number:03d}55120",
            "PatientBirthName": "Maedchenreiter^Wilhelmina",
            "PatientMotherBirthName": "Mutterseel^Philippine",
            "PatientAddress": "Kuckucksnestgasse, Oberunterbach",
            "PatientTelephoneNumbers": "0990775533118",
            "PatientBirthDate": self.birth_date,
            "AccessionNumber": f"ACCQ{self.number:03d}99817",
            "StudyID": f"STDQ{self.number:03d}4410",
            "AdmissionID": f"ADMQ{self.number:03d}6620",
            "PatientComments": "Kommentator",
            "ImageComments": f"unruhig: {words}",
            "StudyDescription": f"MR Prostata {words}",
            "ProtocolName": f"Protokollar {words}",
            "RequestedProcedureDescription": f"Vorsorgerin {words}",
        }


PEOPLE = [
    ("Quellenhofer^Wendelgard^Theodolinde", "ISO_IR 100", "19410307"),
    ("Grünßpächter^Øyvindæl", "ISO_IR 100", "19520814"),
    ("Teshigawara^Gonzaemon=勅使河原^権左衛門=てしがわら^ごんざえもん", "ISO_IR 192", "19410307"),
]


def person(number: int) -> Person:
    return Person(*PEOPLE[number % len(PEOPLE)], number)


def plant(image: Dataset, who: Person) -> Dataset:
    """Say everything about a person in a header, in place."""
    image.SpecificCharacterSet = who.charset
    for keyword, value in (STAFF | who.stated).items():
        setattr(image, keyword, value)
    words = who.name.partition("=")[0].replace("^", " ")
    image.SeriesDescription = f"{image.get('SeriesDescription', '')} {words[:24]} {who.birth_date}"
    image.Manufacturer = f"{image.get('Manufacturer', '')} {words[:12]}"
    image.ManufacturerModelName = f"{image.get('ManufacturerModelName', '')} {words[:12]}"
    block = image.private_block(0x0009, f"{words[:12]} PRIVATE", create=True)
    block.add_new(0x01, "LO", words)
    block.add_new(0x02, "UN", who.name.encode())
    block = image.private_block(0x0029, "SIEMENS MEDCOM HEADER", create=True)
    block.add_new(0x20, "OB", f'### ASCCONV BEGIN ###\ntPatientName = "{who.name}"\n'.encode())
    return image


@contextmanager
def unwarned() -> Iterator[None]:
    """pydicom and nibabel warn of half of what stands here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def copy_of(image: Dataset) -> Dataset:
    """A header of its own with the same elements."""
    other = Dataset({tag: copy.copy(element) for tag, element in image.items()})
    other.file_meta = image.file_meta
    return other


def save(images: Iterable[Dataset], folder: Path) -> Path:
    """Write images under the patient's name."""
    folder.mkdir(parents=True, exist_ok=True)
    with unwarned():
        for number, image in enumerate(images):
            image.file_meta.MediaStorageSOPClassUID = image.get("SOPClassUID", "1.2.3")
            image.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
            image.save_as(folder / f"Hohenstaufner_{number:03d}.dcm", enforce_file_format=True)
    return folder


def images_of(made: dicom_factory.Study) -> list[Dataset]:
    return [image for images in made.values() for image in images]


def classic(number: int, *, needed_only: bool = False) -> dicom_factory.Study:
    """A whole study of small images."""
    made = dicom_factory.study(f"planted {number}", seed=number)
    if needed_only:
        made = {name: made[name] for name in ("t2", "dwi_b100", "dwi_b600", "dwi_b1000")}
    with unwarned():
        for image in images_of(made):
            plant(image, person(number))
    return made


def phantom(folder: Path, dialect: str, number: int) -> Path:
    """A phantom in a vendor's dialect, planted file by file."""
    write_study(folder, StudyPlan(number, 1, dialect, seed=7), scratch=folder.parent / ".scratch")
    with unwarned():
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                image = plant(pydicom.dcmread(path), person(number))
                path.unlink()
                image.save_as(path.with_name(f"Hohenstaufner_{path.name[-20:]}"))
    (folder.parent / ".scratch").rmdir()
    return folder


def volumes(names: dict[str, str], folder: Path, number: int, *, sidecars: bool) -> Path:
    """Volume files by `t2w`, `dwi_b100`, ...; each under the name that is given for it."""
    body, small = dicom_factory.texture((24, 24, 6), number), dicom_factory.texture((16, 20, 6), number + 1)
    for kind, name in names.items():
        b = int(kind.partition("_b")[2] or 0)
        voxels = 1000 * body if kind == "t2w" else 1000 * np.exp(-b * dicom_factory.ADC) * small
        millimetres = (2.0, 2.0) if kind == "t2w" else (4.0, 4.0)
        affine = np.diag([-millimetres[0], -millimetres[1], dicom_factory.SLICE_MM, 1.0])
        affine[:3, 3] = -affine[:3, :3] @ ((np.array(voxels.shape) - 1) / 2)
        path = volume_factory.write(folder / name, voxels.astype(np.float32), affine)
        _fill_header(path, person(number))
        if sidecars:
            b_values = None if kind == "t2w" else [float(b)]
            volume_factory.beside(path, b_values=b_values, sidecar=_sidecar(kind, person(number)))
    return folder


def _fill_header(path: Path, who: Person) -> None:
    """Name the patient in the free fields of the format."""
    with unwarned():
        if path.name.endswith(".mha"):
            image = SimpleITK.ReadImage(str(path))
            for keyword in ("PatientName", "PatientID", "PatientBirthDate"):
                image.SetMetaData(keyword, who.stated[keyword])
            image.SetMetaData("Comment", f"of {who.name}")
            SimpleITK.WriteImage(image, str(path), True)
            return
        image = nibabel.load(path, mmap=False)  # the file is written anew
        content = np.asanyarray(image.dataobj)
        header: Any = image.header
        ascii_name = who.name.encode("ascii", "replace")
        header["descrip"], header["aux_file"], header["db_name"] = ascii_name, ascii_name[:24], ascii_name[:18]
        header.extensions.append(nibabel.nifti1.Nifti1Extension(6, who.name.encode()))
        nibabel.Nifti1Image(content, image.affine, header).to_filename(path)


def _sidecar(kind: str, who: Person) -> dict[str, Any]:
    """As `dcm2niix -ba n` writes it."""
    acquired = {
        "Modality": "MR",
        "MagneticFieldStrength": 3,
        "Manufacturer": f"Siemens {who.name}",
        "ManufacturersModelName": f"Skyra {who.name}",
        "SeriesInstanceUID": generate_uid(entropy_srcs=[str(who.number), kind.partition("_")[0]]),
        "StudyInstanceUID": generate_uid(entropy_srcs=[str(who.number), "volumes"]),
        "ScanningSequence": "SE" if kind == "t2w" else "EP",
        "EchoTime": 0.1 if kind == "t2w" else 0.063,
        "RepetitionTime": 5 if kind == "t2w" else 2.7,
        "ImageType": ["ORIGINAL", "PRIMARY", "M"] if kind == "t2w" else ["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"],
        "SeriesNumber": 4 if kind == "t2w" else 6,
        "SeriesDescription": f"{kind} {who.name}",
    }
    return acquired | STAFF | who.stated


def zipped(images: Iterable[Dataset], path: Path) -> Path:
    """An archive whose members lie under the patient's name."""
    loose = save(images, path.parent / "loose")
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, file in enumerate(sorted(loose.iterdir())):
            archive.write(file, f"Achternbuscher_Rosalinde/Höllriegelß/Achternbuscher_{number:03d}.dcm")
            file.unlink()
        archive.writestr("Achternbuscher_Rosalinde/Achternbuscher.txt", f"Befund von {PEOPLE[0][0]}\n" * 20)
        archive.comment = PEOPLE[0][0].encode()
    loose.rmdir()
    return path


def path_secrets() -> list[Secret]:
    """What stands in the names of files and folders, and in the folder above all."""
    return [Secret("a path", word) for word in PATH_WORDS]


def content_secrets(numbers: Iterable[int], uids: Iterable[str]) -> list[Secret]:
    """What stands in the files: people, dates, staff and UIDs."""
    found = {Secret(keyword, value, divided=not value.isdigit()) for keyword, value in STAFF.items()}
    free = ("ImageComments", "StudyDescription", "ProtocolName", "RequestedProcedureDescription")
    for number in numbers:
        stated = person(number).stated
        found |= {Secret(keyword, value) for keyword, value in stated.items() if keyword not in free}
    for date, spellings in BIRTH_DATES.items():
        found |= {Secret("PatientBirthDate", text, divided=False) for text in (date, *spellings)}
    found |= {Secret("free text", word) for word in ("Prostata", "Protokollar", "Vorsorgerin", "unruhig")}
    found |= {Secret("a UID", uid.rstrip("."), divided=False) for uid in (*uids, PYDICOM_ROOT_UID)}
    return sorted(found, key=lambda secret: (secret.what, secret.text))


def spoiled(tag: int, vr: str, images: Sequence[Dataset]) -> Sequence[Dataset]:
    """The images with a name in the place of one element, whatever its value representation."""
    value = b"Quellenhofer^Wendelgard "
    for image in images:
        # past `Dataset.__setitem__`, which converts what it can
        image._dict[BaseTag(tag)] = RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True)
    return images


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_json(path: Path, content: Any) -> Path:
    return write_text(path, json.dumps(content))


def latin_1_name(folder: Path, name: str) -> Path:
    """A folder whose name is no UTF-8, as old exports have them."""
    return Path(os.fsdecode(os.fsencode(folder) + b"/" + name.encode("latin-1")))
