"""Evaluations on disk: `predictions.csv` and, beside it, the record of what was trained and tested."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prostate_alm.errors import NoInputError, UsageError
from prostate_alm.files import write_json
from prostate_alm.report.comparison.training import Trained
from prostate_alm.report.predictions import ArmScores, Prediction, by_arm

RECORD = "evaluation.json"
VERSION = 1


@dataclass(frozen=True)
class Evaluation:
    """One folder that `evaluate` wrote.

    Args:
        folder: where it stands.
        trained: what was trained.
        tested: class ratio of the test cases, or `natural`.
        arms: scores of each arm, on the same cases.
        notice: a warning that every table repeats, or empty.
    """

    folder: Path
    trained: Trained
    tested: str
    arms: Mapping[str, ArmScores]
    notice: str

    @property
    def group(self) -> tuple[str, str]:
        """What its figures may stand beside: ratio of training and ratio of the test cases."""
        return self.trained.ratio, self.tested

    @property
    def scores(self) -> ArmScores:
        """Those of the first arm: for the cases, which all arms share."""
        return next(iter(self.arms.values()))


def write_record(folder: Path, facts: Mapping[str, Any], *, tested: str, notice: str, model: Mapping[str, str]) -> Path:
    """Write `evaluation.json` beside `predictions.csv`, so that evaluations can be compared.

    Args:
        folder: of the evaluation.
        facts: what the model says of its training; empty if it says nothing.
        tested: class ratio that the test cases were thinned to, or `natural`.
        notice: a warning that tables repeat, or empty.
        model: name, version and hash.
    """
    content = {"record_version": VERSION, "model": dict(model), "training": dict(facts), "tested": tested}
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
    evaluations = sorted(found.values(), key=lambda one: (one.trained.order[0], one.tested, *one.trained.order[1:]))
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
        return Evaluation(folder, trained, record["tested"], by_arm(_predictions(folder)), record["notice"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error, UsageError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise NoInputError(f"evaluation {folder} cannot be read ({reason}); evaluate again") from error


def _predictions(folder: Path) -> list[Prediction]:
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
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


def _refuse_misfits(evaluations: Sequence[Evaluation]) -> None:
    first: dict[tuple[str, str], Evaluation] = {}
    rows: dict[tuple[str, str, str], Evaluation] = {}
    for one in evaluations:
        other = first.setdefault(one.group, one)
        ours, theirs = one.scores, other.scores
        if ours.case_ids != theirs.case_ids or ours.labels.tolist() != theirs.labels.tolist():
            raise UsageError(
                f"{other.folder} and {one.folder} are of different test cases: evaluate both on the same cohort"
            )
        twin = rows.setdefault((*one.group, one.trained.loss), one)
        if twin is not one:
            raise UsageError(
                f"{twin.folder} and {one.folder} are of the same loss ({one.trained.loss}) and class ratio "
                f"({one.trained.ratio}): give one of them"
            )
