"""Planted studies with every kind of defect that says something: each message is a chance to quote a name."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import dicom_factory
import planted
from dicom_factory import Study
from planted import PEOPLE, classic, images_of, latin_1_name, person, save, volumes, write_text
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEGLosslessSV1

NAME = PEOPLE[0][0]
KINDS = ("t2w", "dwi_b100", "dwi_b600", "dwi_b1000")


def small_study(number: int) -> Study:
    """What is needed and nothing else."""
    return classic(number, needed_only=True)


def _gap(made: Study) -> None:
    del made["t2"][2]


def _contradiction(made: Study) -> None:
    for image in made["dwi_b600"]:
        image.DiffusionBValue = 800.0


def _two_patients(made: Study) -> None:
    for image in made["dwi_b100"]:
        planted.plant(image, person(41))


def _ambiguous_t2(made: Study) -> None:
    other = [planted.copy_of(image) for image in made["t2"]]
    made["other"] = dicom_factory.copy_of(other, 9, f"t2_tse_tra {NAME}")


def _woman(made: Study) -> None:
    for image in images_of(made):
        image.PatientSex, image.BodyPartExamined = "F", "QUELLENHOFER ARM"


def _other_b_values(made: Study) -> None:
    for b, other in ((100, 50), (600, 400), (1000, 800)):
        for image in made[f"dwi_b{b}"]:
            image[0x0019, 0x100C].value, image.SequenceName = str(other), f"*ep_b{other}t"


def _odd_values(made: Study) -> None:
    """What pydicom warns of by quoting it."""
    for image in images_of(made):
        image.PatientBirthDate, image.PatientID = "07.03.1941", "PIDQ00077190" * 8
        image.PatientSex, image.StudyID = "Quellenhofer", "Quellenhofer Wendelgard"
        image.SpecificCharacterSet = "Quellenhofer"


def _other_content(made: Study) -> None:
    """Two files say that they are one image, and pydicom has to compare them, element by element."""
    planted.spoiled(0x00200012, "IS", images_of(made))
    again = planted.copy_of(made["t2"][0])
    again.RequestedProcedureDescription = "Vorsorgerin"
    made["again"] = [again]


def _deidentified(made: Study) -> None:
    for image in images_of(made):
        image.remove_private_tags()
        image.SequenceName = ""


def _mixed(made: Study) -> None:
    made["t2"][1].ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    made["dwi_b100"][1].ImagePositionPatient = [1, 2, 3]


def _not_images(made: Study) -> None:
    """Another kind of object, and one whose kind is free text."""
    for image, kind in zip(
        made["t2"][:3], ("1.2.840.10008.5.1.4.1.1.88.11", NAME, "Wendelgard Image Storage"), strict=True
    ):
        image.SOPClassUID = UID(kind)
        del image.Rows


def _undecodable(made: Study) -> None:
    for image in made["t2"]:
        image.PixelData = b"Quellenhofer"


def _broken_jpeg(made: Study) -> None:
    for image in made["t2"]:
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        image.PixelData = encapsulate([b"\xff\xd8" + b"Quellenhofer" * 9])
        image["PixelData"].is_undefined_length = True


def _frames(made: Study) -> None:
    for image in made["t2"]:
        image.NumberOfFrames = 6
    for image in made["dwi_b100"]:
        image.ImageType = ["ORIGINAL", "PRIMARY", "QUELLENHOFER", "MOSAIC"]


DEFECTS: dict[str, Callable[[Study], None]] = {
    function.__name__.strip("_"): function
    for function in (
        _gap, _contradiction, _two_patients, _ambiguous_t2, _woman, _other_b_values, _odd_values, _other_content,
        _deidentified, _mixed, _not_images, _undecodable, _broken_jpeg, _frames,
    )
}  # fmt: skip


def dicom_defects(folder: Path) -> Iterator[Path]:
    """One study per defect."""
    for number, (name, spoil) in enumerate(DEFECTS.items(), start=20):
        made = small_study(number)
        with planted.unwarned():
            spoil(made)
        yield save(images_of(made), folder / f"Hohenstaufner_Ludmilla_{name}")


def damaged_files(folder: Path) -> Iterator[Path]:
    """Files that are cut, empty, no DICOM, or of a transfer syntax that nobody reads."""
    place = save(images_of(small_study(40)), folder / "Hohenstaufner_Ludmilla_damaged")
    first, second, third, fourth = sorted(place.iterdir())[:4]
    first.write_bytes(first.read_bytes()[:-100])
    second.write_bytes(second.read_bytes()[:700])
    third.write_bytes(b"")
    fourth.write_bytes(fourth.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"Quellenhofer^Wendelg"))
    write_text(place / "Hohenstaufner.dcm", f"Befund von {NAME}, geboren am 07.03.1941\n" * 20)
    write_text(place / "Hohenstaufner.txt", f"Befund von {NAME}, geboren am 07.03.1941\n" * 20)
    yield place
    place = save(images_of(small_study(42)), folder / "Hohenstaufner_Ludmilla_syntax")
    for path in place.iterdir():
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"Quellenhofer^Wendelg"))
    yield place
    place = save(images_of(small_study(43)), folder / "Hohenstaufner_Ludmilla_lost")
    for path in place.iterdir():
        path.write_bytes(path.read_bytes()[:400])
    yield place


def odd_folders(folder: Path) -> Iterator[Path]:
    """Folders whose names are beyond ASCII, or no UTF-8 at all."""
    yield save(images_of(small_study(44)), folder / "Höllriegelß Ludmilla")
    yield save(images_of(small_study(45)), latin_1_name(folder, "Wöllstätter Ludmilla"))
    place = save(images_of(small_study(46)), latin_1_name(folder, "Wöllstätter lost"))
    for path in place.iterdir():
        path.write_bytes(path.read_bytes()[:400])
    yield place
    names = {kind: f"{kind}_Zieglbauerin.nii.gz" for kind in KINDS}
    yield volumes(names, latin_1_name(folder, "Wöllstätter nifti"), 48, sidecars=False)


def volume_defects(folder: Path) -> Iterator[Path]:
    """Volume files, sidecars and b-values that cannot be read."""
    place = folder / "Zieglbauerin_nifti"
    volumes({kind: f"Zieglbauerin_{kind}.nii.gz" for kind in KINDS}, place, 47, sidecars=True)
    write_text(place / "Zieglbauerin_t2w.json", f'{{"PatientName": "{NAME}", ')
    write_text(place / "Zieglbauerin_dwi_b100.bval", NAME)
    cut = place / "Zieglbauerin_dwi_b600.nii.gz"
    cut.write_bytes(cut.read_bytes()[:-30])
    yield place
    place = folder / "Zieglbauerin_itk"
    volumes({kind: f"Kreszentia_{kind}.mha" for kind in KINDS}, place, 48, sidecars=False)
    header = f"ObjectType = Image\nNDims = 3\nQuellenhofer {NAME}\nDimSize = {NAME}\n"
    write_text(place / "Kreszentia_t2w.mha", header)
    write_text(place / "Kreszentia_b1400.nrrd", f"NRRD0004\nquellenhofer: {NAME}\ntype: {NAME}\n\n")
    write_text(place / "Kreszentia_b1500.mhd", f"NDims = 3\nElementDataFile = ../{NAME}.raw\n")
    yield place
    place = folder / "Zieglbauerin_one"
    volumes({kind: f"{kind}_Zieglbauerin.nii" for kind in KINDS}, place, 49, sidecars=True)
    write_text(place / "dwi_b100_Zieglbauerin.bval", "600")
    yield place


# element -> value representation: what an image here lacks, and a reader asks for
LACKING: dict[int, str] = {
    0x00100040: "CS", 0x00180015: "CS", 0x00280008: "IS", 0x00281052: "DS", 0x00281053: "DS", 0x00189087: "FD",
    0x00189075: "CS", 0x00204000: "LT", 0x00291010: "OB", 0x00431039: "IS", 0x20011003: "FL", 0x2005100E: "FL",
    0x00651009: "FD", 0x0065100A: "FD", 0x00291030: "FD", 0x00080060: "CS",
}  # fmt: skip
CREATORS = {0x0043: "GEMS_PARM_01", 0x2001: "Philips Imaging DD 001", 0x0065: "Image Private Header"}
CREATORS |= {0x0029: "SIEMENS CSA HEADER", 0x2005: "Philips MR Imaging DD 001"}


def every_element() -> list[tuple[int, str]]:
    """The elements of a planted image and those it lacks."""
    image = small_study(0)["dwi_b100"][0]
    present = {int(element.tag): element.VR for element in image if element.keyword != "PixelData"}
    return sorted((present | LACKING).items())


def spoiled_element(tag: int, vr: str, folder: Path) -> Path:
    """A study in all whose images a name stands in one element."""
    images = [planted.copy_of(image) for image in _images()]
    if (group := tag >> 16) in CREATORS:
        for image in images:
            image.add_new(group << 16 | 0x10, "LO", CREATORS[group])
    return save(planted.spoiled(tag, vr, images), folder)


@cache
def _images() -> list[Dataset]:
    images = images_of(small_study(0))
    for image in images:
        image["PixelData"].VR = "OW"  # else pydicom asks the element that is spoiled
    return images
