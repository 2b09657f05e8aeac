"""The few lines of a table, from figures that are made up."""

from dataclasses import replace

import pytest
from cifar10.ensembles import arm_of

from prostate_alm.cifar10.gains import Gain, gains_of
from prostate_alm.cifar10.hyperparameters import Choice
from prostate_alm.cifar10.measures import Measured
from prostate_alm.cifar10.published import paper_arms, paper_figures
from prostate_alm.cifar10.summary import Tally, choice_lines, summarise
from prostate_alm.cifar10.tables import rows_of

FIGURES = ("auc", "fpr_at_tpr100", "fpr_at_tpr95", "fpr_at_tpr90")


def of(arms, table=6, gains=None):
    return summarise(table, arms, rows_of(arms, table), gains_of(arms, table) if gains is None else gains)


def papers_own(table=6):
    """Arms with exactly the paper's figures."""
    paper = paper_figures(table)
    return [
        arm_of(name, **{figure: Measured(paper[*name, figure]) for figure in FIGURES}) for name in paper_arms(table)
    ]


def test_the_papers_figures_win_as_the_paper_does_and_reach_it_everywhere():
    summary = of(papers_own())
    for tallies in summary.won.values():
        assert tallies["base"] == tallies["paper"]
        assert tallies["continued"] == Tally(0, 0)
    assert summary.reached == Tally(51, 51)
    assert summary.short == {}
    assert summary.means["auc"]["base"] == pytest.approx(summary.means["auc"]["paper"])
    assert summary.means["auc"]["continued"] == {"1:2": None, "1:9": None, "1:19": None}
    assert (summary.rows, summary.arms) == (Tally(51, 51), Tally(51, 81))
    assert summary.shortfall() == "AUC at or above the paper's in 51/51 rows"


def test_rates_stand_beside_the_papers_as_printed():
    summary = of(papers_own())
    assert {level.reached for level in summary.levels.values()} == {Tally(51, 51)}
    arms = papers_own()
    rate = arms[0].figures["fpr_at_tpr100"].value
    for place, more in ((0, 5.0), (1, 0.04), (2, -3.0)):  # of 1:2; 0.04 is not seen in print
        own = arms[place].figures
        arms[place] = replace(
            arms[place], figures={**own, "fpr_at_tpr100": Measured(own["fpr_at_tpr100"].value + more)}
        )
    level = of(arms).levels["fpr_at_tpr100"]
    assert rate is not None
    assert level.reached == Tally(50, 51)
    assert level.above["1:2"] == pytest.approx((5.0 + 0.04 - 3.0) / 17)
    assert level.above["1:9"] == 0
    assert (
        "FPR@100%TPR at or below the paper's in 50/51 rows; ours minus the paper's at 1:2 / 1:9 / 1:19, points: "
        "+0.1 / +0.0 / +0.0"
    ) in of(arms).lines()
    assert of([arm_of(("1:2", "BCE", "continued"), fpr_at_tpr100=Measured(9.0))]).levels == {}


def test_a_row_below_the_paper_is_named_with_its_distance():
    arms = papers_own()
    arms[0] = replace(arms[0], figures={**arms[0].figures, "auc": Measured(94.0)})
    arms[9] = replace(arms[9], figures={**arms[9].figures, "auc": Measured(95.526)})  # 95.53 as the paper prints it
    summary = of(arms)
    assert summary.reached == Tally(50, 51)
    assert summary.short == {("1:2", "BCE", "base"): 0.82}
    assert summary.shortfall().endswith("in 50/51 rows; short by (points) at 1:2 BCE base 0.82")


def test_a_tie_counts_as_not_won_and_partial_results_as_partial():
    names = [("1:9", "BCE", arm) for arm in ("base", "continued", "alm")]
    values = {"base": 20.0, "continued": 18.0, "alm": 18.0}
    arms = [arm_of(n, auc=Measured(90.0), fpr_at_tpr100=Measured(values[n[2]])) for n in names]
    summary = of(arms)
    assert summary.won["auc"] == {"base": Tally(0, 1), "continued": Tally(0, 1), "paper": Tally(1, 1)}
    assert summary.won["fpr_at_tpr100"]["base"] == Tally(1, 1)
    assert summary.won["fpr_at_tpr100"]["continued"] == Tally(0, 1)
    assert summary.means["fpr_at_tpr100"]["base"] == {"1:2": None, "1:9": 2.0, "1:19": None}
    # of the paper the same row alone: its Table 6 has BCE at 1:9 with and without ALM
    paper = paper_figures(6)
    rise = paper["1:9", "BCE", "alm", "auc"] - paper["1:9", "BCE", "base", "auc"]
    assert summary.means["auc"]["paper"] == {"1:2": None, "1:9": pytest.approx(rise), "1:19": None}
    lines = summary.lines()
    assert lines[0] == (
        "3 of 81 arms are there, 2 of the paper's 51 rows; "
        "the run is not finished (rows with ALM: 0/8 at 1:2, 1/8 at 1:9, 0/8 at 1:19)"
    )
    assert lines[1] == "AUC: ours 0/1 over base, 0/1 over continued; paper 1/1"
    assert "Mean gain in FPR@100%TPR at 1:2 / 1:9 / 1:19, points: ours over base - / +2.0 / -" in "\n".join(lines)


def test_alm_without_its_base_is_no_row_of_the_paper_either():
    summary = of([arm_of(("1:9", "BCE", arm), auc=Measured(90.0)) for arm in ("continued", "alm")])
    assert summary.won["auc"] == {"base": Tally(0, 0), "continued": Tally(0, 1), "paper": Tally(0, 0)}
    assert summary.means["auc"]["paper"]["1:9"] is None


def test_only_alm_counts_and_only_clear_differences_are_clear():
    def gain(arm, against, ours, p):
        return Gain("1:2", "BCE", arm, against, "auc", None, ours, p=p, p_holm=p)

    gains = [gain("alm", "base", 1.0, 0.04), gain("alm", "continued", -1.0, 0.01), gain("aucm", "base", 1.0, 0.001)]
    summary = of(papers_own(), gains=gains)
    assert (summary.better, summary.worse, summary.tests) == (1, 1, 2)
    assert summary.won["auc"]["base"] == Tally(1, 1)


def test_ensembles_above_their_members_are_counted():
    arms = [
        arm_of(("1:2", "BCE", "base"), ensemble_auc=Measured(95.0), mean_auc=Measured(92.0), std_auc=Measured(1.0)),
        arm_of(("1:2", "BCE", "alm"), ensemble_auc=Measured(95.0), mean_auc=Measured(95.0), std_auc=Measured(1.0)),
    ]
    others = [  # arms that the paper lacks
        arm_of(("1:2", "BCE", arm), ensemble_auc=Measured(95.0), mean_auc=Measured(92.0), std_auc=Measured(1.0))
        for arm in ("continued", "aucm")
    ]
    summary = of([*arms, *others], table=4)
    assert summary.ensembled == (Tally(1, 2), Tally(2, 2))
    assert "Ensemble above its members' mean AUC: ours 1/2, paper 2/2" in summary.lines()


def test_choices_that_one_of_the_two_lacks_are_not_counted():
    rows = [
        Choice("1:2", "S-ML", "margin", "0.1", "0.1"),
        Choice("1:2", "S-FL", "gamma", "5", "4"),
        Choice("1:2", "S-ML", "mu", "0.3", ""),
    ]
    assert choice_lines(rows) == ["Our search chose as the paper did: own parameter 1/2, mu(0) 0/0, rho 0/0, delta 0/0"]
