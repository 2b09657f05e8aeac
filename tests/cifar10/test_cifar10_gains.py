"""Gains against small cases worked out by hand, and the paper's own gains."""

import statistics

import numpy as np
import pytest
from cifar10.ensembles import drawn, ensemble, table_gains

from prostate_alm.cifar10.gains import gain_between, gain_grid, paper_gains
from prostate_alm.cifar10.measures import Measured
from prostate_alm.errors import UsageError
from prostate_alm.metrics import fpr_at_tpr, paired_delong

NEGATIVES = [0.0, 1.0, 2.0, 3.0]


def named(gains):
    return {(gain.arm, gain.against, gain.figure): gain for gain in gains}


def test_gains_on_the_balanced_test_set_are_those_worked_out_by_hand():
    # base: positives 0.5 and 3.5 beat 1 and 4 of 4 negatives, ALM's 2.5 and 3.5 beat 3 and 4; at full sensitivity
    # 3 of 4 negatives are false positives for base and 1 of 4 for ALM
    base, alm = ensemble("base", [0.5, 3.5], NEGATIVES), ensemble("alm", [2.5, 3.5], NEGATIVES)
    gains = named(table_gains([alm, base], 6))
    assert gains["alm", "base", "auc"].ours == 100 * (7 / 8 - 5 / 8)
    assert gains["alm", "base", "fpr_at_tpr100"].ours == 100 * (3 / 4 - 1 / 4)
    assert gains["alm", "base", "fpr_at_tpr95"].ours == 50
    assert all(gain.won for gain in gains.values())
    assert {against for _, against, _ in gains} == {"base"}


def test_a_worse_arm_has_negative_gains_and_a_tie_is_not_won():
    base, alm = ensemble("base", [2.5, 3.5], NEGATIVES), ensemble("alm", [0.5, 3.5], NEGATIVES)
    worse = named(table_gains([base, alm], 6))
    assert worse["alm", "base", "auc"].ours == -25
    assert worse["alm", "base", "fpr_at_tpr100"].ours == -50
    same = named(table_gains([base, ensemble("alm", [12.5, 13.5], [10.0, 11.0, 12.0, 13.0])], 6))
    assert {gain.ours for gain in same.values()} == {0}
    assert not any(gain.won for gain in same.values())
    assert same["alm", "base", "auc"].p == 1


def test_rounding_of_floating_point_is_no_gain():
    assert gain_between("auc", Measured(0.1 + 0.2), Measured(0.3)).value == 0
    three, sum_of_three = Measured(0, draws=(0.1, 0.2, 0.0)), Measured(0, draws=(0.0, 0.0, 0.3))
    assert gain_between("fpr_at_tpr100_mean20", three, sum_of_three).value == 0
    assert gain_between("auc", Measured(None), Measured(0.3)).value is None


def test_the_gain_over_draws_is_paired_and_so_is_its_deviation():
    base, alm = drawn("base"), drawn("alm")
    gain = named(table_gains([base, alm], 2))["alm", "base", "fpr_at_tpr100_mean20"]
    each = [
        100 * (fpr_at_tpr(*base.thinned(draw), 1.0).value - fpr_at_tpr(*alm.thinned(draw), 1.0).value)
        for draw in range(20)
    ]
    assert len(set(each)) > 2
    assert gain.ours == pytest.approx(statistics.fmean(each), abs=1e-6)
    assert gain.sd20 == pytest.approx(statistics.stdev(each), abs=1e-6)
    assert gain.p is None


def test_one_table_is_one_family_of_tests():
    arms = [drawn(arm, loss) for loss in ("BCE", "MSFE") for arm in ("base", "continued", "alm")]
    arms.append(drawn("aucm"))
    gains = [gain for gain in table_gains(arms, 2) if gain.p is not None]
    assert len(gains) == 6  # two losses against two arms, and AUCM against two
    assert {gain.figure for gain in gains} == {"auc"}
    adjusted, floor = {}, 0.0
    for rank, gain in enumerate(sorted(gains, key=lambda gain: gain.p)):
        floor = max(floor, min(1.0, (6 - rank) * gain.p))
        adjusted[gain] = floor
    assert [gain.p_holm for gain in gains] == pytest.approx([adjusted[gain] for gain in gains])
    assert "all 6 tests of this table" in gain_grid(table_gains(arms, 2), 2).note


@pytest.mark.parametrize(("table", "figure"), [(2, "auc"), (4, "ensemble_auc"), (6, "auc")])
def test_delong_is_of_the_tables_own_test_set(table, figure):
    base, alm = drawn("base", ratio="1:9"), drawn("alm", ratio="1:9")
    gain = named(table_gains([base, alm], table))["alm", "base", figure]
    if table == 6:
        test = paired_delong(alm.test_logits, base.test_logits, base.test_labels)
    else:
        test = paired_delong(alm.thinned()[0], base.thinned()[0], base.thinned()[1])
        assert test.difference.n1 == 4
    assert (gain.p, gain.p_holm) == (test.p_value, test.p_value)
    assert gain.low == pytest.approx(100 * test.difference.interval[0], abs=1e-6)
    assert gain.high == pytest.approx(100 * test.difference.interval[1], abs=1e-6)


def test_members_mean_auc_has_a_gain_and_their_spread_has_none():
    arms = [ensemble("base", [2.5, 3.5], NEGATIVES, member_aucs=(0.8, 0.9)),
            ensemble("alm", [2.5, 3.5], NEGATIVES, member_aucs=(0.9, 0.94))]  # fmt: skip
    gains = named(table_gains(arms, 4))
    assert gains["alm", "base", "mean_auc"].ours == pytest.approx(7)
    assert ("alm", "base", "std_auc") not in gains


def test_what_is_missing_is_passed_over():
    assert table_gains([], 2) == []
    assert table_gains([drawn("alm"), drawn("base", "MSFE"), drawn("base", ratio="1:9")], 2) == []
    only = table_gains([drawn("alm"), drawn("continued")], 2)
    assert {(gain.arm, gain.against) for gain in only} == {("alm", "continued")}
    assert {gain.paper for gain in only} == {None}


def test_arms_tested_on_other_cases_are_not_compared():
    other = ensemble("alm", [2.5, 3.5], [0.0, 1.0, 2.0])
    with pytest.raises(UsageError, match="1:2 BCE alm and 1:2 BCE base were tested on other cases"):
        table_gains([ensemble("base", [0.5, 3.5], NEGATIVES), other], 6)
    with pytest.raises(UsageError, match="other cases"):
        table_gains([drawn("base"), drawn("alm", seed=1)], 2)


def test_the_papers_gains_are_over_base_alone_and_stand_beside_ours():
    gains = named(table_gains([drawn(arm) for arm in ("base", "continued", "alm", "aucm")], 2))
    assert gains["alm", "base", "auc"].paper == 0.74
    assert gains["alm", "base", "fpr_at_tpr100"].paper == 2.9
    assert {gain.paper for (arm, against, _), gain in gains.items() if (arm, against) != ("alm", "base")} == {None}


@pytest.mark.parametrize(
    ("table", "won"),
    [
        (2, {"auc": 24, "fpr_at_tpr100": 24, "fpr_at_tpr95": 18, "fpr_at_tpr90": 22}),
        (4, {"ensemble_auc": 24, "mean_auc": 20}),
        (5, {"auc": 23, "fpr_at_tpr100": 21, "fpr_at_tpr95": 22, "fpr_at_tpr90": 21}),
        (6, {"auc": 24, "fpr_at_tpr100": 16, "fpr_at_tpr95": 23, "fpr_at_tpr90": 23}),
    ],
)
def test_the_paper_wins_as_many_rows_as_it_claims(table, won):
    gains = paper_gains(table)
    for figure, count in won.items():
        values = [gain for (_, _, name), gain in gains.items() if name == figure]
        assert len(values) == 24
        assert sum(value > 0 for value in values) == count


def test_the_papers_mean_gains_are_those_it_is_held_against():
    gains = paper_gains(2)
    means = [
        np.mean([gain for (r, _, figure), gain in gains.items() if (r, figure) == (ratio, "fpr_at_tpr100")])
        for ratio in ("1:2", "1:9", "1:19")
    ]
    assert [round(float(mean), 1) for mean in means] == [5.2, 10.1, 9.4]


def test_the_grid_has_a_line_for_each_comparison():
    grid = gain_grid(table_gains([drawn(arm) for arm in ("base", "continued", "alm", "aucm")], 2), 2)
    assert [heads[2] for heads, _ in grid.rows] == [
        "ALM over base", "ALM over continued", "AUCM over base", "AUCM over continued",
    ]  # fmt: skip
    heads, cells = grid.rows[0]
    assert (list(heads[:2]), cells[0]) == (["1:2", "BCE"], "+0.74")
    assert " to " in cells[2]
    assert "±" in cells[7]
