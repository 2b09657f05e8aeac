"""A cohort of synthetic studies: DICOM files, labels.csv and the ground truth."""

import json
import math
import multiprocessing
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from prostate_alm import __version__
from prostate_alm.cohort import parse_class_ratio
from prostate_alm.errors import UsageError
from prostate_alm.files import output_folder, write_csv, write_json
from prostate_alm.phantom.dialects import DIALECTS
from prostate_alm.phantom.study import CONSPICUITY, StudyPlan, ground_truth, write_study

GROUND_TRUTH = "ground_truth.json"
UNFINISHED = ".unfinished"


def write_cohort(
    out: Path | str,
    *,
    studies: int,
    class_ratio: str,
    dialect: str,
    seed: int,
    b_values: Sequence[int] = (100, 600, 1000),
    conspicuity: float = CONSPICUITY,
    processes: int | None = None,
) -> None:
    """Write `studies/<name>/...` (DICOM), `labels.csv` and `ground_truth.json`; the same arguments give the same bytes.

    A study's anatomy, placement and noise depend on the seed and its number alone, not on the size of the cohort or
    on `processes`. Called again after an interruption it writes what is missing.

    Args:
        out: the cohort's folder, made as needed.
        studies: how many, at least 2.
        class_ratio: positives to negatives, for example `"1:2"`.
        dialect: a name in `DIALECTS`, for example `siemens` (b-value in (0019,100C)) or `standard` (in (0018,9087)).
        seed: not negative; the same seed gives the same bytes.
        b_values: acquired b-values in s/mm2.
        conspicuity: factor on the conspicuity of every finding; 1 is tuned for a small network's AUC near 0.9.
        processes: how many studies are written at a time; None takes one per processor.

    Raises:
        UsageError: if an argument is out of range or the folder holds something else.
        OutputError: if the folder cannot be written to.
    """
    _check(studies, dialect, seed, b_values, conspicuity, processes)
    plans = plan_cohort(studies, class_ratio, dialect, seed, tuple(sorted(b_values)), conspicuity)
    settings = {
        "studies": studies,
        "class_ratio": class_ratio,
        "dialect": dialect,
        "seed": seed,
        "b_values": sorted(b_values),
        "conspicuity": conspicuity,
        "version": __version__,
    }
    out = output_folder(out)
    _claim(out, settings, plans)
    scratch = out / UNFINISHED
    shutil.rmtree(scratch, ignore_errors=True)
    _write_all(out, plans, scratch, min(processes or os.cpu_count() or 1, studies))
    write_csv(out / "labels.csv", ("study", "label"), ({"study": plan.name, "label": plan.label} for plan in plans))
    shutil.rmtree(scratch, ignore_errors=True)


def plan_cohort(
    studies: int, class_ratio: str, dialect: str, seed: int, b_values: tuple[int, ...], conspicuity: float
) -> list[StudyPlan]:
    """Labels shuffled by the seed: floor(studies / (1 + ratio)) positives, but at least one of each class.

    Example:
        >>> sum(plan.label for plan in plan_cohort(9, "1:2", "siemens", 0, (100, 600, 1000), 1.0))
        3
    """
    positives = math.floor(studies / (1 + parse_class_ratio(class_ratio)) + 1e-9)
    positives = min(max(positives, 1), studies - 1)
    labels = np.arange(studies) < positives
    order = np.random.default_rng([seed, 0]).permutation(studies)
    return [
        StudyPlan(index, int(label), dialect, seed, b_values, conspicuity)
        for index, label in enumerate(labels[order], start=1)
    ]


def _check(
    studies: int, dialect: str, seed: int, b_values: Sequence[int], conspicuity: float, processes: int | None
) -> None:
    if studies < 2:
        raise UsageError(f"{studies} studies: a cohort needs at least 2, one of each class")
    if dialect not in DIALECTS:
        raise UsageError(f"there is no dialect {dialect!r}; choose one of {', '.join(DIALECTS)}")
    if seed < 0:
        raise UsageError(f"seed {seed}: give a whole number from 0")
    if len(set(b_values)) < 2 or len(set(b_values)) != len(b_values):
        raise UsageError(f"b-values {list(b_values)}: give at least two, all different")
    if any(b != int(b) or not 0 <= b <= 5000 for b in b_values):
        raise UsageError(f"b-values {list(b_values)}: give whole numbers from 0 to 5000 s/mm2")
    if not 0 <= conspicuity < math.inf:
        raise UsageError(f"conspicuity {conspicuity}: give a finite number from 0; 1 is the default")
    if processes is not None and processes < 1:
        raise UsageError(f"{processes} processes: give at least 1")


def _claim(out: Path, settings: dict[str, Any], plans: Sequence[StudyPlan]) -> None:
    """Record the settings first, so that an interrupted cohort can be told from somebody else's folder."""
    record = out / GROUND_TRUTH
    if record.is_file():
        try:
            found = json.loads(record.read_text(encoding="utf-8"))["settings"]
        except (ValueError, KeyError, TypeError, OSError):
            found = None
        if found != settings:
            raise UsageError(f"{out} holds a cohort of other settings; choose a new folder or delete it")
        return
    if any(out.iterdir()):
        raise UsageError(f"{out} is not empty and holds no phantom cohort; choose a new folder")
    truth = {"settings": settings, "coordinates": "LPS, mm", "studies": [ground_truth(plan) for plan in plans]}
    write_json(record, truth)


def _write_all(out: Path, plans: Sequence[StudyPlan], scratch: Path, processes: int) -> None:
    todo = [(out / "studies" / plan.name, plan) for plan in plans]
    todo = [(folder, plan) for folder, plan in todo if not folder.exists()]
    if processes == 1 or len(todo) < 2:
        for folder, plan in todo:
            write_study(folder, plan, scratch=scratch)
        return
    context = multiprocessing.get_context("spawn")  # forked threads of numpy or torch could hang
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        futures = [pool.submit(write_study, folder, plan, scratch=scratch) for folder, plan in todo]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
