"""Small DICOM studies, made in memory so that a test can spoil them before they are saved."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
S0, ADC = 1000.0, 1.2e-3
SLICE_MM = 8.0  # thick, so that six slices are as long as a prostate

Study = dict[str, list[Dataset]]


def grid(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], axes=AXIAL, centre=(0.0, 0.0, 0.0)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First voxel (LPS), and the steps along column index, row index and slice as a (3, 3) of columns."""
    row, column = (np.array(axis) for axis in axes)
    steps = np.stack([row * spacing[0], column * spacing[1], np.cross(row, column) * spacing[2]], axis=1)
    return np.array(centre) - steps @ ((np.array(shape) - 1) / 2), steps, np.array(shape)


def texture(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Something to see: a smooth bright body with noise, (columns, rows, slices), 0 to about 1."""
    generator = np.random.default_rng(seed)
    coordinates = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape[:2]), indexing="ij")
    body = (np.hypot(*coordinates) < 0.9)[..., None] * np.ones(shape)
    return body * generator.uniform(0.7, 1.0, shape) + 0.02 * generator.uniform(0, 1, shape)


def series(
    study_uid: str,
    number: int,
    description: str,
    image_type: str,
    *,
    voxels: np.ndarray,
    spacing=(2.0, 2.0, SLICE_MM),
    axes=AXIAL,
    centre=(0.0, 0.0, 0.0),
    b_value: int | None = None,
    dialect: str = "siemens",
    **header: object,
) -> list[Dataset]:
    """One volume (columns, rows, slices) as a series of images."""
    first, steps, shape = grid(voxels.shape, spacing, axes, centre)
    images = []
    for index in range(shape[2]):
        image = _image(study_uid, number, description, image_type)
        image.SOPInstanceUID = generate_uid(entropy_srcs=[study_uid, str(number), str(b_value), str(index)])
        image.InstanceNumber = str(int(shape[2]) - index)
        image.ImageOrientationPatient = [*axes[0], *axes[1]]
        image.ImagePositionPatient = [f"{value:.6f}" for value in first + steps[:, 2] * index]
        image.PixelSpacing = [spacing[1], spacing[0]]
        set_pixels(image, voxels[:, :, index].T)
        if b_value is not None:
            tag_b_value(image, b_value, dialect)
        for keyword, value in header.items():
            setattr(image, keyword, value)
        images.append(image)
    return images


def _image(study_uid: str, number: int, description: str, image_type: str) -> Dataset:
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = MRImageStorage
    image.StudyInstanceUID = study_uid
    image.SeriesInstanceUID = generate_uid(entropy_srcs=[study_uid, str(number)])
    image.FrameOfReferenceUID = generate_uid(entropy_srcs=[study_uid, "frame"])
    image.PatientID, image.PatientName, image.AccessionNumber = (
        "P-" + study_uid[-6:],
        "SECRET^NAME",
        "A" + study_uid[-6:],
    )
    image.Modality, image.Manufacturer, image.ManufacturerModelName = "MR", "SIEMENS", "Skyra"
    image.MagneticFieldStrength = "3"
    image.SeriesNumber, image.SeriesDescription = str(number), description
    image.ImageType = image_type.split("\\")
    image.ScanningSequence, image.SequenceName = "SE", "*tse2d1_25"
    image.RepetitionTime, image.EchoTime = "5000", "100"
    return image


def set_pixels(image: Dataset, pixels: np.ndarray) -> None:
    """Store (rows, columns) as 16-bit grey values."""
    stored = np.clip(np.rint(pixels), 0, 4095).astype("<u2")
    image.Rows, image.Columns = stored.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelData = stored.tobytes()


def tag_b_value(image: Dataset, b_value: float, dialect: str) -> None:
    """Write a b-value as `siemens` (IS), `siemens-bytes` (OB) or `standard` does."""
    if dialect == "standard":
        image.DiffusionBValue = float(b_value)
        return
    block = image.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    if dialect == "siemens":
        block.add_new(0x0C, "IS", str(b_value))
    else:
        text = str(b_value).encode()
        block.add_new(0x0C, "OB", text + b" " * (len(text) % 2))


def study(
    name: str = "one", *, b_values: Iterable[int] = (100, 600, 1000), dialect: str = "siemens", seed: int = 0
) -> Study:
    """A prostate study with decoys; keys `t2`, `dwi_b<value>`, `sag`, `adc`, `calculated`."""
    uid = generate_uid(entropy_srcs=["study", name])
    body, small = texture((24, 24, 6), seed), texture((16, 20, 6), seed + 1)
    plane = {"ScanningSequence": "EP", "EchoTime": "63", "RepetitionTime": "2700", "spacing": (4.0, 4.0, SLICE_MM)}
    trace = "DERIVED\\PRIMARY\\DIFFUSION\\TRACEW"
    normal = "ORIGINAL\\PRIMARY\\M\\NORM"
    made = {
        "sag": series(uid, 3, "t2_tse_sag", normal, voxels=1000 * body, axes=SAGITTAL),
        "t2": series(uid, 4, "t2_tse_tra", normal, voxels=1000 * body),
        "adc": series(uid, 7, "ep2d_diff_ADC", "DERIVED\\PRIMARY\\DIFFUSION\\ADC", voxels=1200 * small, b_value=800,
                      dialect=dialect, SequenceName="*ep_b50_800", **plane),
        "calculated": series(uid, 8, "ep2d_diff_CALC_BVAL", trace, voxels=S0 * np.exp(-1500 * ADC) * small,
                             b_value=1500, dialect=dialect, SequenceName="*ep_b50_800", **plane),
    }  # fmt: skip
    for b in b_values:
        signal = S0 * np.exp(-b * ADC) * small
        name = f"*ep_b{b}t"
        made[f"dwi_b{b}"] = series(
            uid, 6, "ep2d_diff_tra", trace, voxels=signal, b_value=b, dialect=dialect, SequenceName=name, **plane
        )
    return made


def copy_of(images: list[Dataset], number: int, description: str | None = None) -> list[Dataset]:
    """The same images, in place, as a series of their own under another number."""
    for image in images:
        image.SeriesNumber = str(number)
        image.SeriesInstanceUID = generate_uid(entropy_srcs=["copy", str(number)])
        image.SOPInstanceUID = generate_uid(entropy_srcs=[image.SOPInstanceUID, str(number)])
        if description is not None:
            image.SeriesDescription = description
    return images


def save(made: Study | Iterable[Dataset], folder: Path) -> Path:
    """Write every image; one folder per series, names without meaning."""
    groups = made.values() if isinstance(made, dict) else [list(made)]
    for images in groups:
        for image in images:
            image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
            image.file_meta.MediaStorageSOPInstanceUID = image.get("SOPInstanceUID", "1.2.3")
            target = folder / f"series{image.get('SeriesNumber', 0)}" / f"{image.SOPInstanceUID[-12:]}.dcm"
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save_as(target, enforce_file_format=True)
    return folder
