"""Checklists: every item of the sources is there, filled in from the report alone, and the rest is a named blank."""

import re
from dataclasses import replace

import numpy as np
import pytest

from prostate_alm.operating_point import Threshold
from prostate_alm.report.build import report_of
from prostate_alm.report.checklist import _sources, checklists
from prostate_alm.report.content import CaseFacts, Evaluated
from prostate_alm.report.facts import facts_of
from prostate_alm.report.flow import Flow

THRESHOLD = Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256="a" * 64, cohort_sha256="b" * 64)
SUBDIVIDED = {"15": "abcd", "16": "abc", "17": "ab", "26": "ab", "40": "ab"}


def clinical_study():
    """The table of the clinical study: TP 34, FN 2, TN 44, FP 20 at threshold 0."""
    logits = np.repeat([1.0, -1.0, -1.0, 1.0], [34, 2, 44, 20]) + np.linspace(0, 0.5, 100)
    labels = np.repeat([1, 1, 0, 0], [34, 2, 44, 20])
    return [(f"case{i:03}", int(labels[i]), "alm", float(logits[i]), (float(logits[i]),)) for i in range(100)]


def everything():
    return Evaluated(
        clinical_study(),
        threshold=THRESHOLD,
        notice="demo weights",
        provenance={"Model": "m, version 1", "Model SHA-256": "a" * 64, "Cohort": "100 studies", "Software": "torch 2"},
        cases={f"case{i:03}": CaseFacts({"Vendor": "Siemens" if i % 2 else "GE"}) for i in range(100)},
        training={"loss": "bce", "members": 1, "hyperparameters": {"rho": 2.0}, "validation_auc": {"alm": [0.9]}},
        flow=Flow(120, (("no usable axial T2", 15),), 105, 0, 5, 36, 64, 99, 3),
    )


def item(evaluated, number, place=0):
    return next(one for one in checklists(report_of(evaluated))[place].items if one.number == number)


def test_every_item_of_the_sources_is_there_once():
    claim, stard = checklists(report_of(Evaluated(clinical_study())))
    assert [one.number for one in claim.items] == [str(number) for number in range(1, 45)]
    assert [one.number for one in stard.items] == [
        f"{number}{letter}" for number in range(1, 41) for letter in SUBDIVIDED.get(str(number), [""])
    ]


def test_every_fact_is_asked_for_and_known():
    rows = [row for source in _sources() for rows in source["sections"].values() for row in rows]
    asked = {row["fact"] for row in rows if "fact" in row}
    assert asked == set(facts_of(report_of(Evaluated(clinical_study()))))
    assert all("fact" in row or "authors" in row for row in rows)


@pytest.mark.parametrize("evaluated", [everything(), Evaluated(clinical_study())], ids=["everything", "scores alone"])
def test_an_item_is_filled_or_has_a_named_blank(evaluated):
    for checklist in checklists(report_of(evaluated)):
        for one in checklist.items:
            assert one.filled or one.blank
            assert one.status == ("blank" if not one.filled else "partly" if one.blank else "filled")
        counts = [checklist.count(status) for status in ("filled", "partly", "blank")]
        assert sum(counts) == len(checklist.items)
        assert list(map(int, re.findall(r"\d+", checklist.summary)))[:4] == [
            counts[0], len(checklist.items), counts[1], counts[2],
        ]  # fmt: skip


def test_what_software_cannot_know_is_never_filled():
    claim, stard = checklists(report_of(everything()))
    blank = {one.number for one in claim.items if one.status == "blank"}
    assert {"1", "2", "5", "14", "15", "16", "17", "18", "34", "44"} <= blank
    blank = {one.number for one in stard.items if one.status == "blank"}
    assert {"6", "8", "9", "10", "12", "16a", "16b", "17b", "27", "32", "36", "38", "39"} <= blank


def test_the_facts_of_the_report_stand_in_their_items():
    told = everything()
    assert "94.4%" in item(told, "38").filled
    assert "68.8%" in item(told, "38").filled
    assert "TP 34, FN 2, TN 44, FP 20" in item(told, "30", 1).filled
    assert (
        "120 studies read, 15 excluded, 105 ready, 100 analysed (36 positive, 64 negative)" in item(told, "35").filled
    )
    assert "no usable axial T2 (15)" in item(told, "8").filled
    assert THRESHOLD.promise in item(told, "15c", 1).filled
    assert item(told, "15c", 1).filled.startswith("Prespecified")
    assert "a" * 64 in item(told, "22").filled
    assert "loss bce" in item(told, "25").filled
    assert "0.900" in item(told, "26").filled
    assert "GE (50), Siemens (50)" in item(told, "13").filled
    assert "5 test positives" in item(told, "10").filled
    assert "demo weights" in item(told, "40").filled


@pytest.mark.parametrize(
    ("number", "place"), [("9", 0), ("19", 0), ("20", 0), ("22", 0), ("26", 0), ("35", 0), ("24", 1), ("13", 0)]
)
def test_a_report_that_does_not_know_leaves_the_item_to_the_authors(number, place):
    one = item(Evaluated(clinical_study()), number, place)
    assert one.filled is None
    assert one.blank


@pytest.mark.parametrize("missing", [{"flow": None}, {"provenance": {"Software": "torch 2"}}])
@pytest.mark.parametrize(("number", "place"), [("11", 0), ("12", 0), ("17a", 1)])
def test_facts_of_prepared_studies_need_a_model_and_a_flow(missing, number, place):
    assert item(everything(), number, place).filled
    assert item(replace(everything(), **missing), number, place).filled is None


def test_several_studies_of_a_patient_are_a_limit_of_intervals():
    for number in ("29", "40"):
        assert "intervals treat studies as independent and are too narrow" in item(everything(), number).filled


def test_a_broken_promise_is_told_beside_the_promise():
    rows = [(f"c{i}", int(i < 40), "alm", -1.0 if i % 2 else 1.0) for i in range(80)]
    broken = replace(everything(), predictions=rows)
    for number, place in (("15c", 1), ("40", 0)):
        assert "20 of 40 missed: these cases contradict the promise" in item(broken, number, place).filled


def test_an_oracle_threshold_is_exploratory():
    one = item(replace(everything(), threshold=None), "15c", 1)
    assert one.filled.startswith("Exploratory")
    assert "oracle" in one.filled
    assert "optimistic" in item(replace(everything(), threshold=None), "40").filled


def test_no_flow_without_a_qc_table():
    unknown = Flow(None, (), 100, 0, 0, 36, 64, 99, 0, ("The cohort folder has no qc.csv",))
    assert item(replace(everything(), flow=unknown), "35").status == "blank"


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_has_checklists_too(label):
    rows = [(f"c{i}", label, "alm", float(i)) for i in range(4)]
    claim, stard = checklists(report_of(Evaluated(rows)))
    assert "undefined" in next(one for one in claim.items if one.number == "38").filled
    assert next(one for one in stard.items if one.number == "28").filled is None
