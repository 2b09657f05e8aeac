"""The searcher for planted strings finds each form; a search that cannot fail would prove nothing."""

import base64
import gzip
import hashlib
import html
import json
import os
import unicodedata
import urllib.parse
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from leaks import Searcher, Secret

NAMES = ["Quellenhofer", "Grünßpächter", "Teshigawara^Gonzaemon", "権左衛門", "PIDQ00177190", "19410307"]
ENTITIES = str.maketrans({"ü": "&uuml;", "ß": "&szlig;", "ä": "&auml;", "^": "&#94;"})
FORMS = {
    "UTF-8": lambda name: name.encode(),
    "UTF-8, upper case": lambda name: name.upper().encode(),
    "UTF-8, decomposed": lambda name: unicodedata.normalize("NFD", name).encode(),
    "UTF-8 taken for Latin-1": lambda name: name.encode().decode("latin-1").encode(),
    "UTF-16": lambda name: name.encode("utf-16"),
    "UTF-16, big end first": lambda name: name.upper().encode("utf-16-be"),
    "URL": lambda name: urllib.parse.quote_plus(name).encode(),
    "URL, upper case": lambda name: urllib.parse.quote(name.upper()).encode(),
    "HTML": lambda name: html.escape(name).translate(ENTITIES).encode(),
    "HTML, numbered": lambda name: name.encode("ascii", "xmlcharrefreplace"),
    "HTML, numbered in hex": lambda name: "".join(
        c if c.isalnum() and c.isascii() else f"&#x{ord(c):X};" for c in name
    ).encode(),
    "JSON": lambda name: json.dumps({"name": name}).encode(),
    "Python": lambda name: ascii(name).encode(),
    "hex": lambda name: name.encode().hex(" ").replace(" ", "").upper().encode(),
    "base64": lambda name: base64.b64encode(name.encode()),
    "base64, one later": lambda name: base64.b64encode(b"1" + name.encode() + b"234"),
    "base64, two later": lambda name: base64.b64encode(b"12" + name.encode() + b"34"),
    "base64 for URLs": lambda name: base64.urlsafe_b64encode(b"12" + name.encode() + b"34"),
    "MD5": lambda name: hashlib.md5(name.encode()).hexdigest().encode(),
    "SHA-256, cut": lambda name: hashlib.sha256(name.encode()).hexdigest()[:20].encode(),
}


@pytest.fixture(scope="module")
def searcher() -> Searcher:
    return Searcher([Secret("a name", name) for name in NAMES])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", FORMS)
def test_a_string_is_found_in_every_form(searcher, form, name):
    content = b"\0before " + FORMS[form](name) + b" behind\n"
    found = searcher.find(content, "place")
    assert {leak.what for leak in found} == {"a name"}, content


@pytest.mark.parametrize("form", ["latin-1", "Python of Latin-1"])
def test_latin_1_is_found(searcher, form):
    content = "of Grünßpächter".encode("latin-1")
    if form != "latin-1":
        content = os.fsdecode(content).encode("ascii", "backslashreplace")
    assert searcher.find(content, "place")


def test_parts_of_a_name_are_found(searcher):
    assert {leak.text for leak in searcher.find(b"gonzaemon", "place")} == {"Gonzaemon"}


def test_chance_finds_nothing(searcher):
    noise = np.random.default_rng(0).bytes(1 << 20)
    assert searcher.find(noise + base64.b64encode(noise) + noise.hex().encode(), "noise") == []


def _in_nifti(path: Path) -> Path:
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.float32), np.eye(4))
    image.header["descrip"] = b"Quellenhofer"
    image.to_filename(path / "volume.nii.gz")
    return path


def _in_weights(path: Path) -> Path:
    torch.save({"Quellenhofer": torch.zeros(1)}, path / "model.pt")
    return path


def _in_nested_archives(path: Path) -> Path:
    with zipfile.ZipFile(path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("part.gz", gzip.compress(b"Quellenhofer"))
    return path


def _in_a_name(path: Path) -> Path:
    (path / "quellenhofer").mkdir()
    return path


@pytest.mark.parametrize("hide", [_in_nifti, _in_weights, _in_nested_archives, _in_a_name])
def test_nothing_is_too_deep_for_the_searcher(searcher, tmp_path, hide):
    assert {leak.text for leak in searcher.find_below(hide(tmp_path))} == {"Quellenhofer"}
