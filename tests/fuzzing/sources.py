"""The studies that are mutated: real ones, phantoms that are decided on, and small ones in every encoding."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dicom_factory
import gdcm
import pydicom
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from prostate_alm.phantom import DIALECTS, StudyPlan, write_study

ENCODINGS: dict[str, UID | None] = {
    "explicit": None,
    "implicit": ImplicitVRLittleEndian,
    "big-endian": ExplicitVRBigEndian,
    "rle": RLELossless,
    "jpeg-ls": JPEGLSLossless,
    "jpeg": JPEGLosslessSV1,
}
_PROSTATEX = ("4.000000-t2tsetra-00702", "6.000000-ep2ddifftraDYNDIST-69284")


@dataclass(frozen=True)
class Source:
    """A folder to be mutated.

    Args:
        name: as the table prints it.
        folder: its own copy, on the disk where mutations are made, so that links do instead of copies.
        weight: how often it is taken.
        harmonise: read with the mono-exponential fit.
        decode: decode every image, also those that no selection would take.
    """

    name: str
    folder: Path
    weight: float
    harmonise: bool = False
    decode: bool = False


def small_sources(work: Path) -> Iterator[Source]:
    """Tiny complete studies, one per transfer syntax."""
    for name, syntax in ENCODINGS.items():
        folder = work / f"small-{name}"
        if not folder.exists():
            made = dicom_factory.study(name)
            for image in (image for images in made.values() for image in images):
                if syntax == JPEGLosslessSV1:
                    compress_as_jpeg(image, work)
                elif syntax is not None:
                    _recode(image, syntax)
            dicom_factory.save(made, folder)
        yield Source(folder.name, folder, 3)


def _recode(image: dicom_factory.Dataset, syntax: UID) -> None:
    if syntax.is_compressed:
        image.compress(syntax, generate_instance_uid=False)
        return
    if not syntax.is_little_endian:
        image.PixelData = image.pixel_array.astype(">u2").tobytes()
    image.file_meta.TransferSyntaxUID = syntax


def compress_as_jpeg(image: dicom_factory.Dataset, work: Path) -> None:
    """Lossless JPEG by GDCM, since pydicom has no encoder for it."""
    plain, packed = work / "plain.dcm", work / "packed.dcm"
    work.mkdir(parents=True, exist_ok=True)
    image.file_meta.MediaStorageSOPClassUID, image.file_meta.MediaStorageSOPInstanceUID = image.SOPClassUID, "1.2.3"
    image.save_as(plain, enforce_file_format=True)
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(plain))
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    writer.SetFileName(str(packed))
    assert reader.Read()
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    image.PixelData = pydicom.dcmread(packed).PixelData
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    plain.unlink()
    packed.unlink()


def phantom_sources(work: Path) -> Iterator[Source]:
    """One phantom per dialect, ready as it is."""
    for name in sorted(DIALECTS):
        folder = work / f"phantom-{name}"
        write_study(folder, StudyPlan(index=1, label=1, dialect=name, seed=20), scratch=work / "scratch")
        yield Source(folder.name, folder, 1.5)


def real_sources(work: Path, mri: Path) -> Iterator[Source]:
    """T2 and diffusion of PROSTATEx-0000, its NIfTI files, every vendor's folder and every odd one."""
    yield Source("prostatex", _copy([mri / "prostatex-0000/dicom" / name for name in _PROSTATEX], work), 8, True)
    yield Source("nifti", _copy([mri / "prostatex-0000/nifti"], work, "nifti"), 2, True)
    for folder in sorted((mri / "vendors").iterdir()):
        yield Source(folder.name, _copy([folder], work, folder.name), 2, True)
    noise = mri / "odd" / "conversions-noise-pixels"
    for folder in [*sorted(noise.iterdir()), *sorted((mri / "odd").iterdir())]:
        if folder.is_dir() and folder != noise:
            name = f"{folder.parent.name}-{folder.name}" if folder.parent == noise else folder.name
            yield Source(name, _copy([folder], work, name), 1, True, decode=True)


def _copy(folders: list[Path], work: Path, name: str = "prostatex") -> Path:
    target = work / name
    if not target.exists():
        for folder in folders:
            place = target / folder.name if len(folders) > 1 else target
            shutil.copytree(folder, place, copy_function=shutil.copyfile)
    return target
