"""b-values of every real scanner file that is not multi-frame: the sets that their README states."""

import warnings
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from prostate_alm.studies.bvalues import TAGS, read_b_value, siemens_sources

pytestmark = pytest.mark.shared_data
NOISE = "odd/conversions-noise-pixels"


def headers(folder: Path):
    """The headers of every DICOM image below a folder."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # real files break small rules
                header = dcmread(path, specific_tags=[*TAGS, "SOPClassUID", "Rows"], stop_before_pixels=True)
        except InvalidDicomError:
            continue
        if "Rows" in header:
            yield header


@pytest.fixture(scope="module")
def mri(shared):
    return shared / "data" / "mri"


@pytest.mark.parametrize(
    ("folder", "nominal", "sources"),
    [
        ("prostatex-0000/dicom", {None, 50, 400, 800, 1000}, {"(0019,100C)"}),
        ("vendors/ge-dwi", {0, 1000}, {"(0018,9087)", "(0043,1039)"}),
        ("vendors/ge-siemens-fmri-not-dwi/GE_mr_0004", {0}, {"(0043,1039)"}),
        ("vendors/ge-siemens-fmri-not-dwi/Siemens_mosaic_mr_0003", {None}, set()),
        ("vendors/uih-dwi-mosaic", {0, 1000}, {"(0065,1009)"}),
        ("vendors/canon-dwi-enhanced-and-classic/cl3000_subset_gz", {0, 1500}, {"(0018,9087)"}),
        ("vendors/toshiba-dwi-b0-untagged", {None, 1500}, {"(0018,9087)"}),
        ("vendors/philips-dwi-near-zero-b", {0, 1000}, {"(0018,9087)"}),
        ("vendors/siemens-dwi-mosaic", {None, 0, 1000}, {"(0019,100C)"}),
        (f"{NOISE}/philips/dti/001", {0, 1000}, {"(0018,9087)"}),
        (f"{NOISE}/philips/dti/002_implicit", {0, 40, 273, 800}, {"(0018,9087)"}),
        (f"{NOISE}/ge/dti/001", {0, 1000}, {"(0043,1039)"}),
        (f"{NOISE}/ge/dti/002", {0}, {"(0043,1039)"}),
        (f"{NOISE}/hitachi", {None}, set()),
        (f"{NOISE}/hyperfine", {None}, set()),
        (f"{NOISE}/generic", {None}, set()),
        (f"{NOISE}/failing", {None}, set()),
    ],
)
def test_the_b_values_are_those_that_the_readme_states(mri, folder, nominal, sources):
    found = [read_b_value(header) for header in headers(mri / folder)]
    assert {stated.nominal if stated else None for stated in found} == nominal
    assert {stated.source for stated in found if stated} == sources
    assert all(stated.verified and not stated.inferred for stated in found if stated)


def test_no_real_file_is_refused(mri):
    everything = [*headers(mri / "vendors"), *headers(mri / NOISE), *headers(mri / "odd" / "encodings")]
    found = [read_b_value(header) for header in everything]
    assert len(found) > 400
    assert sum(stated is not None for stated in found) > 300


@pytest.mark.parametrize("b", [0, 1000])
def test_the_three_siemens_sources_agree(mri, b):
    header = dcmread(mri / "vendors" / "siemens-dwi-mosaic" / f"siemens_dwi_{b}.dcm", specific_tags=list(TAGS))
    assert siemens_sources(header) == {"(0019,100C)": b, "(0029,1010)": b, "(0018,0024)": b}
    for source in ("(0019,100C)", "(0029,1010)", "(0018,0024)"):
        assert (read_b_value(header).value, read_b_value(header).source) == (b, source)
        del header[int(source[1:5], 16), int(source[6:10], 16)]
    assert read_b_value(header) is None


def test_prostatex_sequence_names_agree_with_the_tag(mri):
    folders = [folder for folder in (mri / "prostatex-0000" / "dicom").iterdir() if folder.name.startswith("6.")]
    stated = [siemens_sources(header) for folder in folders for header in headers(folder)]
    assert len(stated) == 57
    assert all(set(sources) == {"(0019,100C)", "(0018,0024)"} for sources in stated)
    assert all(len(set(sources.values())) == 1 for sources in stated)


@pytest.mark.parametrize(
    ("folder", "first", "private"),
    [
        (f"{NOISE}/philips/dti/002_implicit", {0, 40, 273, 800}, "(2001,1003)"),
        ("vendors/philips-dwi-near-zero-b", {0, 1000}, "(2001,1003)"),
        ("vendors/ge-dwi", {0, 1000}, "(0043,1039)"),
    ],
)
def test_the_private_tag_alone_states_the_same(mri, folder, first, private):
    found = []
    for header in headers(mri / folder):
        header.pop(0x00189087, None)
        found.append(read_b_value(header))
    assert {stated.nominal for stated in found} == first
    assert {stated.source for stated in found} == {private}
