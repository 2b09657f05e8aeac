"""Where each vendor's b-values stand, and whether its headers look like a real file of that vendor."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import phantom_files as files
import pydicom
import pytest
from pydicom.dataset import Dataset

from prostate_alm.phantom.dialects import DIALECTS

BValue = Callable[[Dataset], object]
TAGS: dict[tuple[str, int], tuple[tuple[int, int], str, dict[int, object]]] = {
    ("ge", 0): (
        (0x0043, 0x1039),
        "IS",
        {0: [0, 8, 0, 0], 100: [1_000_000_100, 8, 0, 0], 1000: [1_000_001_000, 8, 0, 0]},
    ),
    ("ge", 1): (
        (0x0043, 0x1039),
        "UN",
        {0: b"0\\8\\0\\0 ", 100: b"1000000100\\8\\0\\0", 1000: b"1000001000\\8\\0\\0"},
    ),
    ("philips", 0): ((0x2001, 0x1003), "FL", {0: 0.0, 100: 100.0, 1000: 1000.0}),
    ("philips", 1): ((0x2001, 0x1003), "UN", {0: b"\0\0\0\0", 100: b"\0\0\xc8B", 1000: b"\0\0zD"}),
    ("uih", 0): ((0x0065, 0x100A), "FD", {0: 0.0, 100: 100.0, 1000: 1000.0}),
    ("siemens-mosaic", 0): ((0x0019, 0x100C), "IS", {0: 0, 100: 100, 1000: 1000}),
    ("siemens-mosaic", 1): ((0x0019, 0x100C), "IS", {0: 0, 100: 100, 1000: 1000}),
    ("j2k", 0): ((0x0018, 0x9087), "FD", {0: 0.0, 100: 100.0, 1000: 1000.0}),
}


def write(folder: Path, name: str, number: int, kind: str, b_value: int | None) -> Dataset:
    series = files.tiny_series(kind, (b_value,))
    return files.read(files.write(folder / "series", DIALECTS[name][number], series))[0]


@pytest.mark.parametrize("b_value", files.B_VALUES)
@pytest.mark.parametrize(("name", "number"), TAGS)
def test_the_b_value_stands_where_the_vendor_writes_it(name: str, number: int, b_value: int, tmp_path: Path):
    header = write(tmp_path, name, number, "dwi", b_value)
    tag, representation, values = TAGS[name, number]
    assert (header[tag].VR, header[tag].value) == (representation, values[b_value])
    assert ("DiffusionBValue" in header) == (name == "j2k")


@pytest.mark.parametrize(
    ("name", "number", "tag", "creator"),
    [
        ("ge", 0, (0x0043, 0x0010), "GEMS_PARM_01"),
        ("ge", 1, (0x0043, 0x0010), None),
        ("philips", 0, (0x2001, 0x0010), "Philips Imaging DD 001"),
        ("philips", 1, (0x2001, 0x0010), None),
        ("philips", 0, (0x2005, 0x0010), "Philips MR Imaging DD 001"),
        ("uih", 0, (0x0065, 0x0010), "Image Private Header"),
        ("siemens-mosaic", 0, (0x0019, 0x0010), "SIEMENS MR HEADER"),
    ],
)
def test_private_creators(name: str, number: int, tag: tuple[int, int], creator: str | None, tmp_path: Path):
    header = write(tmp_path, name, number, "dwi", 100)
    assert (header[tag].value if tag in header else None) == creator


def test_ge_images_without_diffusion_carry_the_tag_too(tmp_path: Path):
    header = write(tmp_path, "ge", 0, "t2w", None)
    assert header[0x0043, 0x1039].value == [0, 8, 0, 0]
    assert "SequenceName" not in header


@pytest.mark.parametrize("name", ["philips", "uih", "siemens-mosaic", "j2k"])
def test_t2w_images_of_other_vendors_carry_no_b_value(name: str, tmp_path: Path):
    header = write(tmp_path, name, 0, "t2w", None)
    assert TAGS[name, 0][0] not in header
    assert "DiffusionBValue" not in header
    assert "DiffusionDirectionality" not in header


def test_philips_scales_twice_and_calls_its_adc_map_original(tmp_path: Path):
    header = write(tmp_path, "philips", 0, "dwi", 100)
    assert float(header.RescaleSlope) == pytest.approx(1.51477411477411)
    assert float(header.RescaleIntercept) == 0
    assert header.RescaleType == "normalized"
    assert header[0x2005, 0x100E].VR == "FL"
    assert header[0x2005, 0x100E].value == pytest.approx(0.0269347)
    assert header.DiffusionDirectionality == "ISOTROPIC"
    assert header.ScanningSequence == "SE"
    adc = DIALECTS["philips"][0].styles["adc"].image_type
    assert adc == ("ORIGINAL", "PRIMARY", "ADC_UNSPECIFIED", "ADC", "UNSPECIFIED")


def test_uih_states_what_the_gradients_gave_beside_the_nominal_value(tmp_path: Path):
    header = write(tmp_path, "uih", 0, "dwi", 100)
    assert header[0x0065, 0x1009].VR == "FD"
    assert header[0x0065, 0x1009].value == pytest.approx(98.7)


@pytest.mark.parametrize(("b_value", "name"), [(0, "ep_b0"), (1000, "ep_b1000#1")])
def test_siemens_mosaics_name_b_value_and_direction_in_the_sequence(b_value: int, name: str, tmp_path: Path):
    assert write(tmp_path, "siemens-mosaic", 0, "dwi", b_value).SequenceName == name


REAL = [
    ("ge", 0, 1000, "vendors/ge-dwi/01_Ax_DWI_TENSOR_R2/i24.MRDC.3"),
    ("philips", 0, 1000, "vendors/philips-dwi-near-zero-b/cl_subset_gz/IM_0085"),
    ("philips", 1, 1000, "odd/conversions-noise-pixels/philips/dti/002_implicit/IM-0001-0012-0001.dcm"),
    ("uih", 0, 1000, "vendors/uih-dwi-mosaic/dti_tra_dir16_AP_SaveBySlc__140028/00000002.dcm"),
    ("siemens-mosaic", 0, 0, "vendors/siemens-dwi-mosaic/siemens_dwi_0.dcm"),
    ("siemens-mosaic", 0, 1000, "vendors/siemens-dwi-mosaic/siemens_dwi_1000.dcm"),
]


DIFFERENT = {
    ("ge", "BitsStored"),  # the phantom stores 12 bits, not signed
    ("ge", "PixelRepresentation"),
}


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "number", "b_value", "path"), REAL)
def test_headers_look_like_a_real_file(name: str, number: int, b_value: int, path: str, shared: Path, tmp_path: Path):
    real = pydicom.dcmread(shared / "data" / "mri" / path)
    ours = write(tmp_path, name, number, "dwi", b_value)
    stripped = {0x2005} if number else set()  # the anonymised files of the second variant lost this group
    private = {(e.tag, e.VR) for e in ours.iterall() if e.tag.is_private and e.tag.group not in stripped}
    assert private <= {(e.tag, e.VR) for e in real.iterall()}
    assert real.Manufacturer in (ours.Manufacturer, "Philips Medical Systems", "Philips Healthcare")
    for keyword in (
        "ImageType",
        "ScanningSequence",
        "SOPClassUID",
        "BitsAllocated",
        "BitsStored",
        "PixelRepresentation",
    ):
        assert ours[keyword] == real[keyword] or (name, keyword) in DIFFERENT
    for keyword in ("ImagePositionPatient", "SliceLocation"):
        assert (keyword in ours) == (keyword in real)


@pytest.mark.shared_data
def test_a_real_siemens_mosaic_is_undone_by_the_same_reader(shared: Path):
    header = pydicom.dcmread(shared / "data" / "mri" / "vendors" / "siemens-dwi-mosaic" / "siemens_dwi_1000.dcm")
    slices = files.decode(header)
    assert len(slices) == 48
    np.testing.assert_allclose(slices[0].origin @ [0, 0.00523632, 0.99998629], float(header.SliceLocation), atol=0.01)
