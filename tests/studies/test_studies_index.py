"""The index: any nesting, nothing lost without a word, nothing fatal."""

import os
import shutil

import dicom_factory
import pydicom
import pytest
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from prostate_alm.errors import NoInputError
from prostate_alm.studies import Keys, find_studies, read_study

KEYS = Keys(b"a salt for the tests")


@pytest.fixture
def folder(tmp_path):
    return dicom_factory.save(dicom_factory.study(), tmp_path / "study")


def reasons(study):
    return {path.name: reason for path, reason in study.unreadable}


def test_any_nesting_any_name(folder, tmp_path):
    flat = tmp_path / "flat" / "deep" / "deeper"
    flat.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.rglob("*.dcm"))):
        shutil.copy(path, flat / f"{number}")
    (nested,), (one,) = find_studies(folder), find_studies(tmp_path / "flat")
    assert {image.sop_uid for image in nested.files} == {image.sop_uid for image in one.files}
    assert one.folder == flat
    assert nested.folder == folder
    assert nested.patient_id.startswith("P-")


def test_two_studies_in_one_folder_are_two(tmp_path):
    dicom_factory.save(dicom_factory.study("one"), tmp_path)
    dicom_factory.save(dicom_factory.study("two"), tmp_path)
    studies = find_studies(tmp_path)
    assert len({study.uid for study in studies}) == 2
    assert all(len({image.study_uid for image in study.files}) == 1 for study in studies)


def test_other_files_are_named_with_a_reason_and_harm_nothing(folder):
    (folder / "notes.txt").write_text("nothing medical")
    (folder / "series4" / "readme.md").write_text("nothing medical " * 20)
    (folder / "LICENSE").write_text("nothing medical " * 20)
    (folder / "series4" / "._1.dcm").write_text("what another system keeps beside a file " * 20)
    (folder / ".keep").touch()
    (study,) = find_studies(folder)
    assert set(reasons(study)) == {"notes.txt", "readme.md", "LICENSE", "._1.dcm", ".keep"}
    assert set(reasons(study).values()) == {"not a DICOM file"}
    assert read_study(study, keys=KEYS).ready


def test_an_object_that_is_no_image_is_skipped_by_name(folder):
    state = next(iter(dicom_factory.study()["t2"]))
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(state, keyword)
    state.SOPClassUID = GrayscaleSoftcopyPresentationStateStorage
    state.SOPInstanceUID, state.SeriesNumber = "1.2.3.4", "99"
    dicom_factory.save([state], folder)
    (study,) = find_studies(folder)
    assert list(reasons(study).values()) == ["not an image: Grayscale Softcopy Presentation State Storage"]
    assert read_study(study, keys=KEYS).ready


def test_a_plain_copy_is_dropped(folder):
    source = sorted(folder.rglob("*.dcm"))[0]
    shutil.copy(source, folder / "copy.dcm")
    rewritten = pydicom.dcmread(sorted(folder.rglob("*.dcm"))[1])
    rewritten.file_meta.SourceApplicationEntityTitle = "OTHER_PACS"
    rewritten.save_as(folder / "zz_exported_again.dcm")
    (study,) = find_studies(folder)
    assert list(reasons(study).values()) == ["a copy of another file"] * 2
    assert read_study(study, keys=KEYS).ready


def test_one_uid_with_two_contents_is_a_problem(folder):
    other = pydicom.dcmread(sorted(folder.rglob("*.dcm"))[0])
    other.PixelData = bytes(len(other.PixelData))
    other.save_as(folder / "zz_other.dcm")
    (study,) = find_studies(folder)
    reading = read_study(study, keys=KEYS)
    assert list(reasons(study).values()) == [
        "an image of series 3 (t2_tse_sag) has the SOPInstanceUID of another file but other content"
    ]
    assert not reading.ready
    assert "1 damaged or unreadable file(s)" in reading.problems[0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:400],
        lambda content: content[:132] + b"\xff" * 200,
        lambda content: content.replace(b"DS\x04\x005000", b"DS\x04\x00wxyz"),
    ],
    ids=["cut short", "garbage", "a number that is none"],
)
def test_a_damaged_file_is_named_and_its_study_not_decided(folder, spoil):
    path = sorted((folder / "series3").iterdir())[0]
    path.write_bytes(spoil(path.read_bytes()))
    (study,) = find_studies(folder)
    assert "damaged" in reasons(study)[path.name]
    assert not read_study(study, keys=KEYS).ready


def test_a_damaged_file_outside_a_studys_folder_does_not_spoil_it(tmp_path):
    dicom_factory.save(dicom_factory.study("one"), tmp_path / "one")
    dicom_factory.save(dicom_factory.study("two"), tmp_path / "two")
    (tmp_path / "one" / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 100)
    (tmp_path / "stray.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 100)
    stray, one, two = find_studies(tmp_path)
    assert stray.uid == "unreadable:."
    assert set(reasons(one)) == {"broken.dcm", "stray.dcm"}
    assert set(reasons(two)) == {"stray.dcm"}
    assert not read_study(one, keys=KEYS).ready
    assert read_study(two, keys=KEYS).ready


def test_a_file_without_preamble_is_read(folder):
    path = sorted(folder.rglob("*.dcm"))[0]
    path.write_bytes(path.read_bytes()[132:])
    assert read_study(find_studies(folder)[0], keys=KEYS).ready


@pytest.mark.parametrize("content", [None, "notes", "nothing"])
def test_no_dicom_at_all_is_no_input(tmp_path, content):
    root = tmp_path / "root"
    if content is not None:
        root.mkdir()
    if content == "notes":
        (root / "notes.txt").write_text("nothing medical")
    with pytest.raises(NoInputError, match="give a folder") as caught:
        find_studies(root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keyword", ["RescaleSlope", "PatientName", "EchoTime"])
def test_a_copy_with_another_header_is_no_copy(folder, keyword):
    other = pydicom.dcmread(sorted((folder / "series4").iterdir())[0])
    setattr(other, keyword, "3")
    other.save_as(folder / "zz_other.dcm")
    (study,) = find_studies(folder)
    assert not read_study(study, keys=KEYS).ready


@pytest.mark.parametrize("spoil", [lambda _: b"", lambda content: content[:100], lambda content: bytes(len(content))])
@pytest.mark.parametrize("name", ["1.dcm", "1.IMA", "IM0001"])
def test_an_image_that_lost_its_content_is_damage(folder, spoil, name):
    path = sorted((folder / "series3").iterdir())[0]
    content = path.read_bytes()
    path.unlink()
    path.with_name(name).write_bytes(spoil(content))
    (study,) = find_studies(folder)
    reading = read_study(study, keys=KEYS)
    assert list(reasons(study)) == [name]
    assert "1 damaged or unreadable file(s)" in reading.problems[0]


def test_a_pipe_is_not_opened(folder):
    os.mkfifo(folder / "pipe")
    (study,) = find_studies(folder)
    assert reasons(study) == {"pipe": "not a regular file"}


def test_a_pipe_in_place_of_an_image_is_damage(folder):
    path = sorted((folder / "series4").iterdir())[0]
    path.unlink()
    os.mkfifo(path)
    assert not read_study(find_studies(folder)[0], keys=KEYS).ready


def test_links_to_folders_are_followed_once_and_loops_end(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (folder / "series4").rename(elsewhere)
    (folder / "series4").symlink_to(elsewhere)
    (folder / "again").symlink_to(elsewhere)
    (folder / "series6" / "up").symlink_to(folder)
    (study,) = find_studies(folder)
    assert study.skipped == ()
    assert read_study(study, keys=KEYS).ready
