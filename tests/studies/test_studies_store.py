"""Storing: a study that breaks is listed, never fatal; what is stored cannot be guessed back."""

import hashlib
from dataclasses import replace
from pathlib import Path

import dicom_factory
import pytest

from prostate_alm.errors import OutputError
from prostate_alm.studies import Keys, StudyTask, find_studies, store, store_study

KEYS = Keys(b"a salt for the tests")


@pytest.fixture
def task(tmp_path):
    (study,) = find_studies(dicom_factory.save(dicom_factory.study(), tmp_path / "study"))
    return StudyTask(study, tmp_path / "volumes", KEYS, False)


@pytest.mark.parametrize("name", ["fingerprint", "finished", "read_study", "quality_row"])
def test_whatever_breaks_is_a_broken_study(task, monkeypatch, name):
    original = getattr(store, name)

    def explode(*arguments, **settings):
        monkeypatch.setattr(store, name, original)
        raise PermissionError(13, "a path with a NAME")

    monkeypatch.setattr(store, name, explode)
    record = store_study(task)
    assert not record["ready"]
    assert record["problems"] == ["the study cannot be stored, an unexpected PermissionError"]
    assert record["quality"]["study_key"] == record["study_key"] == KEYS.study(task.study.uid)
    assert not task.volumes.exists()


def test_files_that_may_not_be_looked_at_do_not_end_the_batch(task, monkeypatch):
    original = Path.stat

    def forbidden(path, **settings):
        if path.suffix == ".dcm":
            raise PermissionError(13, "Permission denied")
        return original(path, **settings)

    monkeypatch.setattr(Path, "stat", forbidden)
    assert len(store.fingerprint(task)) == 64


def test_an_output_that_cannot_be_written_still_ends_the_batch(task):
    task.volumes.write_text("a file where the folder should be")
    with pytest.raises(OutputError):
        store_study(task)


def test_the_fingerprint_follows_the_salt(task):
    other = Keys(b"another salt for the tests")
    assert store.fingerprint(task) != store.fingerprint(replace(task, keys=other))
    plain = hashlib.sha256(task.study.files[0].sop_uid.encode()).hexdigest()
    assert plain not in Path(task.volumes, store_study(task)["study_key"], store.RECORD).read_text()


def test_a_study_without_images_is_stored_as_broken(tmp_path):
    for name in ("one", "two"):
        dicom_factory.save(dicom_factory.study(name), tmp_path / "studies" / name)
    for path in (tmp_path / "studies" / "two").rglob("*.dcm"):
        path.write_bytes(b"")
    two = next(study for study in find_studies(tmp_path / "studies") if not study.files)
    record = store_study(StudyTask(two, tmp_path / "volumes", KEYS, False))
    assert not record["ready"]
    assert "nothing of this study can be read" in record["quality"]["reasons"]
