"""Logits of every arm."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

from prostate_alm.bundle import Predictor
from prostate_alm.cohort import Cohort
from prostate_alm.errors import ModelError, UsageError
from prostate_alm.training import COMPARISON, calibrate, predict_arms, train


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


def test_a_run_without_alm_is_evaluated_as_base(tmp_path):
    cohort = tiny.make_cohort(tmp_path / "cohort", [0, 1, 0] * 4)
    train(cohort.folder, tmp_path / "run", tiny.BUNDLE, tiny.settings(alm=False, epochs=1), processes=1)
    predictor = Predictor.load(tmp_path / "run")
    assert (predictor.arm, predictor.other_arms) == ("base", ())
    assert {row["arm"] for row in predict_arms(tmp_path / "run", cohort)} == {"base"}
