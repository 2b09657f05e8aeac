"""Studies and their readings."""

import shutil
from pathlib import Path

import dicom_factory
import pytest

from prostate_alm.studies import Keys, StudyReading, find_studies, read_study

KEYS = Keys(b"a salt for the tests")


@pytest.fixture
def made():
    """A complete study in memory, to be spoilt."""
    return dicom_factory.study()


@pytest.fixture
def read(tmp_path):
    """Save a study and read it."""

    def save_and_read(made: dicom_factory.Study, *, harmonise: bool = False, fresh: bool = False) -> StudyReading:
        if fresh:
            shutil.rmtree(Path(tmp_path, "study"))
        (study,) = find_studies(dicom_factory.save(made, Path(tmp_path, "study")))
        return read_study(study, keys=KEYS, harmonise=harmonise)

    return save_and_read
