"""What is computed for a report: each figure is that of the metrics room, of the right kind, on the right cases."""

import numpy as np
import pytest
from report.evaluations import THRESHOLD, clinical_study, evaluated, grouped, three_arms

from prostate_alm.metrics import (
    at_prevalence,
    at_threshold,
    by_subgroup,
    calibration,
    net_benefit,
    net_benefit_at,
    paired_delong,
    paired_permutation,
    recalibrated,
)
from prostate_alm.report import CaseFacts, by_arm, figure_rows, report_of, write_report
from prostate_alm.report.build import CURVE, LISTED, MISSED, SHOWN, arm_pairs
from prostate_alm.report.comparison import read_evaluations, write_record


@pytest.fixture(scope="module")
def arms():
    return by_arm(three_arms())


def test_every_arm_is_tested_against_those_before_it_and_adjusted_once_per_figure(arms):
    pairs = report_of(evaluated()).pairs
    named = [("continued", "base"), ("alm", "base"), ("alm", "continued")]
    assert [(pair.arm, pair.against) for pair in pairs] == named
    for figure, test in (("auc", paired_delong), ("fpr_at_0fn", paired_permutation)):
        raw = [test(arms[one].logits, arms[other].logits, arms[one].labels) for one, other in named]
        ranked = sorted(result.p_value for result in raw)
        by_hand = np.maximum.accumulate([min(1.0, (3 - place) * p) for place, p in enumerate(ranked)])
        adjusted = dict(zip(ranked, by_hand, strict=True))
        for pair, result in zip(pairs, raw, strict=True):
            found = getattr(pair, figure)
            assert found.difference == result.difference
            assert found.p_value == pytest.approx(adjusted[result.p_value])
            assert found.adjustment == "Holm, 3 tests"


def test_one_arm_has_nothing_to_be_tested_against():
    assert report_of(evaluated(clinical_study())).pairs == ()
    assert arm_pairs([]) == ()


def test_the_operating_point_is_the_locked_threshold_and_its_figures(arms):
    point = report_of(evaluated(threshold=THRESHOLD)).operating
    table = at_threshold(arms["alm"].logits, arms["alm"].labels, 0.0)
    assert (point.threshold, point.kind, point.table) == (0.0, "locked", table)
    assert point.at_prevalence == at_prevalence(table, 12 / 32)
    assert (len(point.errors.missed), len(point.errors.needless)) == (table.fn, table.fp)


def test_without_a_locked_threshold_every_figure_is_marked_as_read_off(arms):
    point = report_of(evaluated()).operating
    assert point.threshold == arms["alm"].logits[arms["alm"].labels == 1].min()
    assert point.kind == "oracle"
    table = at_threshold(arms["alm"].logits, arms["alm"].labels, point.threshold)
    plain = (*table.figures, *at_prevalence(table, 12 / 32).figures)
    for found, figure in zip((*point.table.figures, *point.at_prevalence.figures), plain, strict=True):
        assert found.kind == "oracle"
        assert (
            found.method == f"threshold read off the same cases, which the interval does not allow for; {figure.method}"
        )
        assert (found.name, found.value, found.interval) == (figure.name, figure.value, figure.interval)
    assert point.errors.missed == ()


@pytest.mark.parametrize(("threshold", "kind"), [(THRESHOLD, "locked"), (None, "oracle")])
def test_subgroups_are_of_the_operating_point(arms, threshold, kind):
    cases = grouped(three_arms(), Vendor=["A", "B", None], Site=[None])
    report = report_of(evaluated(cases=cases, threshold=threshold))
    assert [grouping.name for grouping in report.groupings] == ["Vendor"]  # nothing is known of any site
    values = [cases[case_id].groups["Vendor"] for case_id in arms["alm"].case_ids]
    groups = by_subgroup(arms["alm"].logits, arms["alm"].labels, values, report.operating.threshold)
    for found, group in zip(report.groupings[0].groups, groups, strict=True):
        assert (found.name, found.n1, found.n0, found.reason) == (group.name, group.n1, group.n0, group.reason)
        if group.figures:
            assert [figure.value for figure in found.figures.figures] == [f.value for f in group.figures.figures]
            assert {figure.kind for figure in found.figures.figures} == {kind}
    assert "unknown" in [group.name for group in groups]


def numbers(figures):
    return [(figure.name, figure.value, figure.interval) for figure in figures]


@pytest.mark.parametrize(("threshold", "kind"), [(THRESHOLD, "locked"), (None, "oracle")])
def test_probabilities_are_recalibrated_from_training_to_test(arms, threshold, kind):
    report = report_of(evaluated(training_prevalence=0.1, threshold=threshold))
    logits, labels = arms["alm"].logits, arms["alm"].labels
    shifted = recalibrated(logits, calibrated_prevalence=0.1, prevalence=12 / 32)
    for found, scores in ((report.raw_calibration, logits), (report.calibration, shifted)):
        assert numbers(found.figures) == numbers(calibration(scores, labels).figures)
        assert {figure.kind for figure in found.figures} == {"oracle"}  # no threshold of other cases is in it
    assert [point.threshold_probability for point in report.decision_curve] == list(CURVE)
    for point in report.decision_curve[::6]:
        rates = {"threshold_probability": point.threshold_probability, "prevalence": 12 / 32}
        at_point = net_benefit_at(report.operating.table, **rates)
        assert numbers(point.benefit.figures) == numbers(at_point.figures)
        assert {figure.kind for figure in point.benefit.figures} == {kind}
        anew = net_benefit(logits, labels, calibrated_prevalence=0.1, **rates)
        assert numbers(point.anew.figures) == numbers(anew.figures)
        assert point.anew.model.kind == "oracle"
        assert point.anew.model.method.startswith("cut-off set by pt; prevalence of the test cases; ")


def test_the_listed_weights_are_points_of_the_curve():
    curve = report_of(evaluated()).decision_curve
    assert tuple(point.threshold_probability for point in curve if point.listed) == LISTED
    assert {0.01, 0.02} < set(LISTED)


def test_without_the_training_s_prevalence_only_the_threshold_has_a_net_benefit():
    report = report_of(evaluated())
    assert report.calibration is None
    assert {point.anew for point in report.decision_curve} == {None}
    assert all(point.benefit.model.value is not None for point in report.decision_curve)


def test_a_locked_threshold_that_harms_at_a_low_weight_shows_it():
    """Sensitivity 0.9, specificity 0.95, prevalence 1/3: by hand, contrast for all is better below pt = 5%."""
    logits, labels = np.repeat([1.0, -1.0, -1.0, 1.0], [27, 3, 57, 3]), np.repeat([1, 1, 0, 0], [27, 3, 57, 3])
    rows = [(f"c{i:02}", int(labels[i]), "alm", float(logits[i])) for i in range(90)]
    curve = report_of(evaluated(rows, threshold=THRESHOLD, training_prevalence=1 / 3)).decision_curve
    saved = {point.threshold_probability: point.benefit.net_scans_avoided.value for point in curve}
    assert saved[0.01] == pytest.approx(100 * (2 / 3 * 0.95 - 1 / 3 * 0.1 * 99))
    assert saved[0.02] == pytest.approx(-100)
    assert saved[0.05] == pytest.approx(0)
    assert saved[0.1] > 0


def test_the_missed_are_shown_worst_first_then_the_needless_nearest_the_threshold():
    report = report_of(evaluated(clinical_study(20, 44), threshold=THRESHOLD))
    missed, needless = report.operating.errors.missed, report.operating.errors.needless
    assert len(missed) > MISSED
    assert len(needless) > SHOWN
    shown = [(case.case_id, case.logit) for case in report.shown]
    assert shown == [*missed[:MISSED], *needless[: -SHOWN - 1 : -1]]
    assert {case.role for case in report.shown if case.label} == {"missed"}


def test_where_nobody_is_missed_the_lowest_positives_are_shown(arms):
    report = report_of(evaluated())
    lowest = [case.logit for case in report.shown if case.role == "lowest positive"]
    assert lowest == sorted(arms["alm"].logits[arms["alm"].labels == 1].tolist())[:SHOWN]


def test_pictures_are_of_the_cases_volumes_and_a_broken_volume_leaves_its_case_without(tmp_path):
    from tiny import make_cohort

    cohort = make_cohort(tmp_path / "cohort", [1, 0, 0])
    images = {case.case_id: {n: cohort.folder / path for n, path in case.images.items()} for case in cohort.cases}
    images["c01"]["t2w"].write_bytes(b"not a volume")
    rows = [("c00", 1, "alm", 0.0), ("c01", 0, "alm", 1.0), ("c02", 0, "alm", 2.0)]
    cases = {case_id: CaseFacts(images=paths) for case_id, paths in images.items()}
    shown = report_of(evaluated(rows, cases=cases, pictured=True)).shown
    assert [(case.case_id, len(case.pictures)) for case in shown] == [("c00", 2), ("c01", 0), ("c02", 2)]
    assert shown[0].pictures[0].png.startswith(b"\x89PNG")
    assert [case.lacking for case in shown] == ["", "unreadable", ""]
    unasked = report_of(evaluated(rows, cases=cases)).shown
    assert not any(case.pictures for case in unasked)
    assert {case.lacking for case in unasked} == {"not asked"}
    assert {case.lacking for case in report_of(evaluated(rows, pictured=True)).shown} == {"not given"}


def test_figure_rows_name_arm_kind_and_part():
    cases = grouped(three_arms(), Vendor=["A", "A", "A", "B"])
    rows = figure_rows(report_of(evaluated(threshold=THRESHOLD, cases=cases, training_prevalence=0.3)))
    own = [(row["name"], row["kind"]) for row in rows if row["arm"] == "alm" and "part" not in row]
    assert own == [
        ("AUC", "oracle"),
        ("FPR@0FN", "oracle"),
        ("FPR@1FN", "oracle"),
        ("sensitivity", "locked"),
        ("specificity", "locked"),
        ("FPR", "locked"),
        ("FN rate", "locked"),
    ]
    counts = {part: sum(row.get("part") == part for row in rows) for part in {row.get("part") for row in rows}}
    assert counts == {
        None: 3 + 3 + 7,
        "pairs": 6,
        "oracle point": 4,
        "at prevalence": 4 * 6,
        "calibration": 6,
        "decision curve": 3 * len(CURVE),
        "decision curve, cut-off anew": 2 * len(CURVE),
        "subgroups": 4 + 1,
    }
    assert all({"name", "value", "interval", "confidence", "n1", "n0", "kind", "method"} <= set(row) for row in rows)
    suppressed = [row for row in rows if row["name"] == "suppressed"]
    assert [(row["group"], row["method"]) for row in suppressed] == [("B", "suppressed: 3 positives, 5 needed")]


def test_without_a_locked_threshold_no_row_is_locked():
    rows = figure_rows(report_of(evaluated(training_prevalence=0.3)))
    assert {row["kind"] for row in rows} == {"oracle"}
    assert sum(row.get("part") == "operating point" for row in rows) == 4


def test_a_comparison_reads_the_arms_own_locked_figures_alone(tmp_path):
    cases = grouped(three_arms(), Vendor=["A", "B"])
    given = evaluated(threshold=THRESHOLD, cases=cases, training_prevalence=0.3)
    report = write_report(tmp_path, given)
    write_record(tmp_path, {}, cohort="c", tested="natural", notice="", model={"name": "m"})
    (found,) = read_evaluations([tmp_path])
    assert found.locked == {"alm": list(report.main.locked.figures)}
