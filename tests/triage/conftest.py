"""Pretended studies and a pretended model; every result that is stored is valid by the published schema."""

import json
from pathlib import Path

import pretended_studies
import pytest
from jsonschema import Draft202012Validator

from prostate_alm.triage import Judge, Options, session
from prostate_alm.triage.extras import PAGE, REPORT, Extras

SCHEMA = Path(__file__).parents[2] / "docs" / "schema" / "triage-1.json"


@pytest.fixture(autouse=True)
def schema_holds(monkeypatch):
    """Every result that a test stores is valid."""
    validator = Draft202012Validator(json.loads(SCHEMA.read_text()))
    text_of = session.json_text

    def checked(content):
        validator.validate(content)
        return text_of(content)

    monkeypatch.setattr(session, "json_text", checked)


@pytest.fixture
def rooms(monkeypatch):
    """The rooms below, replaced."""
    for owner, name, other in pretended_studies.replaced():
        monkeypatch.setattr(owner, name, other)


@pytest.fixture
def predictor():
    return pretended_studies.FakePredictor()


@pytest.fixture
def threshold():
    return pretended_studies.fake_threshold()


@pytest.fixture
def ruling(rooms, predictor, threshold):
    return Judge(predictor, threshold, pretended_studies.KEYS)


@pytest.fixture
def studies(tmp_path):
    """Write a study: `studies("a", logit=2.0)`; gives its folder."""
    return lambda name, **content: pretended_studies.write_study(tmp_path / "incoming", name, **content)


@pytest.fixture
def reports(monkeypatch):
    """The options of a run whose DICOM outputs are texts that name the study."""

    def write(self, decision, case):
        for ending in (REPORT, PAGE):
            (self.out / f"{decision.study_key}{ending}").write_text(f"report on {case.study.uid}")
        return []

    monkeypatch.setattr(Extras, "write", write)
    return Options(dicom=True)
