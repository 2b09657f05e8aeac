"""Text from DICOM that would be code, or very long, or in other scripts: only known words of it come out."""

import csv
import json
import re
from dataclasses import dataclass

import dicom_factory
import pytest
import torch

from prostate_alm.operating_point import Threshold
from prostate_alm.studies import Keys, words
from prostate_alm.triage import Judge, triage_studies

KEYS = Keys(b"a salt for tests only")
IMAGE = torch.rand(4, 8, 8, 4, generator=torch.Generator().manual_seed(0)) + 0.1
TEXTS = {
    "script": "t2_tse_tra <script>alert('x')</script>",
    "formula": "=HYPERLINK(\"http://x\") t2_tse_tra",
    "command": "@SUM(1) +cmd|'/C calc'!A0 t2_tse_tra",
    "long": "t2_tse_tra " + "Wendelgard " * 455,
    "one long word": "t2_tse_tra " + "W" * 5000,
    "other scripts": "t2_tse_tra 前列腺 простата \u202eevil ﷽ é\u0301",
    "line ends": "t2_tse_tra\r\nforged,dce_not_required,dce_not_required",
    "json": 't2_tse_tra", "decision": "dce_not_required',
}  # fmt: skip


@dataclass
class Model:
    name: str = "m"
    version: str = "1"
    sha256: str = "a" * 64
    notice: str = ""
    required_images: tuple = ("t2w", "dwi_b100", "dwi_b600", "dwi_b1000")
    training_ranges: None = None
    trained_patients: frozenset = frozenset()

    def image(self, _):
        return IMAGE

    def logit(self, _):
        return -1.0


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("field", ["SeriesDescription", "Manufacturer", "ManufacturerModelName"])
@pytest.mark.filterwarnings("ignore:The value length:UserWarning:pydicom")
@pytest.mark.filterwarnings("ignore:Invalid value for VR:UserWarning:pydicom")
@pytest.mark.filterwarnings("ignore:Value:UserWarning:pydicom")
def test_only_known_words_of_a_text_come_out(tmp_path, field, kind):
    made = dicom_factory.study()
    for image in (image for images in made.values() for image in images):
        image.SpecificCharacterSet = "ISO_IR 192"
    for image in made["t2"]:
        setattr(image, field, TEXTS[kind])
    dicom_factory.save(made, tmp_path / "incoming" / "one")
    judge = Judge(Model(), Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256="a" * 64, patients=("p",)), KEYS)
    (decision,) = triage_studies([tmp_path / "incoming"], judge, out=tmp_path / "out")
    stored = json.loads((tmp_path / "out" / f"{decision.study_key}.json").read_text())
    assert stored["decision"] == "undecided"
    known = {"SeriesDescription": words.ALLOWED, "ManufacturerModelName": words._MODELS, "Manufacturer": ()}[field]
    shown = {
        "SeriesDescription": (stored["series_used"]["t2"] or {"description": ""})[
            "description"
        ],  # some words rule a T2 out
        "ManufacturerModelName": stored["qc"]["scanner"]["model"],
        "Manufacturer": stored["qc"]["scanner"]["vendor"],
    }[field]
    assert {word.lower() for word in re.findall(r"[^\W_]+", shown)} <= {*known, "other"}
    assert re.fullmatch(r"[\w *.]*", shown)
    assert len(shown) <= 400
    text = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    for text_of in (
        "<script",
        "alert",
        "HYPERLINK",
        "cmd",
        "/C",
        "Wendelgard",
        "WWWW",
        "前",
        "простата",
        "evil",
        "forged",
        "﷽",
    ):
        assert text_of not in text
    with (tmp_path / "out" / "worklist.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["decision"], row["treat_as"]) == ("undecided", "dce_required")
    assert all(not cell.startswith(("=", "+", "@", "\t", "\r")) for cell in row.values())


@pytest.mark.parametrize("notice", ["=1+1", "+1 is evil", "-1 is evil", "@SUM(1)", "-inf", "+nan", "\t=1", "\r=1"])
def test_no_cell_of_the_worklist_is_a_formula(studies, ruling, predictor, tmp_path, notice):
    predictor.notice = notice
    triage_studies([studies("a", logit=-2.5)], ruling, out=tmp_path / "out")
    with (tmp_path / "out" / "worklist.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["notice"] == f"'{notice.strip()}"
    assert row["logit"] == "-2.5"
