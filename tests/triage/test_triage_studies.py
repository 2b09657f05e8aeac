"""The whole way with real files and the shipped bundle's own pipeline (random weights, made here)."""

import json
import shutil
import tempfile
from pathlib import Path

import pydicom
import pytest
import torch
from monai.bundle import ConfigParser

from prostate_alm.bundle import Predictor, find_bundle, write_hashes
from prostate_alm.errors import IntegrityError
from prostate_alm.files import write_json
from prostate_alm.operating_point import Threshold
from prostate_alm.phantom import write_cohort
from prostate_alm.studies import ACQUIRED, Keys, find_studies, protocol_of, read_study
from prostate_alm.transforms import image_features
from prostate_alm.triage import Judge, triage_studies

pytestmark = pytest.mark.slow
KEYS = Keys(b"a salt for tests only")


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    """Two studies at b100/600/1000 and two at b50/400/800."""
    folder = tmp_path_factory.mktemp("phantoms")
    for name, b_values in (("canonical", (100, 600, 1000)), ("other", (50, 400, 800))):
        options = {"studies": 2, "class_ratio": "1:1", "dialect": "siemens", "processes": 1}
        write_cohort(folder / name, seed=7, b_values=b_values, **options)
    return folder


@pytest.fixture(scope="module")
def ruling(tmp_path_factory, phantoms):
    """The bundle with random weights, the phantoms' own ranges, and a threshold above every logit."""
    bundle = tmp_path_factory.mktemp("model") / "bundle"
    shutil.copytree(find_bundle("prostate_dce_classification"), bundle)
    shutil.rmtree(bundle / "models", ignore_errors=True)
    (bundle / "models").mkdir()
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser.read_meta(str(bundle / "configs" / "metadata.json"))
    torch.save(parser.get_parsed_content("network_def").state_dict(), bundle / "models" / "model.pt")
    write_hashes(bundle)
    predictor = Predictor.load(bundle)
    write_json(bundle / "models" / "training_ranges.json", training_ranges(predictor, phantoms))
    threshold = Threshold(1e6, "approximate", 0.1, 0.1, 22, 1, model_sha256=predictor.sha256)
    return Judge(predictor, threshold, KEYS)


def training_ranges(predictor, folder):
    readings = [read_study(study, keys=KEYS, harmonise=True) for study in find_studies(folder)]
    features = []
    for reading in readings:
        with tempfile.TemporaryDirectory() as temporary:
            images = {name: Path(temporary) / f"{name}.nii.gz" for name in predictor.required_images}
            for name, path in images.items():
                reading.volumes[name].save(path)
            features.append(image_features(predictor.image(images)))
    return {
        "vendors": sorted({reading.scanner["vendor"] for reading in readings}),
        "models": sorted({reading.scanner["model"] for reading in readings}),
        "field_strengths_t": sorted({reading.scanner["field_strength_t"] for reading in readings}),
        "features": {
            name: [min(values[name] for values in features) - 0.05, max(values[name] for values in features) + 0.05]
            for name in features[0]
        },
        "acquisition": {
            name: [min(each.acquisition[name] for each in readings), max(each.acquisition[name] for each in readings)]
            for name in ACQUIRED
        },
        "protocols": sorted({protocol_of(reading.acquisition, reading.harmonised) for reading in readings}),
    }


@pytest.mark.parametrize(
    ("name", "harmonise", "outcome"),
    [
        ("canonical", False, "dce_not_required"),
        ("other", False, "undecided"),
        ("other", True, "dce_not_required"),
    ],
)
def test_phantoms_are_decided_where_their_b_values_allow_it(phantoms, ruling, tmp_path, name, harmonise, outcome):
    judge = Judge(ruling.predictor, ruling.threshold, KEYS, harmonise)
    decisions = triage_studies([phantoms / name / "studies"], judge, out=tmp_path)
    assert [decision.outcome for decision in decisions] == [outcome] * 2
    assert {decision.harmonised for decision in decisions} == {harmonise}
    if outcome == "undecided":
        assert all("50, 400, 800" in decision.reasons[0] for decision in decisions)
        assert all(decision.logit is None for decision in decisions)


def test_another_pipeline_with_the_same_weights_is_another_model(ruling, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(ruling.predictor.folder, bundle)
    config = bundle / "configs" / "inference.json"
    content = json.loads(config.read_text())
    write_json(config, content | {"preprocessing": content["preprocessing"] | {"lazy": True}})
    write_hashes(bundle)
    changed = Predictor.load(bundle)
    assert changed.sha256 != ruling.predictor.sha256
    with pytest.raises(IntegrityError, match="made for model"):
        Judge(changed, ruling.threshold, KEYS)


def headers(folder):
    return {path: pydicom.dcmread(path, stop_before_pixels=True) for path in folder.rglob("*") if path.is_file()}


def wanted(folder, kind):
    """The files of the T2 that is used, or of one b-value."""
    (study,) = find_studies(folder)
    read = read_study(study, keys=KEYS)
    used = {report.description for report in read.series if report.reason.startswith("used as")}
    files = [file for file in study.files if file.description in used]
    if kind == "t2":
        return [file.path for file in files if file.b_value is None]
    return [file.path for file in files if file.b_value is not None and file.b_value.nominal == kind]


def remove(*kinds):
    return lambda folder: [path.unlink() for kind in kinds for path in wanted(folder, kind)]


def truncate(folder):
    path = wanted(folder, 600)[3]
    path.write_bytes(path.read_bytes()[:-5000])


def empty_header(folder):
    path = wanted(folder, "t2")[3]
    path.write_bytes(path.read_bytes()[:200])


def lose_a_slice(folder):
    positions = {
        path: pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient[2] for path in wanted(folder, 1000)
    }
    sorted(positions, key=positions.__getitem__)[len(positions) // 2].unlink()


def change(kind, edit):
    def damage(folder):
        for path in wanted(folder, kind):
            dataset = pydicom.dcmread(path)
            edit(dataset)
            dataset.save_as(path)

    return damage


def blank(dataset):
    dataset.PixelData = bytes(len(dataset.PixelData))


def other_vendor(dataset):
    dataset.Manufacturer = "Philips"


def other_field(dataset):
    dataset.MagneticFieldStrength = 1.5


def moved(dataset):
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x + 300, y, z]


DAMAGES = {
    "no T2": remove("t2"),
    "no DWI": remove(100, 600, 1000),
    "no b1000": remove(1000),
    "a truncated file": truncate,
    "a broken header": empty_header,
    "a missing slice": lose_a_slice,
    "a blank T2": change("t2", blank),
    "a blank b100": change(100, blank),
    "another vendor": change("t2", other_vendor),
    "another field strength": change("t2", other_field),
    "T2 and DWI apart": change("t2", moved),
}


def test_no_damaged_study_is_spared_the_contrast(phantoms, ruling, tmp_path):
    sound = next(path for path in sorted((phantoms / "canonical" / "studies").iterdir()) if path.is_dir())
    for name, damage in DAMAGES.items():
        folder = tmp_path / "incoming" / name
        shutil.copytree(sound, folder)
        damage(folder)
        (decision,) = triage_studies([folder], ruling, out=tmp_path / "out" / name)
        assert decision.outcome == "undecided", name
        assert decision.reasons, name


def test_nothing_of_the_headers_is_stored(phantoms, ruling, tmp_path):
    triage_studies([phantoms / "canonical" / "studies"], ruling, out=tmp_path)
    stored = "".join(path.read_text() for path in tmp_path.iterdir() if path.is_file())
    names = "PatientName PatientID PatientBirthDate AccessionNumber StudyInstanceUID SeriesInstanceUID SOPInstanceUID"
    for header in headers(phantoms / "canonical" / "studies").values():
        values = [str(header.get(name) or "") for name in names.split()]
        assert not [value for value in values if value and value in stored]
    assert str(phantoms) not in stored


@pytest.mark.shared_data
def test_a_real_study_reports_its_logit_and_stays_undecided(shared, ruling, tmp_path):
    judge = Judge(ruling.predictor, ruling.threshold, KEYS, harmonise=True)
    (decision,) = triage_studies([shared / "data" / "mri" / "prostatex-0000" / "dicom"], judge, out=tmp_path)
    content = json.loads((tmp_path / f"{decision.study_key}.json").read_text())
    assert (content["decision"], content["qc"]["b_values_found"]) == ("undecided", [50, 400, 800])
    assert content["logit"] is not None
    assert content["harmonisation"]["acquired_b"] == [50.0, 400.0, 800.0]
    assert "not for any clinical use" in content["notice"]
    assert any("outside the training range" in reason for reason in content["reasons"])


@pytest.mark.shared_data
def test_no_odd_file_is_spared_the_contrast(shared, ruling, tmp_path):
    decisions = triage_studies(
        [shared / "data" / "mri" / "odd", shared / "data" / "mri" / "vendors"], ruling, out=tmp_path
    )
    assert len(decisions) > 10
    assert {decision.outcome for decision in decisions} == {"undecided"}
