"""The pictures of one table: ROC curves by loss and ratio, and the gain of each loss with its interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prostate_alm.cifar10.gains import Gain
from prostate_alm.cifar10.measures import AVERAGED, TABLES, Arm, table_spec, written
from prostate_alm.cifar10.protocol import CLASS_RATIOS
from prostate_alm.cifar10.published import paper_losses
from prostate_alm.cifar10.sets import TableReport
from prostate_alm.metrics import RocPoints, roc_points
from prostate_alm.render import Dot, Series, dot_plot, line_legend, roc_panel, shared_limits

ARMS_SHOWN = ("ALM", "continued", "base")
_ARM_KEYS = ("alm", "continued", "base")
_OVER = {"base": "over base", "continued": "over continued"}


@dataclass(frozen=True)
class Panel:
    """One ROC panel: the loss, the AUCs of the arms as text, the picture."""

    loss: str
    areas: str
    svg: str


@dataclass(frozen=True)
class Plots:
    """Pictures of one table.

    Args:
        title: what it shows.
        panels: ratio -> panels in the paper's order of losses.
        legend: of the panels' lines.
        areas: ratio -> gain in AUC with DeLong's 95% interval.
        rates: ratio -> gain in FPR@100%TPR, averaged over draws, with its standard deviation.
    """

    title: str
    panels: Mapping[str, Sequence[Panel]]
    legend: str
    areas: Mapping[str, str]
    rates: Mapping[str, str]


def plots_of(report: TableReport, name: str) -> Plots | None:
    """The pictures of a table that has a gain in FPR@100%TPR over draws; None for another.

    Args:
        report: of table 2 or 5.
        name: of the set, so that two plots on a page share no id.
    """
    if AVERAGED not in table_spec(report.number).figures:
        return None
    prefix = f"{name}-{report.number}"
    gained = [gain for gain in report.gains if gain.arm == "alm"]
    areas = _dots(gained, "auc", lambda gain: (gain.low, gain.high), f"{prefix}-auc", "gain in AUC, points")
    rates = _dots(gained, AVERAGED, _one_deviation, f"{prefix}-fpr", "gain in FPR@100%TPR, points")
    title = f"Table {report.number}, {TABLES[report.number].title}"
    return Plots(title, _panels(report, prefix), line_legend(ARMS_SHOWN, name=f"{prefix}-legend"), areas, rates)


def _panels(report: TableReport, prefix: str) -> dict[str, list[Panel]]:
    arms = {arm.name: arm for arm in report.arms}
    found: dict[str, list[Panel]] = {}
    for ratio in CLASS_RATIOS:
        for loss in paper_losses(report.number):
            shown = [arms.get((ratio, loss, key)) for key in _ARM_KEYS]
            if shown[0] is not None:
                panel = _panel(shown, report.number, loss, f"{prefix}-roc-{ratio.replace(':', '-')}-{loss}")
                found.setdefault(ratio, []).append(panel)
    return found


def _panel(shown: Sequence[Arm | None], number: int, loss: str, name: str) -> Panel:
    cases = table_spec(number).cases
    curves: dict[str, RocPoints | None] = {
        label: None if arm is None else roc_points(*cases(arm.result))
        for label, arm in zip(ARMS_SHOWN, shown, strict=True)
    }
    areas = [written(arm.figures["auc"].value, "auc") if arm else "-" for arm in shown]
    title = f"ROC curves, {loss}: AUC {', '.join(map(' '.join, zip(ARMS_SHOWN, areas, strict=True)))}"
    return Panel(loss, " · ".join(areas), roc_panel(curves, name=name, title=title))


def _dots(
    gains: Sequence[Gain],
    figure: str,
    ends: Callable[[Gain], tuple[float | None, float | None]],
    name: str,
    label: str,
) -> dict[str, str]:
    """One plot for each ratio, all on one axis."""
    chosen = [gain for gain in gains if gain.figure == figure and gain.ours is not None]
    series = {ratio: _series([g for g in chosen if g.class_ratio == ratio], ends) for ratio in CLASS_RATIOS}
    limits = shared_limits([one for several in series.values() for one in several])
    return {
        ratio: dot_plot(
            _constrained(several),
            several,
            name=f"{name}-{ratio.replace(':', '-')}",
            title=f"{label} of ALM over base and over continued at {ratio}, by loss",
            label=label,
            limits=limits,
        )
        for ratio, several in series.items()
        if any(one.dots for one in several)
    }


def _series(gains: Sequence[Gain], ends: Callable[[Gain], tuple[float | None, float | None]]) -> list[Series]:
    ours = [
        Series(label, {g.loss: Dot(g.ours, *ends(g)) for g in gains if g.against == against and g.ours is not None})
        for against, label in _OVER.items()
    ]
    paper = Series("paper", {gain.loss: Dot(gain.paper) for gain in gains if gain.paper is not None})
    return [*ours, paper]


def _constrained(series: Sequence[Series]) -> list[str]:
    """The losses that have a dot, in the paper's order."""
    return [loss for loss in paper_losses(2) if any(loss in one.dots for one in series)]


def _one_deviation(gain: Gain) -> tuple[float | None, float | None]:
    if gain.ours is None or gain.sd20 is None:
        return None, None
    return gain.ours - gain.sd20, gain.ours + gain.sd20
