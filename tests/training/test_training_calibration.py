"""Thresholds: certified on patients whom no member has seen, approximate from out-of-bag logits, refused otherwise."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny

from prostate_alm.bundle import Predictor, write_hashes
from prostate_alm.cohort import Cohort, load_split
from prostate_alm.errors import RefusedError, UsageError
from prostate_alm.operating_point import MARGIN
from prostate_alm.training import calibrate, calibrate_out_of_bag, refuse_shared_patients, save_threshold
from prostate_alm.training.calibration import trained_on


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Patients that no run was trained on."""
    return tiny.make_cohort(tmp_path_factory.mktemp("others") / "cohort", [0, 1, 1, 1], first=50)


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


def out_of_bag_by_hand(run: tiny.Run) -> dict[str, float]:
    """Positive -> mean logit of the members whose training list, asked for one by one, does not hold its case."""
    predictor = Predictor.load(run.folder)
    found: dict[str, list[float]] = {}
    for member, network in enumerate(predictor.network.get_submodule("members").children()):
        split = load_split(str(run.cohort.folder), member=member, seed=run.settings.seed)
        seen = {case["case_id"] for case in split["training"]}
        for case in run.cohort.data():
            if case["label"] == 1 and case["case_id"] not in seen:
                image = predictor.image(case)
                found.setdefault(case["case_id"], []).append(network(image[None]).item())
    return {case_id: float(np.mean(logits)) for case_id, logits in found.items()}


def test_an_out_of_bag_threshold_rests_on_members_that_did_not_see_the_case(tiny_run: tiny.Run) -> None:
    expected = out_of_bag_by_hand(tiny_run)
    made = calibrate_out_of_bag(tiny_run.folder, tiny_run.cohort, fn_rate=0.5, risk=0.5)
    assert made.kind == "approximate"
    assert made.n1 == len(expected)
    assert made.value == pytest.approx(sorted(expected.values())[made.rank - 1] - MARGIN, abs=1e-5)
    assert "approximate: fewer members, validation-selected" in made.promise
    assert "not certified" in made.promise
    assert made.model_sha256 == Predictor.load(tiny_run.folder).sha256
    assert made.cohort_sha256 == tiny_run.cohort.digest()
    assert set(made.patients) == tiny_run.cohort.patients  # whom no evaluation may measure it on
    seen = [
        {case["case_id"] for case in load_split(str(tiny_run.cohort.folder), member=member, seed=5)["training"]}
        for member in range(2)
    ]
    assert made.excluded == len(seen[0] & seen[1]) > 0


def test_a_case_of_a_trained_patient_is_not_out_of_bag(tiny_run: tiny.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor.load(tiny_run.folder)
    before = trained_on(tiny_run.folder, predictor, tiny_run.cohort)
    unseen = int(np.flatnonzero(~before[0])[0])
    seen = int(np.flatnonzero(before[0])[0])
    cases = list(tiny_run.cohort.cases)
    cases[unseen] = replace(cases[unseen], patient_id=cases[seen].patient_id)  # as a class ratio leaves cases out
    digest = tiny_run.cohort.digest()
    monkeypatch.setattr(Cohort, "digest", lambda _: digest)
    after = trained_on(tiny_run.folder, predictor, Cohort(tiny_run.cohort.folder, tuple(cases)))
    assert after[0, unseen]


def test_too_few_positives_with_an_out_of_bag_logit_are_counted(tiny_run: tiny.Run) -> None:
    n1 = len(out_of_bag_by_hand(tiny_run))
    with pytest.raises(RefusedError, match=rf"with {n1} positives, 22 needed .* of 18 cases have no out-of-bag logit"):
        calibrate_out_of_bag(tiny_run.folder, tiny_run.cohort, fn_rate=0.1, risk=0.1)


def test_out_of_bag_logits_need_the_run_and_its_own_cohort(tiny_run: tiny.Run, others: Cohort) -> None:
    with pytest.raises(UsageError, match=r"is no run with its run\.json"):
        calibrate_out_of_bag(tiny_run.folder / "bundle", tiny_run.cohort, fn_rate=0.5, risk=0.5)
    with pytest.raises(UsageError, match=r"is not the one that .* was trained on"):
        calibrate_out_of_bag(tiny_run.folder, others, fn_rate=0.5, risk=0.5)


def test_a_patient_counts_once_by_the_lowest_logit(tiny_run: tiny.Run, others: Cohort) -> None:
    predictor = Predictor.load(tiny_run.folder)
    logits = {case["case_id"]: predictor.logit(predictor.image(case)) for case in others.data() if case["label"] == 1}
    first, second, third = sorted(logits, key=logits.__getitem__)
    cases = tuple(
        replace(case, patient_id="twice") if case.case_id in (second, third) else case for case in others.cases
    )
    made = calibrate(tiny_run.folder, Cohort(others.folder, cases), fn_rate=0.7, risk=0.7)
    assert (made.n1, made.rank) == (2, 2)
    assert made.value == pytest.approx(logits[second] - MARGIN)
    assert logits[second] > logits[first]
    with pytest.raises(RefusedError, match="with 2 positives, 3 needed"):
        calibrate(tiny_run.folder, Cohort(others.folder, cases), fn_rate=0.5, risk=0.2)


def test_a_patient_counts_once_out_of_bag_too(tiny_run: tiny.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = out_of_bag_by_hand(tiny_run)
    cases = tuple(
        replace(case, patient_id="twice") if case.case_id in expected else case for case in tiny_run.cohort.cases
    )
    trained = trained_on(tiny_run.folder, Predictor.load(tiny_run.folder), tiny_run.cohort)
    monkeypatch.setattr("prostate_alm.training.calibration.trained_on", lambda *_: trained)
    made = calibrate_out_of_bag(tiny_run.folder, Cohort(tiny_run.cohort.folder, cases), fn_rate=0.5, risk=0.5)
    assert len(expected) > 1
    assert made.n1 == 1
    assert made.value == pytest.approx(min(expected.values()) - MARGIN, abs=1e-5)


def test_a_threshold_that_does_not_say_on_whom_it_was_made_is_refused(tiny_run: tiny.Run, others: Cohort) -> None:
    predictor = Predictor.load(tiny_run.folder)
    refuse_shared_patients(predictor, others, None)
    threshold = calibrate(tiny_run.folder, others, fn_rate=0.5, risk=0.2)
    with pytest.raises(RefusedError, match="does not say on whom it was calibrated"):
        refuse_shared_patients(predictor, others, replace(threshold, patients=()))
