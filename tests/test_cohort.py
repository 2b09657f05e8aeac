"""Manifest, splits by patient and the class ratio."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from prostate_alm.cohort import (
    Case,
    Cohort,
    load_data,
    load_split,
    parse_class_ratio,
    split_cases,
    thin_positives,
)
from prostate_alm.errors import NoInputError, UsageError


def cases_of(labels: Sequence[int | None], patients: list[int] | None = None) -> list[Case]:
    patients = patients or list(range(len(labels)))
    return [
        Case(f"c{index:03d}", f"p{patient:03d}", label, {"t2w": f"volumes/c{index}/t2w.nii.gz"})
        for index, (label, patient) in enumerate(zip(labels, patients, strict=True))
    ]


def cohort_at(folder: Path, labels: Sequence[int | None]) -> Cohort:
    cohort = Cohort(folder, tuple(cases_of(labels)))
    for case in cohort.cases:
        (folder / case.images["t2w"]).parent.mkdir(parents=True)
        (folder / case.images["t2w"]).touch()
    cohort.save()
    return cohort


# the manifest


def test_a_manifest_comes_back_in_order_of_the_ids(tmp_path: Path) -> None:
    cases = [
        replace(case, scanner={"vendor": "V", "field_strength_t": 1.5}, harmonised=True)
        for case in cases_of([1, 0, None])
    ]
    Cohort(tmp_path, tuple(reversed(cases))).save()
    assert Cohort.load(str(tmp_path)) == Cohort(tmp_path, tuple(cases))


def test_the_data_list_has_absolute_paths_and_labels_where_known(tmp_path: Path) -> None:
    rows = cohort_at(tmp_path, [1, None]).data()
    assert rows == load_data(str(tmp_path))
    assert rows[0] == {"t2w": str(tmp_path.resolve() / "volumes/c0/t2w.nii.gz"), "label": 1.0, "case_id": "c000"}
    assert "label" not in rows[1]


def test_a_missing_volume_is_one_clear_error(tmp_path: Path) -> None:
    cohort = cohort_at(tmp_path, [1, 0])
    (tmp_path / "volumes/c1/t2w.nii.gz").unlink()
    with pytest.raises(NoInputError, match=r"volumes/c1/t2w\.nii\.gz is missing; run 'prostate-alm prepare' again"):
        cohort.data()
    assert len(cohort.data(cohort.cases[:1])) == 1


def test_a_folder_without_manifest_is_no_cohort(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match=r"no manifest\.json; make one"):
        Cohort.load(tmp_path)


CASE: dict[str, Any] = {"case_id": "c", "patient_id": "p", "label": 1, "images": {}}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"manifest_version": 99, "cases": []}),
        json.dumps({"manifest_version": 1}),
        json.dumps({"manifest_version": 1, "cases": [{"case_id": "a"}]}),
        json.dumps({"manifest_version": 1, "cases": [CASE | {"surprise": 1}]}),
        json.dumps({"manifest_version": 1, "cases": [CASE, CASE]}),
        json.dumps({"manifest_version": 1, "cases": [CASE | {"label": 2}]}),
    ],
)
def test_a_manifest_that_cannot_be_used_is_one_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(NoInputError, match=r"cannot be read .*run 'prostate-alm prepare' again"):
        Cohort.load(tmp_path)


# splits


@st.composite
def cohorts(draw: st.DrawFn) -> list[Case]:
    rows = draw(st.lists(st.tuples(st.sampled_from([0, 1]), st.integers(0, 20)), min_size=4, max_size=40))
    return cases_of([label for label, _ in rows], [patient for _, patient in rows])


@given(cases=cohorts(), member=st.integers(0, 3), seed=st.integers(0, 3), fraction=st.floats(0.05, 0.95))
def test_splits_keep_patients_whole_and_both_classes_on_both_sides(
    cases: list[Case], member: int, seed: int, fraction: float
) -> None:
    critical = {case.patient_id for case in cases if case.label == 1}
    classes = [critical, {case.patient_id for case in cases} - critical]
    assume(min(map(len, classes)) >= 2)
    split = split_cases(cases, member=member, seed=seed, validation_fraction=fraction)
    sides = [{case.patient_id for case in side} for side in (split.training, split.validation)]
    assert not sides[0] & sides[1]
    assert sorted((*split.training, *split.validation), key=lambda case: case.case_id) == cases
    for side in (split.training, split.validation):
        assert {case.label for case in side} == {0, 1}
    for patients in classes:
        wanted = min(len(patients) - 1, max(1, round(fraction * len(patients))))
        assert len(patients & sides[1]) == wanted


def test_a_split_is_a_function_of_seed_and_member_not_of_order() -> None:
    cases = cases_of([0, 1] * 20)
    chosen = {
        (seed, member): frozenset(case.case_id for case in split_cases(cases, member=member, seed=seed).validation)
        for seed in range(3)
        for member in range(3)
    }
    again = split_cases(cases[::-1], member=1, seed=2).validation
    assert {case.case_id for case in again} == chosen[2, 1]
    assert len(set(chosen.values())) == 9
    assert {len(ids) for ids in chosen.values()} == {8}


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 0, 0, 1], "1 patients have label 1"), ([1, 1], "0 patients have label 0"), ([0, 0, 1, 1, None], "no label")],
)
def test_what_cannot_be_split_is_refused(labels: list[int | None], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        split_cases(cases_of(labels), member=0, seed=0)


# the class ratio


@pytest.mark.parametrize(("text", "ratio"), [("1:8", 8.0), ("1:2", 2.0), ("2:1", 0.5), (" 1 : 2.5 ", 2.5)])
def test_class_ratios_are_negatives_per_positive(text: str, ratio: float) -> None:
    assert parse_class_ratio(text) == ratio


@pytest.mark.parametrize("text", ["", "8", "1:8:2", "a:b", "1/8", "0:8", "1:0", "-1:8", "1:inf", "nan:1"])
def test_what_is_no_class_ratio_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="class ratio"):
        parse_class_ratio(text)


@given(positives=st.integers(1, 60), negatives=st.integers(1, 120), left=st.integers(1, 30), right=st.integers(1, 60))
def test_thinning_keeps_every_negative_and_the_whole_part_of_the_positives(
    positives: int, negatives: int, left: int, right: int
) -> None:
    cases, wanted = cases_of([1] * positives + [0] * negatives), math.floor(Fraction(negatives * left, right))
    ratio = parse_class_ratio(f"{left}:{right}")
    if not 1 <= wanted <= positives:
        with pytest.raises(UsageError, match=f"wants {wanted} positives"):
            thin_positives(cases, ratio, seed=0)
        return
    kept = thin_positives(cases, ratio, seed=0)
    assert sum(case.label == 1 for case in kept) == wanted
    assert [case for case in kept if case.label == 0] == cases[positives:]
    assert {case.case_id for case in thin_positives(cases[::-1], ratio, seed=0)} == {case.case_id for case in kept}


def test_thinning_draws_by_seed() -> None:
    cases = cases_of([1] * 20 + [0] * 40)
    kept = [{case.case_id for case in thin_positives(cases, 8.0, seed=seed)} for seed in range(3)]
    assert kept[0] != kept[1] != kept[2]


def test_load_split_thins_and_splits(tmp_path: Path) -> None:
    cohort = cohort_at(tmp_path, [1] * 10 + [0] * 16)
    data = load_split(str(tmp_path), member=0, seed=0, class_ratio="1:4", validation_fraction=0.25)
    counts = {side: [sum(row["label"] == label for row in rows) for label in (0, 1)] for side, rows in data.items()}
    assert counts == {"training": [12, 3], "validation": [4, 1]}
    whole = load_split(str(tmp_path), member=0, seed=0)
    assert len(whole["training"]) + len(whole["validation"]) == len(cohort.cases)
