"""What a reader that knows nothing of the phantom finds in the files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

Reader = Callable[[Path], dict[str, list[Dataset]]]
NAMES = {
    "siemens": {
        "localizer": "localizer",
        "sagittal": "t2_tse_sag",
        "t2w": "t2_tse_tra",
        "dwi": "ep2d_diff_tra_DYNDIST",
        "adc": "ep2d_diff_tra_DYNDIST_ADC",
        "calculated": "ep2d_diff_tra_DYNDISTCALC_BVAL",
    },
    "standard": {
        "localizer": "Localizer 3 planes",
        "sagittal": "T2 sagittal",
        "t2w": "T2 axial",
        "dwi": "DWI axial",
        "adc": "ADC map",
        "calculated": "Calculated DWI",
    },
}
BOTH = pytest.mark.parametrize("dialect", ["siemens", "standard"])


def studies(out: Path) -> list[Path]:
    return sorted((out / "studies").iterdir())


def private_b(header: Dataset) -> int | None:
    element = header.get((0x0019, 0x100C))
    return None if element is None else int(element.value)


@BOTH
def test_every_series_is_there_once_and_shares_one_frame_of_reference(
    dialect: str, cohorts: dict[str, Path], read_series: Reader
):
    for study in studies(cohorts[dialect]):
        series = read_series(study)
        assert sorted(series) == sorted(NAMES[dialect].values())
        files = [header for headers in series.values() for header in headers]
        assert len({header.SOPInstanceUID for header in files}) == len(files)
        assert len({header.StudyInstanceUID for header in files}) == 1
        assert len({header.FrameOfReferenceUID for header in files}) == 1
        assert {len({h.SeriesInstanceUID for h in headers}) for headers in series.values()} == {1}
        for header in files:
            assert header.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
            assert header.file_meta.MediaStorageSOPInstanceUID == header.SOPInstanceUID
            assert header.SOPClassUID == pydicom.uid.MRImageStorage
            assert header.pixel_array.dtype == np.uint16
            assert header.ManufacturerModelName == "prostate_alm phantom"


def test_siemens_b_values_stand_in_the_private_tag_alone(cohorts: dict[str, Path], read_series: Reader):
    representations = set()
    for study in studies(cohorts["siemens"]):
        series = read_series(study)
        assert not any("DiffusionBValue" in header for headers in series.values() for header in headers)
        names = NAMES["siemens"]
        assert {private_b(header) for header in series[names["dwi"]]} == {100, 600, 1000}
        assert {private_b(header) for header in series[names["adc"]]} == {1000}
        assert {private_b(header) for header in series[names["calculated"]]} == {1500}
        assert {private_b(header) for header in series[names["t2w"]]} == {None}
        assert all(header[0x0019, 0x0010].value == "SIEMENS MR HEADER" for header in series[names["dwi"]])
        assert {header.SequenceName for header in series[names["dwi"]]} == {"*ep_b100t", "*ep_b600t", "*ep_b1000t"}
        representations |= {header[0x0019, 0x100C].VR for header in series[names["dwi"]]}
    assert representations == {"IS", "OB"}


def test_standard_b_values_stand_in_the_standard_tag_alone(cohorts: dict[str, Path], read_series: Reader):
    series = read_series(studies(cohorts["standard"])[0])
    names = NAMES["standard"]
    assert {header.DiffusionBValue for header in series[names["dwi"]]} == {100, 600, 1000}
    assert {header.DiffusionBValue for header in series[names["adc"]]} == {1000}
    assert not any(element.tag.is_private for headers in series.values() for h in headers for element in h)


@BOTH
@pytest.mark.parametrize("kind", ["t2w", "dwi", "sagittal"])
def test_positions_of_a_stack_are_evenly_spaced_along_its_normal(
    kind: str, dialect: str, cohorts: dict[str, Path], read_series: Reader
):
    for study in studies(cohorts[dialect]):
        stack = read_series(study)[NAMES[dialect][kind]]
        assert len({tuple(header.ImageOrientationPatient) for header in stack}) == 1
        row, column = np.array(stack[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
        places = sorted({round(float(np.cross(row, column) @ h.ImagePositionPatient), 3) for h in stack})
        np.testing.assert_allclose(np.diff(places), float(stack[0].SpacingBetweenSlices), atol=2e-3)
        assert len(stack) == len(places) * (3 if kind == "dwi" else 1)


@BOTH
def test_the_localizer_has_three_orientations(dialect: str, cohorts: dict[str, Path], read_series: Reader):
    localizer = read_series(studies(cohorts[dialect])[0])[NAMES[dialect]["localizer"]]
    assert len({tuple(header.ImageOrientationPatient) for header in localizer}) == 3


@BOTH
def test_instance_numbers_are_unique_but_do_not_always_follow_the_position(
    dialect: str, cohorts: dict[str, Path], read_series: Reader
):
    followed = []
    for study in studies(cohorts[dialect]):
        for headers in read_series(study).values():
            assert sorted(int(header.InstanceNumber) for header in headers) == list(range(1, len(headers) + 1))
            heights = [float(h.SliceLocation) for h in sorted(headers, key=lambda h: int(h.InstanceNumber))]
            followed.append(heights == sorted(heights))
    assert not all(followed)


def test_patients_are_plainly_made_up(cohorts: dict[str, Path], read_series: Reader):
    headers = [h for series in read_series(studies(cohorts["siemens"])[0]).values() for h in series]
    assert {str(header.PatientName) for header in headers} == {"PHANTOM^0001"}
    assert {header.PatientID for header in headers} == {"PHANTOM-7-0001"}
    assert {header.StudyInstanceUID.startswith(pydicom.uid.PYDICOM_ROOT_UID) for header in headers} == {True}
