from pathlib import Path
from types import SimpleNamespace

import pydicom
import pytest

from prostate_alm.triage.privacy import LONGEST, cleaned, describe, free_words, identifiers, path_words, scrub


@pytest.mark.parametrize(
    "text",
    [
        "cannot open '/data/Doe/1.dcm'",
        "cannot open ~/Doe/file",
        r"cannot open C:\Users\Doe\x",
        "cannot open ../Doe/x",
        "in Doe/series/x",
        "file Doe.dcm is short",
        "[Errno 2] No such file or directory: PosixPath('/Doe')",
    ],
)
def test_paths_are_taken_out(text):
    assert "Doe" not in scrub(text)


@pytest.mark.parametrize("text", ["T2/DWI overlap is 40%", "gap between -12.5 and -6.5 mm", "b50, b400, b800 found"])
def test_plain_reasons_stay_as_they_are(text):
    assert scrub(text) == text


def test_uids_are_taken_out():
    assert "1.2.840" not in scrub("study 1.2.840.113619.2.55.3 is odd")


@pytest.mark.parametrize("text", ["of DOE", "of doe.", "doe^john", "(Doe)", "x_doe_y"])
def test_secrets_are_taken_out_in_any_case(text):
    assert "doe" not in scrub(text, ["Doe"]).lower()


def test_a_secret_is_not_searched_inside_words_and_short_ones_not_at_all():
    assert scrub("axial T2", ["xia", "T2", ""]) == "axial T2"


def test_the_result_is_one_short_line():
    text = scrub("a\n" * 3000)
    assert "\n" not in text
    assert len(text) <= LONGEST


def test_texts_are_cleaned_however_deep_they_lie():
    value = {"a": ["of Doe", 1, None, {"b": "/data/x"}], "c": 2.5}
    assert cleaned(value, ["doe"]) == {"a": ["of [removed]", 1, None, {"b": "[removed]"}], "c": 2.5}


def study(path, **changes):
    stated = {"patient_id": "P1", "accession": "", "patient_name": "Roe^Jane", "birth_date": "19500102"}
    header = SimpleNamespace(path=path, raw_description="t2_tse_tra Freetext", **stated)
    return SimpleNamespace(**({"uid": "1.2", "files": [header]} | changes))


def test_identifiers_come_from_index_and_file(tmp_path):
    dataset = pydicom.Dataset()
    dataset.PatientName, dataset.PatientBirthDate = "Doe^Phantom", "19500102"
    dataset.save_as(tmp_path / "1.dcm", implicit_vr=False, little_endian=True)
    found = identifiers(study(tmp_path / "1.dcm"))
    assert {"1.2", "P1", "Doe", "Doe^Phantom", "19500102"} <= found
    assert not {"", "Phantom"} & found  # an ordinary word of a sequence tells nothing


def test_a_path_with_a_space_is_taken_out_whole():
    text = "cannot open /data/Doe John/x1 in /data/Doe John"
    assert scrub(text, path_words(Path("/data/Doe John"))).split("cannot open ")[1].count("[removed]") >= 2
    assert not {"Doe", "John"} & set(scrub(text, path_words(Path("/data/Doe John"))).replace("/", " ").split())


def test_unknown_words_of_a_description_and_parts_of_the_path_are_free_words(tmp_path):
    found = free_words(study(tmp_path / "1.dcm", folder=Path("/data/Doe_John X/t2")))
    assert {"Freetext", "Doe_John X", "Doe", "John", "/data/Doe_John X/t2"} <= found
    assert "tse" not in found


@pytest.mark.parametrize("content", [None, b"", b"no DICOM at all"])
def test_a_file_that_cannot_be_read_gives_what_the_index_knows(tmp_path, content):
    if content is not None:
        (tmp_path / "1.dcm").write_bytes(content)
    assert {"1.2", "P1", "Roe"} <= identifiers(study(tmp_path / "1.dcm"))


def test_an_exception_becomes_its_class_and_a_clean_message():
    error = OSError(2, "No such file", "/data/doe/1.dcm")
    reason = describe(error, path_words(Path("/data/doejohn")))
    assert reason.startswith("FileNotFoundError: ")
    assert "doe" not in reason
    assert describe(KeyError(), []) == "KeyError"
