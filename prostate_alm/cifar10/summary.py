"""The few lines that a table comes down to: rows won, mean gains, where we fall short of the paper."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prostate_alm.cifar10.gains import AGAINST, AREAS, Gain, paper_gains
from prostate_alm.cifar10.hyperparameters import OWN, Choice
from prostate_alm.cifar10.measures import AVERAGED, TITLES, Arm, table_spec, written
from prostate_alm.cifar10.protocol import CLASS_RATIOS
from prostate_alm.cifar10.published import paper_arms, paper_figures
from prostate_alm.cifar10.tables import Entry

PAPER = "paper"
LEVEL = 0.05
_SINGLE = "fpr_at_tpr100"
_RATIOS = " / ".join(CLASS_RATIOS)

PaperGains = Mapping[tuple[str, str, str], float]  # of `paper_gains`, for the rows that ours has


@dataclass(frozen=True)
class Tally:
    """How many of how many.

    Example:
        >>> str(Tally(23, 24))
        '23/24'
    """

    count: int
    of: int

    def __str__(self) -> str:
        return f"{self.count}/{self.of}"


@dataclass(frozen=True)
class Level:
    """How high a false-positive rate is beside the paper's, over the rows that both have.

    Args:
        reached: rows at or below the paper's, both as printed.
        above: ratio -> mean of ours minus the paper's, in points; None where there is no row.
    """

    reached: Tally
    above: Mapping[str, float | None]


@dataclass(frozen=True)
class Summary:
    """What one table says in short.

    Args:
        table: its number in the paper.
        title: what it measures.
        rows: of the paper's rows, those that ours has.
        arms: of all arms of the full run (base, continued, alm, aucm), those that are there.
        won: figure -> over base, over continued, paper -> rows that ALM wins, the paper's among the rows that ours
            has; a tie is not won.
        means: figure -> over base, over continued, paper -> ratio -> mean gain in points, over the same rows.
        counted: rows with ALM at each ratio, (ratio -> how many of how many).
        reached: rows whose AUC is at or above the paper's, both as printed.
        short: the other rows, as (ratio, loss, arm) -> by how many points.
        levels: figure -> how our false-positive rates stand beside the paper's.
        better: AUC differences of ALM that are positive with an adjusted p below 0.05.
        worse: those that are negative.
        tests: of how many.
        ensembled: of the paper's rows that ours has, those whose ensemble beats its members' mean AUC, ours and the
            paper's; None but for table 4.
    """

    table: int
    title: str
    rows: Tally
    arms: Tally
    won: Mapping[str, Mapping[str, Tally]]
    means: Mapping[str, Mapping[str, Mapping[str, float | None]]]
    counted: Mapping[str, Tally]
    reached: Tally
    short: Mapping[tuple[str, str, str], float]
    levels: Mapping[str, Level]
    better: int
    worse: int
    tests: int
    ensembled: tuple[Tally, Tally] | None

    @property
    def complete(self) -> bool:
        """Whether every arm of the full run is there."""
        return self.arms.count == self.arms.of

    def lines(self) -> list[str]:
        """The summary as sentences, the state of the run first."""
        state, *rest = self.notes()
        return [state, *self._won_lines(), *self._mean_lines(), *rest]

    def notes(self) -> list[str]:
        """How complete the table is, how sure its AUC differences are, and where ours falls short of the paper."""
        clear = f"{self.better} better, {self.worse} worse, of {self.tests}"
        text = [self._state(), f"AUC differences of ALM with p (Holm) < {LEVEL}: {clear}"]
        if self.ensembled:
            text.append(f"Ensemble above its members' mean AUC: ours {self.ensembled[0]}, paper {self.ensembled[1]}")
        return [*text, self.shortfall(), *self._level_lines()]

    def _level_lines(self) -> list[str]:
        text = []
        for figure, level in self.levels.items():
            single = " of one draw" if figure == AVERAGED else ""
            head = f"{TITLES[figure]} at or below the paper's{single} in {level.reached} rows"
            text.append(f"{head}; ours minus the paper's at {_RATIOS}, points: {_per_ratio(level.above, figure)}")
        return text

    def _state(self) -> str:
        arms, rows = self.arms, self.rows
        text = f"{arms.count} of {arms.of} arms are there, {rows.count} of the paper's {rows.of} rows"
        if self.complete:
            return text
        counted = ", ".join(f"{tally} at {ratio}" for ratio, tally in self.counted.items())
        return f"{text}; the run is not finished (rows with ALM: {counted})"

    def _won_lines(self) -> list[str]:
        text = []
        for figure, won in self.won.items():
            ours = ", ".join(f"{won[against]} over {against}" for against in AGAINST)
            text.append(f"{TITLES[figure]}: ours {ours}; paper {won[PAPER]}{_single(figure)}")
        return text

    def _mean_lines(self) -> list[str]:
        text = []
        for figure, means in self.means.items():
            ours = ", ".join(f"over {against} {_per_ratio(means[against], figure)}" for against in AGAINST)
            head = f"Mean gain in {TITLES[figure]} at {_RATIOS}, points"
            text.append(f"{head}: ours {ours}; paper {_per_ratio(means[PAPER], figure)}{_single(figure)}")
        return text

    def shortfall(self) -> str:
        """In how many rows our AUC is at or above the paper's, and by how many points the others fall short."""
        text = f"AUC at or above the paper's in {self.reached} rows"
        if self.ensembled:
            return f"{text}: the ensembles of Table 2"
        parts = []
        for ratio in dict.fromkeys(ratio for ratio, _, _ in self.short):
            rows = [f"{loss} {arm} {by:.2f}" for (r, loss, arm), by in self.short.items() if r == ratio]
            parts.append(f"at {ratio} {', '.join(rows)}")
        return f"{text}; short by (points) {'; '.join(parts)}" if parts else text


def summarise(table: int, arms: Sequence[Arm], rows: Sequence[Entry], gains: Sequence[Gain]) -> Summary:
    """A table in short.

    Args:
        table: 2, 4, 5 or 6.
        arms: what was measured.
        rows: of these arms.
        gains: of these arms.
    """
    present = {arm.name for arm in arms}
    wanted = paper_arms(table)
    gained = [gain for gain in gains if gain.arm == "alm"]
    beside = [row for row in rows if row.figure in AREAS and row.paper is not None and row.ours is not None]
    short = {
        (row.class_ratio, row.loss, row.arm): round(row.paper - row.ours, 2)
        for row in beside
        if row.paper is not None and row.ours is not None and row.ours < row.paper
    }
    compared = {(gain.class_ratio, gain.loss) for gain in gained if gain.against == "base"}
    paper = {key: gain for key, gain in paper_gains(table).items() if key[:2] in compared}
    tested = [gain for gain in gained if gain.p_holm is not None]
    clear = [gain for gain in tested if gain.p_holm is not None and gain.p_holm < LEVEL]
    return Summary(
        table=table,
        title=table_spec(table).title,
        rows=Tally(len(present & set(wanted)), len(wanted)),
        arms=_arms(present, wanted),
        won=_won(gained, table, paper),
        means=_means(gained, table, paper),
        counted=_counted(present, wanted),
        reached=Tally(len(beside) - len(short), len(beside)),
        short=short,
        levels=_levels(rows),
        better=sum(gain.won for gain in clear),
        worse=sum(not gain.won for gain in clear),
        tests=len(tested),
        ensembled=_ensembled(arms, table),
    )


def _levels(rows: Sequence[Entry]) -> dict[str, Level]:
    found = {}
    for figure in dict.fromkeys(row.figure for row in rows if "fpr" in row.figure):
        beside = [
            (row.class_ratio, row.ours, row.paper)
            for row in rows
            if row.figure == figure and row.ours is not None and row.paper is not None
        ]
        if beside:
            reached = sum(round(ours, 1) <= paper for _, ours, paper in beside)
            above = {ratio: _mean([ours - paper for r, ours, paper in beside if r == ratio]) for ratio in CLASS_RATIOS}
            found[figure] = Level(Tally(reached, len(beside)), above)
    return found


def choice_lines(rows: Sequence[Choice]) -> list[str]:
    """In how many rows the search chose as the paper did; a choice that one of them lacks is not counted."""
    text = []
    for title, names in {"own parameter": OWN, "mu(0)": ["mu"], "rho": ["rho"], "delta": ["delta"]}.items():
        both = [row for row in rows if row.name in names and row.paper and row.ours]
        text.append(f"{title} {Tally(sum(row.paper == row.ours for row in both), len(both))}")
    return [f"Our search chose as the paper did: {', '.join(text)}"]


def _arms(present: set[tuple[str, str, str]], wanted: Sequence[tuple[str, str, str]]) -> Tally:
    continued = [(ratio, loss, "continued") for ratio, loss, arm in wanted if arm == "base"]
    every = {*wanted, *continued, *((ratio, "BCE", "aucm") for ratio in CLASS_RATIOS)}
    return Tally(len(present & every), len(every))


def _counted(present: set[tuple[str, str, str]], wanted: Sequence[tuple[str, str, str]]) -> dict[str, Tally]:
    found = {}
    for ratio in CLASS_RATIOS:
        rows = {name for name in wanted if name[0] == ratio and name[2] == "alm"}
        found[ratio] = Tally(len(rows & present), len(rows))
    return found


def _won(gains: Sequence[Gain], table: int, paper: PaperGains) -> dict[str, dict[str, Tally]]:
    found: dict[str, dict[str, Tally]] = {}
    for figure in _figures(table):
        tallies = {}
        for against in AGAINST:
            rows = [gain for gain in gains if (gain.figure, gain.against) == (figure, against)]
            tallies[against] = Tally(sum(gain.won for gain in rows), len(rows))
        values = [gain for (_, _, name), gain in paper.items() if name == figure]
        found[figure] = tallies | {PAPER: Tally(sum(value > 0 for value in values), len(values))}
    return found


def _means(gains: Sequence[Gain], table: int, paper: PaperGains) -> dict[str, dict[str, dict[str, float | None]]]:
    """Of FPR@100%TPR, single and averaged, and of the AUC."""
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for figure in (name for name in _figures(table) if name in (*AREAS, _SINGLE, AVERAGED)):
        ours = {
            against: {
                ratio: _mean(
                    [g.ours for g in gains if (g.class_ratio, g.against, g.figure) == (ratio, against, figure)]
                )
                for ratio in CLASS_RATIOS
            }
            for against in AGAINST
        }
        theirs = {
            ratio: _mean([v for (r, _, name), v in paper.items() if (r, name) == (ratio, figure)])
            for ratio in CLASS_RATIOS
        }
        found[figure] = ours | {PAPER: theirs}
    return found


def _figures(table: int) -> list[str]:
    """The figures of a table that have a gain."""
    gained = {name for _, _, name in paper_gains(table)}
    return [name for name in table_spec(table).figures if name in gained]


def _ensembled(arms: Sequence[Arm], table: int) -> tuple[Tally, Tally] | None:
    if "mean_auc" not in table_spec(table).figures:
        return None
    paper = paper_figures(table)
    beside = [arm for arm in arms if arm.name in set(paper_arms(table))]
    ours = [(arm.figures["ensemble_auc"].value, arm.figures["mean_auc"].value) for arm in beside]
    theirs = [(paper[*arm.name, "ensemble_auc"], paper[*arm.name, "mean_auc"]) for arm in beside]
    return _above(ours), _above(theirs)


def _above(pairs: Sequence[tuple[float | None, float | None]]) -> Tally:
    defined = [(one, two) for one, two in pairs if one is not None and two is not None]
    return Tally(sum(one > two for one, two in defined), len(defined))


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return statistics.fmean(defined) if defined else None


def _per_ratio(means: Mapping[str, float | None], figure: str) -> str:
    return " / ".join(written(means[ratio], figure, "+") or "-" for ratio in CLASS_RATIOS)


def _single(figure: str) -> str:
    """The paper has one draw where we have the mean of many."""
    return " (one draw)" if figure == AVERAGED else ""
