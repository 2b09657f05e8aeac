"""Logits of every arm, and thresholds that refuse training patients."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

from prostate_alm.bundle import Predictor, write_hashes
from prostate_alm.cohort import Cohort
from prostate_alm.errors import ModelError, RefusedError, UsageError
from prostate_alm.training import COMPARISON, calibrate, predict_arms, save_threshold, train


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Patients that no run was trained on."""
    return tiny.make_cohort(tmp_path_factory.mktemp("others") / "cohort", [0, 1, 1, 1], first=50)


def test_every_arm_scores_every_case(tiny_run: tiny.Run, others: Cohort) -> None:
    steps: list[tuple[int, int]] = []
    rows = predict_arms(tiny_run.folder, others, progress=lambda done, total: steps.append((done, total)))
    assert [row["arm"] for row in rows] == [arm for arm in COMPARISON for _ in others.cases]
    assert [(row["case_id"], row["label"]) for row in rows[:4]] == [(case.case_id, case.label) for case in others.cases]
    for arm in COMPARISON:
        predictor = Predictor.load(tiny_run.folder, arm=arm)
        logits = [predictor.logit(predictor.image(case)) for case in others.data()]
        assert [row["logit"] for row in rows if row["arm"] == arm] == logits
        assert all(map(math.isfinite, logits))
    assert steps == [(done, 4) for done in (1, 2, 3, 4)]


def test_evaluation_and_calibration_need_labels(tiny_run: tiny.Run, others: Cohort) -> None:
    for cases in ((), (replace(others.cases[0], label=None), *others.cases[1:])):
        cohort = Cohort(others.folder, cases)
        with pytest.raises(UsageError, match=r"has no case|have no label; run"):
            predict_arms(tiny_run.folder, cohort)
        with pytest.raises(UsageError, match=r"has no case|have no label; run"):
            calibrate(tiny_run.folder, cohort, fn_rate=0.5, risk=0.5)


def test_a_folder_without_model_is_refused(others: Cohort, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="neither a bundle nor a finished run"):
        predict_arms(tmp_path, others)


@pytest.mark.parametrize("part", ["", "bundle"])
def test_calibration_on_training_patients_is_refused(part: str, tiny_run: tiny.Run, others: Cohort) -> None:
    known = replace(others.cases[0], patient_id=tiny_run.cohort.cases[0].patient_id)
    with pytest.raises(RefusedError, match=r"1 patients of cohort .* were used in training"):
        calibrate(tiny_run.folder / part, Cohort(others.folder, (known, *others.cases[1:])), fn_rate=0.5, risk=0.5)


def test_calibration_with_too_few_positives_is_refused(tiny_run: tiny.Run, others: Cohort) -> None:
    with pytest.raises(RefusedError):
        calibrate(tiny_run.folder, others, fn_rate=0.01, risk=0.01)


def test_a_threshold_carries_the_hashes_of_model_and_cohort(tiny_run: tiny.Run, others: Cohort, tmp_path: Path) -> None:
    threshold = calibrate(tiny_run.folder, others, fn_rate=0.5, risk=0.2)
    predictor = Predictor.load(tiny_run.folder)
    positives = sorted(predictor.logit(predictor.image(case)) for case in others.data() if case["label"] == 1)
    assert threshold.n1 == 3
    assert threshold.value <= positives[threshold.rank - 1]
    path = save_threshold(threshold, tmp_path / "new" / "threshold.json")
    content = json.loads(path.read_text())
    assert content["model_sha256"] == predictor.sha256
    assert content["cohort_sha256"] == others.digest()
    assert content["patients"] == sorted(others.patients)


def test_a_run_without_alm_is_evaluated_as_base(tmp_path):
    cohort = tiny.make_cohort(tmp_path / "cohort", [0, 1, 0] * 4)
    train(cohort.folder, tmp_path / "run", tiny.BUNDLE, tiny.settings(alm=False, epochs=1), processes=1)
    predictor = Predictor.load(tmp_path / "run")
    assert (predictor.arm, predictor.other_arms) == ("base", ())
    assert {row["arm"] for row in predict_arms(tmp_path / "run", cohort)} == {"base"}


def test_a_bundle_that_left_its_run_still_knows_its_patients(tiny_run, tmp_path):
    shutil.copytree(tiny_run.folder / "bundle", tmp_path / "bundle")
    with pytest.raises(RefusedError, match="used in training"):
        calibrate(tmp_path / "bundle", tiny_run.cohort, fn_rate=0.5, risk=0.5)


def test_a_model_that_does_not_say_on_whom_it_was_trained_is_refused(tiny_run, others, tmp_path):
    shutil.copytree(tiny_run.folder / "bundle", tmp_path / "bundle")
    (tmp_path / "bundle" / "models" / "patients.json").unlink()
    write_hashes(tmp_path / "bundle")
    with pytest.raises(RefusedError, match="does not say"):
        calibrate(tmp_path / "bundle", others, fn_rate=0.5, risk=0.5)
