"""Which evaluations stand side by side, and which are refused."""

import json
from pathlib import Path

import pytest
from report.comparison_folders import GOOD, LABELS, POOR, evaluation

from prostate_alm.errors import NoInputError, UsageError
from prostate_alm.losses import BASE_LOSSES
from prostate_alm.report.comparison import read_evaluations
from prostate_alm.report.comparison.training import LOSSES, Trained


def test_the_losses_are_those_of_training() -> None:
    assert tuple(BASE_LOSSES) == LOSSES


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "a", "s-ml", class_ratio="1:2", notice="synthetic")
    (found,) = read_evaluations([tmp_path])
    assert found.folder == folder
    assert found.trained == Trained(
        "1:2",
        "s-ml",
        2,
        {"margin": 0.5, "mu": 0.2, "rho": 3.0, "delta": 1.5},
        {arm: [0.7, 0.8] for arm in ("base", "continued", "alm")},
    )
    assert (found.tested, found.notice) == ("1:2", "synthetic")
    assert list(found.arms) == ["base", "continued", "alm"]
    assert found.arms["alm"].logits.tolist() == list(GOOD)
    assert found.arms["base"].members.tolist() == [list(POOR), [-logit for logit in POOR]]
    assert found.scores.labels.tolist() == list(LABELS)


def test_the_order_is_the_paper_s_whatever_was_given_first(tmp_path: Path) -> None:
    rows = [("mbauc", "1:8"), ("bce", "1:10"), ("bce", "1:8"), ("msfe", None), ("a-fl", None), ("other", None)]
    for place, (loss, ratio) in enumerate(rows):
        evaluation(tmp_path / f"{place}" / "deep", loss, class_ratio=ratio)
    found = read_evaluations([tmp_path / f"{place}" for place in range(len(rows))])
    assert [(one.trained.loss, one.trained.class_ratio) for one in found] == [
        ("a-fl", None), ("msfe", None), ("other", None), ("bce", "1:8"), ("mbauc", "1:8"), ("bce", "1:10"),
    ]  # fmt: skip


def test_a_folder_given_twice_counts_once(tmp_path: Path) -> None:
    evaluation(tmp_path / "a")
    assert len(read_evaluations([tmp_path, tmp_path / "a"])) == 1


def test_other_test_cases_are_refused_and_named(tmp_path: Path) -> None:
    evaluation(tmp_path / "a", "bce")
    evaluation(tmp_path / "b", "msfe", {"base": POOR[:5]}, labels=LABELS[:5])
    with pytest.raises(UsageError, match=r"/a and .*/b are of different test cases"):
        read_evaluations([tmp_path])


def test_other_labels_are_other_test_cases(tmp_path: Path) -> None:
    evaluation(tmp_path / "a", "bce")
    evaluation(tmp_path / "b", "msfe", labels=(0, 1, 1, 0, 0, 0))
    with pytest.raises(UsageError, match="different test cases"):
        read_evaluations([tmp_path])


def test_the_same_cases_with_other_voxels_are_other_test_cases(tmp_path: Path) -> None:
    evaluation(tmp_path / "a", "bce")
    evaluation(tmp_path / "b", "msfe", cohort="harmonised")
    with pytest.raises(UsageError, match="different test cases"):
        read_evaluations([tmp_path])


def test_ratios_of_one_size_do_not_mix(tmp_path: Path) -> None:
    """1:8 and 2:16 stand in the same place, but each is a table and a family of its own."""
    for loss in ("bce", "msfe"):
        for ratio in ("1:8", "2:16"):
            evaluation(tmp_path / loss / ratio, loss, class_ratio=ratio)
    groups = [one.group[0] for one in read_evaluations([tmp_path])]
    assert groups == ["1:8", "1:8", "2:16", "2:16"]


def test_each_ratio_has_test_cases_of_its_own(tmp_path: Path) -> None:
    evaluation(tmp_path / "a", "bce")
    evaluation(tmp_path / "b", "bce", {"base": POOR[1:]}, labels=LABELS[1:], class_ratio="1:4")
    evaluation(tmp_path / "c", "bce", class_ratio="1:4", tested="natural")
    assert [one.group for one in read_evaluations([tmp_path])] == [
        ("natural", "natural"), ("1:4", "1:4"), ("1:4", "natural"),
    ]  # fmt: skip


def test_one_row_twice_is_refused(tmp_path: Path) -> None:
    evaluation(tmp_path / "a", "bce")
    evaluation(tmp_path / "b", "bce")
    with pytest.raises(UsageError, match=r"/a and .*/b are of the same loss \(bce\) and class ratio \(natural\)"):
        read_evaluations([tmp_path])


def test_a_folder_without_an_evaluation_is_refused(tmp_path: Path) -> None:
    evaluation(tmp_path / "a")
    (tmp_path / "b").mkdir()
    for folder in (tmp_path / "b", tmp_path / "absent"):
        with pytest.raises(NoInputError, match=rf"{folder.name} holds no evaluation"):
            read_evaluations([tmp_path / "a", folder])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "evaluation.json").write_text("{"),
        lambda folder: (folder / "evaluation.json").write_text("[]"),
        lambda folder: (folder / "predictions.csv").unlink(),
        lambda folder: (folder / "metrics.json").unlink(),
        lambda folder: (folder / "metrics.json").write_text('[{"kind": "locked", "arm": "alm"}]'),
        lambda folder: (folder / "predictions.csv").write_text("case_id,label,arm,logit\nc0,1,base,high\n"),
        lambda folder: (folder / "predictions.csv").write_text("case_id,label,arm,logit\nc0,1,base,nan\n"),
        lambda folder: (folder / "predictions.csv").write_text("case_id,label,arm,logit\nc0,2,base,0.5\n"),
        lambda folder: (folder / "predictions.csv").write_text("case_id,label\nc0,1\n"),
        lambda folder: (folder / "predictions.csv").write_text("case_id,label,arm,logit\n"),
    ],
)
def test_a_damaged_evaluation_is_named(damage, tmp_path: Path) -> None:
    damage(evaluation(tmp_path / "a"))
    with pytest.raises(NoInputError, match=r"evaluation .*/a cannot be read"):
        read_evaluations([tmp_path])


def test_a_record_of_another_version_is_refused(tmp_path: Path) -> None:
    path = evaluation(tmp_path / "a") / "evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"record_version": 2}))
    with pytest.raises(NoInputError, match="version 2, expected 1"):
        read_evaluations([tmp_path])
