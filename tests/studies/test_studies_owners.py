"""Damage finds its study: one that is readable, or one of which nothing is left."""

import time
from pathlib import Path

import dicom_factory
import pytest

from prostate_alm.errors import NoInputError
from prostate_alm.studies import Keys, find_studies, read_study
from prostate_alm.studies.headers import Skipped
from prostate_alm.studies.owners import Tree

KEYS = Keys(b"a salt for the tests")
NO_IMAGE = b"\0" * 128 + b"DICM" + b"\xff" * 100


def cohort(root, *names):
    for name in names:
        dicom_factory.save(dicom_factory.study(name), root / name)
    return root


def spoil(folder, content):
    for path in folder.rglob("*.dcm"):
        path.write_bytes(content(path.read_bytes()) if callable(content) else content)


def by_folder(root):
    return {study.folder.relative_to(root).as_posix(): study for study in find_studies(root)}


@pytest.mark.parametrize("content", [b"", lambda whole: whole[:200], NO_IMAGE, lambda whole: bytes(len(whole))])
@pytest.mark.parametrize("others", [("one", "three"), ("one",)])
def test_a_study_of_which_nothing_can_be_read_is_still_a_study(tmp_path, content, others):
    spoil(cohort(tmp_path, *others, "two") / "two", content)
    found = by_folder(tmp_path)
    assert set(found) == {*others, "two"}
    two = found["two"]
    assert (two.uid, two.files, len(two.skipped)) == ("unreadable:two", (), 42)
    reading = read_study(two, keys=KEYS)
    assert reading.study_key == KEYS.study("unreadable:two")
    assert not reading.ready
    assert reading.series == ()
    assert "nothing of this study can be read: 42 damaged or unreadable file(s)" in reading.problems[0]
    assert all(read_study(found[name], keys=KEYS).ready for name in others)


def test_its_uid_is_kept_where_a_header_still_gives_one(tmp_path):
    uid = find_studies(cohort(tmp_path, "one", "two") / "two")[0].uid
    paths = sorted((tmp_path / "two").rglob("*.dcm"))
    for path in paths[1:]:
        path.write_bytes(b"")
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[: content.index(uid.encode()) + len(uid) + 20])
    two = by_folder(tmp_path)["two"]
    assert (two.uid, two.files, len(two.skipped)) == (uid, (), 42)
    assert read_study(two, keys=KEYS).study_key == KEYS.study(uid)


def test_nothing_readable_at_all_is_no_input(tmp_path):
    spoil(cohort(tmp_path, "one", "two"), b"")
    with pytest.raises(NoInputError):
        find_studies(tmp_path)


@pytest.mark.parametrize("below", ["", "study", "archive/study"])
def test_damage_beside_the_readable_part_of_a_study_counts(tmp_path, below):
    made = dicom_factory.study("one")
    folder = tmp_path / below
    other = dicom_factory.save(made["sag"], folder / "B")
    for name, images in made.items():
        for index, image in enumerate(images if name != "sag" else []):
            (folder / "A").mkdir(exist_ok=True)
            image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
            image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
            image.save_as(folder / "A" / f"{name}{index}.dcm", enforce_file_format=True)
    if below:
        cohort(tmp_path, "two", "three")
    spoil(other, NO_IMAGE)
    (study,) = [
        study for study in find_studies(tmp_path) if study.files and study.uid == made["t2"][0].StudyInstanceUID
    ]
    assert not read_study(study, keys=KEYS).ready


def test_two_studies_in_one_folder_share_its_damage(tmp_path):
    for name in ("one", "two"):
        dicom_factory.save(dicom_factory.study(name), tmp_path / "mixed")
    cohort(tmp_path, "three")
    (tmp_path / "mixed" / "series4" / "broken.dcm").write_bytes(NO_IMAGE)
    readiness = [read_study(study, keys=KEYS).ready for study in find_studies(tmp_path)]
    assert readiness == [False, False, True]


def test_sharing_out_grows_with_the_files_not_with_the_studies():
    root = Path("/exports")
    images = {f"1.2.{n}": [root / f"p{n}/s{series}/1.dcm" for series in range(6)] for n in range(300)}
    skipped = [Skipped(root / f"p{n}/README{index}.txt", "not a DICOM file") for n in range(300) for index in range(3)]
    start = time.perf_counter()
    owned, orphans = Tree(root, images).share_out(skipped)
    assert time.perf_counter() - start < 2
    assert orphans == []
    assert [item.path.parts[2] for item in owned["1.2.7"]] == ["p7"] * 3
