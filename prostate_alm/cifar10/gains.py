"""What an arm gains over base and over continued, figure by figure, in percentage points; positive is better.

The gain in an AUC is its rise, the gain in a false-positive rate its fall. Each comparison is on the same test cases.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from prostate_alm.cifar10.measures import (
    AVERAGED,
    TITLES,
    Arm,
    Measured,
    table_spec,
    written,
)
from prostate_alm.cifar10.published import paper_figures
from prostate_alm.errors import UsageError
from prostate_alm.metrics import PairedTest, holm, paired_delong
from prostate_alm.render.grid import Grid

COMPARED = ("alm", "aucm")
AGAINST = ("base", "continued")
AREAS = ("auc", "ensemble_auc")  # of these DeLong tests the difference
_NOT_COMPARED = ("std_auc",)  # a spread is neither better nor worse
_ARM_TITLES = {"alm": "ALM", "aucm": "AUCM"}


@dataclass(frozen=True)
class Gain:
    """The gain of one arm over another in one figure.

    Args:
        class_ratio: as in `"1:9"`.
        loss: as the paper names it.
        arm: alm or aucm.
        against: base or continued.
        figure: a key of `TITLES`.
        paper: the paper's gain in points, ALM over base; None where it has none.
        ours: our gain in points; None where it is undefined.
        low: lower end of DeLong's 95% interval in points; an AUC on the test set has one.
        high: upper end.
        sd20: standard deviation of the paired gain over the draws of test positives, where the gain is their mean.
        p: paired DeLong, two-sided; an AUC on the test set has one.
        p_holm: adjusted for all tests of the table, against base and against continued alike.
    """

    class_ratio: str
    loss: str
    arm: str
    against: str
    figure: str
    paper: float | None
    ours: float | None
    low: float | None = None
    high: float | None = None
    sd20: float | None = None
    p: float | None = None
    p_holm: float | None = None

    @property
    def won(self) -> bool:
        """Whether the arm is better; a tie is not won."""
        return self.ours is not None and self.ours > 0


GAIN_COLUMNS = tuple(field.name for field in fields(Gain))


def gains_of(arms: Sequence[Arm], table: int) -> list[Gain]:
    """Gains of ALM, and of AUCM, over base and over continued, for every pair among `arms`.

    Args:
        arms: as `measured` gives them for this table.
        table: 2, 4, 5 or 6.

    Returns:
        gains in the paper's order of ratios and losses; none if no two arms can be compared.

    Raises:
        UsageError: if two arms were tested on other cases.

    Reference:
        DeLong, DeLong & Clarke-Pearson 1988 (paired test); Holm 1979 (the tests of one table are one family).
    """
    pairs = list(_pairs(arms))
    tests = [_delong(arm, other, table) for arm, other in pairs]
    paper = paper_gains(table)
    found = []
    for (arm, other), test, adjusted in zip(pairs, tests, holm(tests), strict=True):
        ratio, loss, name = arm.name
        for figure in arm.figures:
            if figure in _NOT_COMPARED:
                continue
            beside = paper.get((ratio, loss, figure)) if (name, other.name[2]) == ("alm", "base") else None
            gain = gain_between(figure, arm.figures[figure], other.figures[figure])
            row = Gain(ratio, loss, name, other.name[2], figure, beside, gain.value, sd20=gain.sd)
            found.append(_with_test(row, test, adjusted) if figure in AREAS else row)
    return found


def gain_between(figure: str, better: Measured, other: Measured) -> Measured:
    """How much better one arm is, in points, draw by draw where there are draws; a millionth of a point is no gain.

    Example:
        >>> gain_between("fpr_at_tpr95", Measured(20.0), Measured(30.0)).value
        10.0
        >>> gain_between("auc", Measured(90.0), Measured(91.0)).value
        -1.0
    """
    sign = 1 if "auc" in figure else -1
    draws = tuple(_difference(sign, one, two) for one, two in zip(better.draws, other.draws, strict=True))
    if not draws:
        return Measured(_difference(sign, better.value, other.value))
    defined = [gain for gain in draws if gain is not None]
    if len(defined) < len(draws):  # the mean of the others would speak for a chosen few
        return Measured(None, None, draws)
    deviation = statistics.stdev(defined) if len(defined) > 1 else None
    return Measured(_rounded(statistics.fmean(defined)), _rounded(deviation), draws)


def paper_gains(table: int) -> dict[tuple[str, str, str], float]:
    """(class ratio, loss, figure) -> the paper's gain of ALM over base in points.

    Example:
        >>> paper_gains(2)["1:2", "BCE", "fpr_at_tpr100"]
        2.9
    """
    paper = paper_figures(table)
    found = {}
    for (ratio, loss, arm, figure), value in paper.items():
        if arm == "alm" and figure not in _NOT_COMPARED:
            base = Measured(paper[ratio, loss, "base", figure])
            gain = gain_between(figure, Measured(value), base).value
            found |= {} if gain is None else {(ratio, loss, figure): gain}
    averaged = {(*key[:2], AVERAGED): gain for key, gain in found.items() if key[2] == "fpr_at_tpr100"}
    return found | averaged


def gain_grid(gains: Sequence[Gain], table: int = 2) -> Grid:
    """One line for each comparison: gains, DeLong's interval and p of the AUC, the paper's gain beside.

    Args:
        gains: of `gains_of`, for this table.
        table: 2, 4, 5 or 6.
    """
    figures = list(dict.fromkeys(gain.figure for gain in gains))
    lines: dict[tuple[str, str, str], list[str]] = {}
    for gain in gains:
        over = f"{_ARM_TITLES[gain.arm]} over {gain.against}"
        lines.setdefault((gain.class_ratio, gain.loss, over), []).extend(_cells(gain))
    groups = [(TITLES[figure], _columns(figure)) for figure in figures]
    tests = sum(gain.p is not None for gain in gains)
    title = f"Table {table}, gains: {table_spec(table).title}"
    return Grid(title, _note(figures, tests), ["ratio", "loss", "comparison"], groups, list(lines.items()))


def written_p(p: float | None) -> str:
    """A p-value with three decimals; None is empty.

    Example:
        >>> written_p(0.0004), written_p(0.0321)
        ('< 0.001', '0.032')
    """
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _pairs(arms: Sequence[Arm]) -> Iterator[tuple[Arm, Arm]]:
    named = {arm.name: arm for arm in arms}
    for arm in arms:
        ratio, loss, name = arm.name
        for against in AGAINST if name in COMPARED else ():
            if (ratio, loss, against) in named:
                yield arm, named[ratio, loss, against]


def _delong(arm: Arm, other: Arm, table: int) -> PairedTest:
    one, two = arm.result, other.result
    if one.seed != two.seed or not np.array_equal(one.test_case_ids, two.test_case_ids):
        raise UsageError(
            f"{' '.join(arm.name)} and {' '.join(other.name)} were tested on other cases; keep one run in one folder"
        )
    cases = table_spec(table).cases
    (logits, labels), (other_logits, _) = cases(one), cases(two)
    return paired_delong(logits, other_logits, labels)


def _with_test(gain: Gain, test: PairedTest, adjusted: PairedTest) -> Gain:
    low, high = test.difference.interval or (None, None)
    points = [None if end is None else _rounded(100 * end) for end in (low, high)]
    return replace(gain, low=points[0], high=points[1], p=test.p_value, p_holm=adjusted.p_value)


def _difference(sign: int, one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else _rounded(sign * (one - two))


def _rounded(value: float | None) -> float | None:
    """Without the last digits of floating point, so that equal figures differ by 0."""
    return None if value is None else round(value, 6) + 0.0


def _columns(figure: str) -> list[str]:
    if figure in AREAS:
        return ["paper", "ours", "95% interval", "p", "p (Holm)"]
    return ["ours"] if figure == AVERAGED else ["paper", "ours"]


def _cells(gain: Gain) -> list[str]:
    ours = written(gain.ours, gain.figure, "+")
    if gain.figure == AVERAGED:
        return [ours if gain.sd20 is None else f"{ours} ± {gain.sd20:.1f}"]
    cells = [written(gain.paper, gain.figure, "+"), ours]
    if gain.figure in AREAS:
        ends = [written(end, gain.figure, "+") for end in (gain.low, gain.high)]
        cells += [" to ".join(ends) if all(ends) else "", written_p(gain.p), written_p(gain.p_holm)]
    return cells


def _note(figures: Sequence[str], tests: int) -> str:
    rates = any("fpr" in figure for figure in figures)
    parts = [
        "In percentage points, positive is better: the rise of an AUC" + rates * ", the fall of a false-positive rate"
    ]
    parts.append("Interval and p of the AUC: paired DeLong, over the test cases of one training")
    family = f"all {tests} tests of this table are one family, against base and against continued alike, AUCM's too"
    parts.append(f"Holm: {family}" + ("; they are those of Table 2" if "ensemble_auc" in figures else ""))
    if AVERAGED in figures:
        parts.append(
            "± is the standard deviation of the paired gain over draws of test positives from the same 1,000, with the "
            "same weights: training again is not in it"
        )
    parts.append("The paper has no continued arm: its gain is ALM over base")
    return ". ".join(parts) + "."
