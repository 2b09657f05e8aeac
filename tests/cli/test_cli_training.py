"""train, evaluate and calibrate as a user calls them, on a tiny cohort."""

import json
import shutil
from pathlib import Path

import pytest
import tiny

from prostate_alm.cohort import Cohort


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tiny.Run:
    return tiny.shared_run(tmp_path_factory.getbasetemp())


@pytest.fixture
def test_cohort(tmp_path: Path) -> Cohort:
    return tiny.make_cohort(tmp_path / "test", [0, 1, 0, 1, 1, 0], first=50)


def sets() -> list[str]:
    return [word for key, value in tiny.OVERRIDES.items() for word in ("--set", f"{key}={json.dumps(value)}")]


def test_train_makes_a_run_with_a_bundle(prostate_alm, run, tmp_path):
    arguments = ("--members", 2, "--epochs", 2, "--constrained-epochs", 1, "--loss", "a-fl", "--processes", 1)
    code, out, err = prostate_alm("train", run.cohort.folder, "--out", tmp_path / "run", *arguments, *sets())
    assert code == 0, err
    assert out.strip() == str(tmp_path / "run" / "bundle")
    assert (tmp_path / "run" / "bundle" / "models" / "model.pt").is_file()
    assert "member 01 trained (2 of 2)" in err


def test_train_names_what_is_wrong(prostate_alm, run, tmp_path):
    def line(*arguments: object) -> tuple[int, str]:
        code, _, err = prostate_alm("train", *arguments)
        assert len([text for text in err.splitlines() if text.startswith("error")]) == 1
        return code, err

    out = ("--out", tmp_path / "run")
    assert line(tmp_path, *out)[0] == 4
    code, text = line(run.cohort.folder, *out, "--loss", "hinge")
    assert code == 2
    assert "hinge" in text
    code, text = line(run.cohort.folder, *out, "--set", "learning_rat=0.1")
    assert code == 2
    assert "learning_rat" in text
    assert line(run.cohort.folder, *out, "--set", "no-equals-sign")[0] == 2
    assert line(run.cohort.folder, *out, "--members", 0)[0] == 2
    assert line(run.cohort.folder, *out, "--class-ratio", "1:900")[0] == 2
    assert not (tmp_path / "run" / "members").exists()


def test_evaluate_writes_the_report(prostate_alm, run, test_cohort, tmp_path):
    code, out, err = prostate_alm("evaluate", run.folder, test_cohort.folder, "--out", tmp_path / "report")
    assert code == 0, err
    files = {"evaluation.json", "metrics.json", "predictions.csv", "report.html", "report.pdf"}
    assert {path.name for path in (tmp_path / "report").iterdir()} == files
    for arm in ("base", "continued", "alm"):
        assert f"{arm}: AUC" in out
        assert f"{arm}: FPR@0FN" in out
    assert f"report: {tmp_path / 'report' / 'report.html'}" in out


def test_calibrate_then_evaluate_with_the_locked_threshold(prostate_alm, run, test_cohort, tmp_path):
    file = tmp_path / "thresholds" / "threshold.json"
    code, out, _ = prostate_alm(
        "calibrate", run.folder, test_cohort.folder, "--fn-rate", 0.5, "--risk", 0.3, "--out", file
    )
    assert code == 0
    assert "FN rate at most 50" in out
    others = tiny.make_cohort(tmp_path / "others", [0, 1, 0, 1], first=70)
    arguments = ("evaluate", run.folder, others.folder, "--threshold", file, "--out", tmp_path / "report")
    assert prostate_alm(*arguments)[0] == 0
    figures = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert {figure["kind"] for figure in figures} == {"oracle", "locked"}


def test_calibrate_out_of_bag_on_the_training_cohort_is_approximate(prostate_alm, run, test_cohort, tmp_path):
    file = tmp_path / "threshold.json"
    asked = ("--fn-rate", 0.5, "--risk", 0.5, "--out", file, "--out-of-bag")
    code, out, _ = prostate_alm("calibrate", run.folder, run.cohort.folder, *asked)
    assert code == 0
    assert "approximate" in out
    assert "not certified" in out
    assert json.loads(file.read_text())["kind"] == "approximate"
    code, _, err = prostate_alm("calibrate", run.folder, test_cohort.folder, *asked)
    assert code == 2
    assert "was trained on" in err


def test_figures_are_refused_on_patients_that_were_seen_before(prostate_alm, run, test_cohort, tmp_path):
    file = tmp_path / "threshold.json"
    assert (
        prostate_alm("calibrate", run.folder, test_cohort.folder, "--fn-rate", 0.5, "--risk", 0.3, "--out", file)[0]
        == 0
    )
    for cohort, what in ((run.cohort, "training"), (test_cohort, "calibration")):
        arguments = ("evaluate", run.folder, cohort.folder, "--threshold", file, "--out", tmp_path / "report")
        code, _, err = prostate_alm(*arguments)
        assert code == 7
        assert what in err
    assert not (tmp_path / "report").exists()


def test_a_value_that_a_component_refuses_is_named(prostate_alm, run, tmp_path):
    arguments = ("train", run.cohort.folder, "--out", tmp_path / "run", "--processes", 1, "--members", 1, "--epochs", 1)
    code, _, err = prostate_alm(*arguments, *sets(), "--set", "margin=-1")
    assert code == 2
    assert "margin must be finite and >= 0, got -1" in err
    assert "bug" not in err


def test_an_unreadable_volume_is_named_by_its_case(prostate_alm, run, test_cohort, tmp_path):
    case = test_cohort.cases[0]
    (test_cohort.folder / case.images["t2w"]).write_bytes(b"junk")
    code, _, err = prostate_alm("evaluate", run.folder, test_cohort.folder, "--out", tmp_path / "report")
    assert code == 4
    assert case.case_id in err
    code, _, err = prostate_alm("train", test_cohort.folder, "--out", tmp_path / "run", *sets(), "--processes", 1)
    assert code == 4
    assert case.case_id in err


def test_calibrate_refuses_too_few_positives_and_training_patients(prostate_alm, run, test_cohort, tmp_path):
    code, _, err = prostate_alm("calibrate", run.folder, test_cohort.folder, "--out", tmp_path / "t.json")
    assert code == 7
    assert "22 needed" in err
    assert prostate_alm("calibrate", run.folder, run.cohort.folder, "--out", tmp_path / "t.json")[0] == 7
    assert not (tmp_path / "t.json").exists()


def test_a_threshold_of_another_model_is_refused(prostate_alm, run, test_cohort, tmp_path):
    from prostate_alm.operating_point import Threshold

    file = Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256="0" * 64).save(tmp_path / "t.json")
    arguments = ("evaluate", run.folder, test_cohort.folder, "--threshold", file, "--out", tmp_path / "report")
    assert prostate_alm(*arguments)[0] == 8


def test_a_changed_bundle_is_not_run(prostate_alm, run, test_cohort, tmp_path):
    shutil.copytree(run.folder / "bundle", tmp_path / "bundle")
    path = tmp_path / "bundle" / "configs" / "inference.json"
    path.write_text(path.read_text().replace("99.5", "95.0"))
    code, _, err = prostate_alm("evaluate", tmp_path / "bundle", test_cohort.folder, "--out", tmp_path / "report")
    assert code == 8
    assert "inference.json" in err


def test_no_model_and_no_place_to_write(prostate_alm, run, test_cohort, tmp_path):
    assert prostate_alm("evaluate", tmp_path, test_cohort.folder, "--out", tmp_path / "report")[0] == 5
    (tmp_path / "file").write_text("in the way")
    assert prostate_alm("evaluate", run.folder, test_cohort.folder, "--out", tmp_path / "file")[0] == 6
    assert prostate_alm("train", run.cohort.folder, "--out", tmp_path / "file")[0] == 6
