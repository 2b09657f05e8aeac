"""Locking a threshold: on a calibration cohort of its own, or on the out-of-bag logits of the training cohort."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from monai.bundle.config_parser import ConfigParser

from prostate_alm.bundle import Predictor, read_config
from prostate_alm.cohort import Cohort
from prostate_alm.errors import RefusedError, UsageError
from prostate_alm.files import output_folder
from prostate_alm.operating_point import OutOfBag, Threshold, approximate, certify, out_of_bag
from prostate_alm.training.ensemble import RUN
from prostate_alm.training.evaluation import facts_of, member_logits, refuse_shared_patients, require_labels


def calibrate(model: Path | str, cohort: Cohort, *, fn_rate: float, risk: float, device: str = "cpu") -> Threshold:
    """The locked threshold whose false-negative rate is at most `fn_rate` with confidence 1 - `risk`.

    The promise needs independent positives, so each patient counts once, by the lowest logit of their positive studies.

    Args:
        model: a run or a bundle.
        cohort: calibration cases, none of whose patients the model was trained on.
        fn_rate: largest share of positives that may be missed, in (0, 1).
        risk: probability that the promise fails, in (0, 1).
        device: a torch device.

    Raises:
        RefusedError: if a patient is shared with training, or there are too few positive patients for the promise.

    Reference:
        Tong, Feng & Li 2018, Neyman-Pearson classification algorithms and NP receiver operating characteristics.
    """
    require_labels(cohort)
    predictor = Predictor.load(model, device)
    refuse_shared_patients(predictor, cohort, None)
    positives = [case for case in cohort.cases if case.label == 1]
    patients = [case.patient_id for case in positives]
    certify([0.0] * len(set(patients)), fn_rate=fn_rate, risk=risk)  # too few are refused before hours of inference
    logits = np.array([predictor.logit(predictor.image(case)) for case in cohort.data(positives)])
    threshold = certify(
        logits[lowest_of_each(patients, logits)],
        fn_rate=fn_rate,
        risk=risk,
        model_sha256=predictor.sha256,
        cohort_sha256=cohort.digest(),
    )
    return replace(threshold, patients=tuple(sorted(cohort.patients)), notice=predictor.notice)


def calibrate_out_of_bag(
    run: Path | str, cohort: Cohort, *, fn_rate: float, risk: float, device: str = "cpu"
) -> Threshold:
    """An approximate threshold from the run's own training cohort, each case judged by members not trained on it.

    It is never called certified: each logit rests on about 2 of 10 members, and validation chose their checkpoints.

    Args:
        run: a finished run, whose members' splits are known; not a bundle alone.
        cohort: the cohort that it was trained on.
        fn_rate: largest share of positives that may be missed, in (0, 1).
        risk: probability that the aim fails, in (0, 1).
        device: a torch device.

    Raises:
        UsageError: if `run` is no run, or the cohort is not the one that it was trained on.
        RefusedError: if too few positives have a logit.
    """
    require_labels(cohort)
    predictor = Predictor.load(run, device)
    trained = trained_on(Path(run), predictor, cohort)
    positive = np.array([case.label == 1 for case in cohort.cases])
    patients = [case.patient_id for case in cohort.cases]
    logits = np.zeros(trained.shape)  # of negatives, and of positives without a logit, none is needed

    def lock() -> Threshold:
        judged = out_of_bag(logits, trained)
        places = np.flatnonzero(positive & judged.kept)
        found = judged.logits[positive[judged.kept]]
        counted = np.zeros(len(patients))
        counted[places[lowest_of_each([patients[place] for place in places], found)]] = 1
        return _approximate(judged, counted, fn_rate, risk)

    lock()  # too few are refused before hours of inference
    data = cohort.data()
    for place in np.flatnonzero(positive & ~trained.all(axis=0)):
        logits[:, place] = member_logits(predictor, predictor.image(data[place]))[1]
    threshold = lock()
    return replace(
        threshold,
        model_sha256=predictor.sha256,
        cohort_sha256=cohort.digest(),
        patients=tuple(sorted(cohort.patients)),
        notice=predictor.notice,
    )


def trained_on(run: Path, predictor: Predictor, cohort: Cohort) -> np.ndarray:
    """Which member was trained on which case, or on another of the same patient, by the bundle's own `split`.

    Args:
        run: a finished run.
        predictor: its model.
        cohort: the cohort that it was trained on.

    Shapes: (M, B) bool, M members, B cases.

    Raises:
        UsageError: if `run` is no run, or the cohort is another.
    """
    record = run / RUN
    if not record.is_file():
        raise UsageError(f"{run} is no run with its {RUN}: out-of-bag logits need to know each member's training cases")
    if json.loads(record.read_text(encoding="utf-8")).get("cohort_sha256") != cohort.digest():
        raise UsageError(f"cohort {cohort.folder} is not the one that {run} was trained on: give that for --out-of-bag")
    facts, rows = facts_of(predictor), list[list[bool]]()
    patients = {case.case_id: case.patient_id for case in cohort.cases}
    for member in range(facts["members"]):
        parser = ConfigParser(config=read_config(predictor.folder / "configs" / "train.json"))
        asked = {name: facts[name] for name in ("seed", "class_ratio")}
        parser.update(asked | {"dataset_dir": str(cohort.folder), "member": member})
        seen = {patients[case["case_id"]] for case in parser.get_parsed_content("split")["training"]}
        rows.append([case.patient_id in seen for case in cohort.cases])
    return np.array(rows)


def lowest_of_each(patients: Sequence[str], logits: np.ndarray) -> list[int]:
    """Places of the lowest logit of every patient, so that each counts once: studies of one patient are alike.

    Args:
        patients: salted patient key of each study.
        logits: one for each study.

    Shapes: (B,) each; the result is as long as there are patients.

    Example:
        >>> lowest_of_each(["a", "b", "a"], np.array([1.0, 0.0, -1.0]))
        [2, 1]
    """
    lowest: dict[str, int] = {}
    for place, patient in enumerate(patients):
        if patient not in lowest or logits[place] < logits[lowest[patient]]:
            lowest[patient] = place
    return list(lowest.values())


def save_threshold(threshold: Threshold, path: Path | str) -> Path:
    """Write a locked threshold whole, making its folder if need be."""
    output_folder(Path(path).parent)
    return threshold.save(path)


def _approximate(judged: OutOfBag, labels: np.ndarray, fn_rate: float, risk: float) -> Threshold:
    try:
        return approximate(judged, labels, fn_rate=fn_rate, risk=risk)
    except RefusedError as error:
        raise RefusedError(
            f"{error}; {judged.excluded} of {len(labels)} cases have no out-of-bag logit, since every member was "
            "trained on their patient"
        ) from error
