"""The comparison as tables in the paper's form. Figures are in percent, as the paper prints them."""

import statistics
from collections.abc import Sequence

from prostate_alm.figures import Figure
from prostate_alm.metrics import PairedTest
from prostate_alm.render.grid import Grid
from prostate_alm.report.comparison.compare import AGAINST, ArmFigures, Comparison, Gain
from prostate_alm.report.comparison.reading import Evaluation
from prostate_alm.report.comparison.training import CONSTRAINT, OWN, Trained

HOW = {"base": "alone", "continued": "continued", "alm": "with ALM", "aucm": "AUCM"}
"""Arm -> how the loss was trained, in the words of the tables."""
LOCKED = ("sensitivity", "FPR", "FN rate")
DIGITS = {"AUC": 2, "FPR@0FN": 1, "FPR@1FN": 1} | dict.fromkeys(LOCKED, 1)


def comparison_grids(comparison: Comparison) -> list[Grid]:
    """Table 1, locked thresholds, the gains of ALM, the rows won, Table 3 and Table 7; what has no row is left out."""
    trained = [one.trained for one in comparison.evaluations]
    grids = [
        _table1(comparison.arms),
        _locked(comparison.arms),
        _gains(comparison),
        _won(comparison),
        _table3(comparison.arms),
        hyperparameter_grid(trained),
    ]
    return [grid for grid in grids if grid.rows]


def hyperparameter_grid(trained: Sequence[Trained]) -> Grid:
    """Table 7: the hyper-parameters of every row, and the mean validation AUC that they reached.

    Args:
        trained: in the order of the table.
    """
    rows = [(one, arm) for ratio in _ratios(trained) for arm in HOW for one in trained if one.ratio == ratio]
    rows = [(one, arm) for one, arm in rows if arm in one.validation_aucs]
    names = [("margin m", [""]), ("gamma", [""]), ("weight c", [""]), ("beta", [""]), ("mu(0)", [""]), ("rho", [""])]
    groups = [*names, ("delta", [""]), ("validation AUC, mean", [""])]
    note = (
        "The values in force. A search chooses them by the mean validation AUC over the members, ties to the first of "
        "the grid; no test case takes part. N is the class ratio of the training cases. MBAUC is never constrained. "
        "Validation AUC in percent: checkpoints are chosen by it, so it promises too much."
    )
    return Grid(
        "Table 7: hyper-parameters",
        note,
        ["ratio", "training", "loss"],
        groups,
        [([one.ratio, HOW[arm], one.loss.upper()], _choices(one, arm)) for one, arm in rows],
    )


def _choices(one: Trained, arm: str) -> list[str]:
    names = [*OWN, *(CONSTRAINT if arm == "alm" else ())]
    told = [_short(one.hyperparameters[name]) if name in one.hyperparameters else "" for name in names]
    told += [""] * (len(OWN) + len(CONSTRAINT) - len(names))
    return [*told, f"{100 * statistics.fmean(one.validation_aucs[arm]):.2f}"]


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _table1(arms: Sequence[ArmFigures]) -> Grid:
    groups = [("AUC", ["%", "95% interval"])]
    groups += [(f"{name} (oracle)", ["%", "95% interval"]) for name in ("FPR@0FN", "FPR@1FN")]
    rows = [
        (_heads(one), [cell for figure in one.figures for cell in _cells(figure)]) for one in _in_paper_s_order(arms)
    ]
    note = (
        "AUC: DeLong, logit-scale interval; degenerate where the variance is 0, as at an AUC of 1, which does not make "
        "it certain. FPR@kFN, oracle: the threshold is read off the same test cases, so that k of the n1 positives are "
        "missed; Clopper-Pearson on the n0 negatives, conditional on the threshold. It depends on n1: never compare it "
        "between ratios or cohorts."
    )
    if not any(one.evaluation.locked for one in arms):
        note += " No locked threshold came with any row: nothing here says how one fixed on other cases would do."
    return Grid("Table 1: test figures", note, ["ratio", "training", "loss"], groups, rows)


def _locked(arms: Sequence[ArmFigures]) -> Grid:
    rows = []
    for one in _in_paper_s_order(arms):
        told = {figure.name: figure for figure in one.evaluation.locked.get(one.arm, ())}
        if told:
            rows.append((_heads(one), [cell for name in LOCKED for cell in _cells(told[name])]))
    note = (
        "Locked: the threshold was fixed beforehand, on other cases. In percent; Clopper-Pearson, for the FN rate the "
        "exact one-sided 95% upper bound."
    )
    groups = [(f"{name} (locked)", ["%", "95% interval"]) for name in LOCKED]
    return Grid("At the locked threshold", note, ["ratio", "training", "loss"], groups, rows)


def _table3(arms: Sequence[ArmFigures]) -> Grid:
    rows = []
    for one in _in_paper_s_order(arms):
        if one.member_aucs is not None:
            found = one.member_aucs
            values = (one.figures[0].value, found.mean, found.standard_deviation)
            rows.append((_heads(one), [*(_percent(value, 2) for value in values), str(len(found.values))]))
    groups = [("ensemble AUC", [""]), ("members' AUC", ["mean", "sd"]), ("members", [""])]
    note = "In percent, on the test cases. The ensemble's logit is the mean of its members' logits."
    return Grid("Table 3: ensemble and members", note, ["ratio", "training", "loss"], groups, rows)


def _gains(comparison: Comparison) -> Grid:
    lines: dict[tuple[str, str, str], list[str]] = {}
    for name, gains in comparison.gains.items():
        for gain in gains:
            line = lines.setdefault((_ratio(gain.evaluation), gain.evaluation.trained.loss.upper(), gain.against), [])
            line += _difference(gain.test, gain.adjusted, DIGITS[name], interval=name == "AUC")
    groups = [("AUC", ["points", "95% interval", "p", "p (Holm)"])]
    groups += [(f"{name} (oracle)", ["points", "p", "p (Holm)"]) for name in ("FPR@0FN", "FPR@1FN")]
    note = (
        "ALM minus the other arm on the same cases, in percentage points: above 0 is better for AUC, below 0 for a "
        "false-positive rate. AUC: paired DeLong. FPR: paired permutation of midranks; it has no interval. Holm: in "
        "each figure, all losses of a ratio, against base and against continued, are one family."
    )
    return Grid("Gain of ALM", note, ["ratio", "loss", "against"], groups, [(list(k), v) for k, v in lines.items()])


def _won(comparison: Comparison) -> Grid:
    ratios = dict.fromkeys(_ratio(one) for one in comparison.evaluations)
    rows = []
    for ratio in ratios:
        for name, gains in comparison.gains.items():
            ours = [gain for gain in gains if _ratio(gain.evaluation) == ratio]
            if ours:
                rows.append(([ratio, name], [_tally(ours, against) for against in AGAINST]))
    note = "Losses for which ALM is better, of those compared; a tie is not won."
    return Grid("Rows won by ALM", note, ["ratio", "figure"], [("over", list(AGAINST))], rows)


def _tally(gains: Sequence[Gain], against: str) -> str:
    told = [gain.better for gain in gains if gain.against == against and gain.better is not None]
    return f"{sum(told)} of {len(told)}"


def _in_paper_s_order(arms: Sequence[ArmFigures]) -> list[ArmFigures]:
    """For each ratio all losses alone, then continued, then with ALM; other arms last."""
    ratios = list(dict.fromkeys(_ratio(one.evaluation) for one in arms))
    order = list(dict.fromkeys([*HOW, *(one.arm for one in arms)]))
    return sorted(arms, key=lambda one: (ratios.index(_ratio(one.evaluation)), order.index(one.arm)))


def _heads(one: ArmFigures) -> list[str]:
    return [_ratio(one.evaluation), HOW.get(one.arm, one.arm), one.evaluation.trained.loss.upper()]


def _ratio(one: Evaluation) -> str:
    """The ratio with the test cases that its figures rest on."""
    positives = int(one.scores.labels.sum())
    tested = "" if one.tested == one.trained.ratio else f", tested at {one.tested}"
    return f"{one.trained.ratio}{tested} (n1 = {positives}, n0 = {len(one.scores.labels) - positives})"


def _ratios(trained: Sequence[Trained]) -> list[str]:
    return list(dict.fromkeys(one.ratio for one in trained))


def _cells(figure: Figure) -> list[str]:
    digits = DIGITS[figure.name]
    return [_percent(figure.value, digits), _interval(figure, digits)]


def _difference(test: PairedTest, adjusted: PairedTest, digits: int, *, interval: bool) -> list[str]:
    difference = test.difference
    return [
        _percent(difference.value, digits, "+"),
        *([_interval(difference, digits, "+")] if interval else []),
        _p(test.p_value),
        _p(adjusted.p_value),
    ]


def _interval(figure: Figure, digits: int, sign: str = "") -> str:
    if figure.interval is None:
        return "" if figure.value is None else "none"
    low, high = figure.interval
    return "degenerate" if low == high else f"{_percent(low, digits, sign)} to {_percent(high, digits, sign)}"


def _percent(value: float | None, digits: int, sign: str = "") -> str:
    return "undefined" if value is None else f"{100 * value + 0.0:{sign}.{digits}f}"


def _p(value: float | None) -> str:
    return "undefined" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"
