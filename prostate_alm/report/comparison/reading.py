"""Evaluations on disk: `predictions.csv`, `metrics.json` and the record of what was trained and tested."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from prostate_alm.errors import NoInputError, UsageError
from prostate_alm.figures import Figure
from prostate_alm.files import write_json
from prostate_alm.metrics.inputs import checked
from prostate_alm.report.comparison.training import Trained
from prostate_alm.report.predictions import METRICS, PREDICTIONS, ArmScores, Prediction, by_arm

RECORD = "evaluation.json"
VERSION = 1


@dataclass(frozen=True)
class Evaluation:
    """One folder that `evaluate` wrote.

    Args:
        folder: where it stands.
        trained: what was trained.
        tested: class ratio of the test cases, or `natural`.
        cohort: SHA-256 of the test cases, labels and voxels; None if the record does not say.
        arms: scores of each arm, on the same cases.
        locked: arm -> its figures at a threshold that was fixed beforehand; none for most.
        notice: a warning that every table repeats, or empty.
    """

    folder: Path
    trained: Trained
    tested: str
    cohort: str | None
    arms: Mapping[str, ArmScores]
    locked: Mapping[str, Sequence[Figure]]
    notice: str

    @property
    def group(self) -> tuple[str, str]:
        """What its figures may stand beside: ratio of training and ratio of the test cases."""
        return self.trained.ratio, self.tested

    @property
    def scores(self) -> ArmScores:
        """Those of the first arm: for the cases, which all arms share."""
        return next(iter(self.arms.values()))


def discard_record(folder: Path) -> None:
    """Remove `evaluation.json`, before other predictions are written beside it."""
    (folder / RECORD).unlink(missing_ok=True)


def write_record(
    folder: Path, facts: Mapping[str, Any], *, cohort: str, tested: str, notice: str, model: Mapping[str, str]
) -> Path:
    """Write `evaluation.json`, last of all, beside `predictions.csv`, so that evaluations can be compared.

    Args:
        folder: of the evaluation.
        facts: what the model says of its training; empty if it says nothing.
        cohort: SHA-256 of the test cases, labels and voxels.
        tested: class ratio that the test cases were thinned to, or `natural`.
        notice: a warning that tables repeat, or empty.
        model: name, version and hash.
    """
    content = {"record_version": VERSION, "model": dict(model), "training": dict(facts), "tested": tested}
    content["cohort_sha256"] = cohort
    return write_json(folder / RECORD, content | {"notice": notice})


def read_evaluations(folders: Sequence[Path]) -> list[Evaluation]:
    """All evaluations in folders and below them, in the order of the tables.

    Raises:
        NoInputError: if a folder holds none, or one cannot be read; names it.
        UsageError: if two are of the same row, or two that stand side by side are of different test cases.
    """
    found: dict[Path, Evaluation] = {}
    for folder in folders:
        paths = sorted(Path(folder).rglob(RECORD))
        if not paths:
            raise NoInputError(f"{folder} holds no evaluation with its {RECORD}; make one with 'prostate-alm evaluate'")
        for path in paths:
            found.setdefault(path.parent.resolve(), _read(path.parent))
    evaluations = sorted(found.values(), key=_place)
    _refuse_misfits(evaluations)
    return evaluations


def _read(folder: Path) -> Evaluation:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        facts = record["training"]
        if record["record_version"] != VERSION:
            raise ValueError(f"version {record['record_version']}, expected {VERSION}")
        trained = Trained(
            facts.get("class_ratio"),
            str(facts.get("loss", record["model"].get("name", "unknown"))),
            int(facts.get("members", 0)),
            dict(facts.get("hyperparameters", {})),
            dict(facts.get("validation_auc", {})),
        )
        arms = by_arm(_predictions(folder))
        for scores in arms.values():
            checked(scores.logits, scores.labels)
        return Evaluation(
            folder, trained, record["tested"], record.get("cohort_sha256"), arms, _locked(folder), record["notice"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error, UsageError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise NoInputError(f"evaluation {folder} cannot be read ({reason}); evaluate again") from error


def _predictions(folder: Path) -> list[Prediction]:
    with (folder / PREDICTIONS).open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        members = [name for name in table.fieldnames or () if name.startswith("member_")]
        return [
            Prediction(
                row["case_id"],
                int(row["label"]),
                row["arm"],
                float(row["logit"]),
                tuple(float(row[name]) for name in members),
            )
            for row in table
        ]


def _locked(folder: Path) -> dict[str, list[Figure]]:
    found: dict[str, list[Figure]] = {}
    for row in json.loads((folder / METRICS).read_text(encoding="utf-8")):
        if row["kind"] == "locked" and "part" not in row:  # an arm's own figures, not those of a subgroup
            told: dict[str, Any] = {field.name: row[field.name] for field in fields(Figure)}
            told["interval"] = None if row["interval"] is None else tuple(row["interval"])
            found.setdefault(row["arm"], []).append(Figure(**told))
    return found


def _place(one: Evaluation) -> tuple[Any, ...]:
    """In the tables: a whole group, as Holm takes it, after the other; in it the losses as in the paper."""
    negatives, *loss = one.trained.order
    return negatives, *one.group, *loss


def _refuse_misfits(evaluations: Sequence[Evaluation]) -> None:
    first: dict[tuple[str, str], Evaluation] = {}
    rows: dict[tuple[str, str, str], Evaluation] = {}
    for one in evaluations:
        other = first.setdefault(one.group, one)
        ours, theirs = one.scores, other.scores
        same_cases = ours.case_ids == theirs.case_ids and ours.labels.tolist() == theirs.labels.tolist()
        if not same_cases or one.cohort != other.cohort:
            raise UsageError(
                f"{other.folder} and {one.folder} are of different test cases: evaluate both on the same cohort"
            )
        twin = rows.setdefault((*one.group, one.trained.loss), one)
        if twin is not one:
            raise UsageError(
                f"{twin.folder} and {one.folder} are of the same loss ({one.trained.loss}) and class ratio "
                f"({one.trained.ratio}): give one of them"
            )
