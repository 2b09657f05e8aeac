"""A decoder that ends its process ends no other study."""

import os

import dicom_factory
import pytest
from pydicom.uid import RLELossless

from prostate_alm.studies import Keys, find_studies, isolated, read_isolated, read_study

KEYS = Keys(b"a salt for the tests")


@pytest.fixture
def compressed(made, tmp_path):
    for images in made.values():
        for image in images:
            image.compress(RLELossless)
    (study,) = find_studies(dicom_factory.save(made, tmp_path / "study"))
    return study


def dying(study, *, keys, harmonise, rules):
    os._exit(134)


def test_a_compressed_study_is_the_same_from_a_process_of_its_own(compressed):
    ours, there = read_study(compressed, keys=KEYS), read_isolated(compressed, keys=KEYS)
    assert there.ready
    assert ours.as_json() == there.as_json()
    assert all((ours.volumes[name].voxels == there.volumes[name].voxels).all() for name in ours.volumes)


def test_a_study_that_kills_its_process_is_a_reading_with_that_problem(compressed, monkeypatch):
    monkeypatch.setattr(isolated, "read_study", dying)
    reading = read_isolated(compressed, keys=KEYS)
    assert (reading.ready, reading.problems) == (False, (isolated.DIED,))
    assert reading.study_key == KEYS.study(compressed.uid)


def test_an_uncompressed_study_needs_no_process(made, tmp_path, monkeypatch):
    (study,) = find_studies(dicom_factory.save(made, tmp_path / "study"))
    monkeypatch.setattr(isolated, "ProcessPoolExecutor", lambda *_: pytest.fail("a process was started"))
    assert read_isolated(study, keys=KEYS).ready


@pytest.mark.parametrize(("keyword", "value"), [("Columns", 22), ("Rows", 20)])
def test_pixels_that_do_not_fill_their_matrix_are_refused(made, tmp_path, keyword, value):
    for image in made["t2"]:
        setattr(image, keyword, value)
    (study,) = find_studies(dicom_factory.save(made, tmp_path / "study"))
    assert any("bytes of pixel data instead of" in problem for problem in read_study(study, keys=KEYS).problems)
