"""The tables as one HTML page that needs nothing from outside itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt

from prostate_alm import __version__
from prostate_alm.cifar10.measures import TITLES, written
from prostate_alm.cifar10.plots import Plots, plots_of
from prostate_alm.cifar10.protocol import CLASS_RATIOS
from prostate_alm.cifar10.repeats import repeats
from prostate_alm.cifar10.sets import ResultSet
from prostate_alm.cifar10.summary import PAPER, Summary
from prostate_alm.render import environment
from prostate_alm.render.grid import Grid

LEAD = (
    "Each base loss is trained alone (base), trained on (continued), and trained on with the augmented Lagrangian "
    "constraint (alm), from the same checkpoint and for the same epochs; aucm is MONAI's AUCMLoss from the checkpoint "
    "of BCE. Ensembles of logits, figures in percent, thresholds read off the test set (oracle) as in the paper. A "
    "gain is in percentage points, and positive is better: a higher AUC, fewer false positives. No row is left out."
)
_WHO = ("base", "continued", PAPER)  # ours over base, ours over continued, the paper's over base


@dataclass(frozen=True)
class Part:
    """One set on the page: its summary as two grids, and plots for each class pair."""

    source: ResultSet
    won: Grid
    means: Grid
    plots: Sequence[Plots]


def page_html(sets: Sequence[ResultSet], discussion: str = "", facts: Sequence[tuple[str, str]] = ()) -> str:
    """The page as text; the same results give the same bytes.

    Args:
        sets: at least one.
        discussion: Markdown, shown after the summary; empty shows none.
        facts: what the run took, as (name, value).
    """
    template = environment("prostate_alm.cifar10").get_template("page.html.j2")
    return template.render(
        lead=LEAD,
        repeats=repeats(sets),
        parts=[_part(one) for one in sets],
        discussion=prose_html(discussion),
        facts=facts,
        version=__version__,
    )


def prose_html(text: str) -> str:
    """Markdown as HTML; HTML in it is shown, not used.

    Example:
        >>> prose_html("AUC **rose** < 1.")
        '<p>AUC <strong>rose</strong> &lt; 1.</p>\\n'
    """
    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text)


def _part(one: ResultSet) -> Part:
    summaries = [table.summary for table in one.tables]
    plots = [found for table in one.tables if (found := plots_of(table, one.name)) is not None]
    return Part(one, _won(summaries), _means(summaries), plots)


def _won(summaries: Sequence[Summary]) -> Grid:
    rows = [
        ([str(one.table), TITLES[figure]], [str(tallies[who]) for who in _WHO])
        for one in summaries
        for figure, tallies in one.won.items()
    ]
    note = (
        "Of the rows that are there, the paper's alike; ours before rounding; a tie is not won. The paper has no "
        "continued arm, and one draw of the test positives."
    )
    return Grid(
        "Rows won by ALM",
        note,
        ["table", "figure"],
        [("ours over", ["base", "continued"]), ("paper over", ["base"])],
        rows,
    )


def _means(summaries: Sequence[Summary]) -> Grid:
    rows = [
        (
            [str(one.table), TITLES[figure]],
            [written(means[who][ratio], figure, "+") or "-" for ratio in CLASS_RATIOS for who in _WHO],
        )
        for one in summaries
        for figure, means in one.means.items()
    ]
    groups = [(ratio, list(_WHO)) for ratio in CLASS_RATIOS]
    note = (
        "In percentage points, the mean over the losses that are there, the paper's alike; positive is better. Ours "
        "over base, ours over continued, and the paper's over base."
    )
    return Grid("Mean gain of ALM at each ratio", note, ["table", "figure"], groups, rows)
