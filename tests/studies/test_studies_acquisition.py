"""What is recorded of how a study was acquired, and that a cohort keeps it."""

import dicom_factory
import pytest

from prostate_alm.cohort import Cohort
from prostate_alm.prepare import prepare
from prostate_alm.studies import ACQUIRED, Keys

T2W = {"spacing_x_mm": 2.0, "spacing_y_mm": 2.0, "extent_x_mm": 48.0, "extent_y_mm": 48.0}
TIMES = {
    "t2w_echo_time_ms": 100.0,
    "t2w_repetition_time_ms": 5000.0,
    "dwi_echo_time_ms": 63.0,
    "dwi_repetition_time_ms": 2700.0,
}


def test_geometry_timing_and_b_values_are_those_of_the_files(made, read):
    acquired = read(made).acquisition
    slices = len(made["t2"])
    assert set(acquired) == {*ACQUIRED, "b_values"}
    assert {name: acquired[name] for name in TIMES} == TIMES
    assert {name: acquired[f"t2w_{name}"] for name in T2W} == T2W
    assert acquired["t2w_slices"] == slices
    assert acquired["t2w_extent_z_mm"] == pytest.approx(slices * acquired["t2w_spacing_z_mm"])
    assert acquired["dwi_spacing_x_mm"] == 4.0
    assert acquired["b_values"] == [100, 600, 1000]


def test_what_is_not_stated_is_none(made, read):
    for image in made["t2"]:
        del image.RepetitionTime
    acquired = read(made).acquisition
    assert acquired.get("t2w_repetition_time_ms") is None
    assert acquired["dwi_repetition_time_ms"] == 2700.0


def test_a_sequence_that_is_missing_is_left_out(made, read):
    del made["t2"]
    acquired = read(made).acquisition
    assert {name.partition("_")[0] for name in acquired} == {"dwi", "b"}


def test_a_harmonised_study_keeps_the_b_values_that_were_acquired(read):
    done = read(dicom_factory.study(b_values=(50, 400, 800)))
    assert done.acquisition["b_values"] == [50, 400, 800]


def test_a_cohort_keeps_it_and_one_of_an_earlier_version_has_none(made, tmp_path):
    dicom_factory.save(made, tmp_path / "studies" / "one")
    prepared = prepare(tmp_path / "studies", None, tmp_path / "cohort", keys=Keys(b"a salt for the tests"), processes=1)
    (case,) = Cohort.load(tmp_path / "cohort").cases
    assert case.acquisition == prepared.cohort.cases[0].acquisition
    assert case.acquisition["t2w_echo_time_ms"] == 100.0
    manifest = tmp_path / "cohort" / "manifest.json"
    text = manifest.read_text()
    start = text.index(',\n      "acquisition"')
    manifest.write_text(text[:start] + "\n    }\n  ]\n}\n")
    assert Cohort.load(tmp_path / "cohort").cases[0].acquisition == {}
