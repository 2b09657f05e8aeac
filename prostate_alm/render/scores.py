"""The distribution of scores by class, with the threshold between "contrast" and "no contrast"."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from prostate_alm.metrics.inputs import Floats
from prostate_alm.render.svg import INK, drawing, inline_svg, quiet_grid

_BINS = 36


def score_plot(
    positives: Floats,
    negatives: Floats,
    *,
    threshold: float | None = None,
    title: str = "Scores by class",
    name: str = "scores",
) -> str:
    """Counts of logits, positives upwards and negatives downwards, as inline SVG.

    Args:
        positives: logits of cases that need contrast, (n1,).
        negatives: logits of cases that do not, (n0,).
        threshold: in logits, drawn as a line; None draws none.
        title: for those who cannot see the picture.
        name: another for each plot of a page.

    Raises:
        ValueError: if there is no logit at all.
    """
    logits = np.concatenate([positives, negatives])
    if logits.size == 0:
        raise ValueError("no scores to draw")
    edges = _edges(logits, threshold)
    with drawing(name, 5.4, 4.7) as figure:
        axes = figure.add_subplot()
        above, below = np.histogram(positives, edges)[0], np.histogram(negatives, edges)[0]
        widths = np.diff(edges)
        axes.bar(edges[:-1], above, widths, align="edge", color="#003f7d", edgecolor="white", linewidth=0.6)
        axes.bar(
            edges[:-1], -below, widths, align="edge", color="#f6d9c2", edgecolor="#a64b00", linewidth=0.6, hatch="////"
        )
        axes.axhline(0, color=INK, linewidth=0.8)
        highest, lowest = max(1, above.max()), max(1, below.max())
        room = 0.12 * (highest + lowest)  # for a caption above and below the bars
        axes.set(
            xlim=(edges[0], edges[-1]),
            ylim=(-lowest - room, highest + room),
            xlabel="Score (logit; higher = more likely to need contrast)",
        )
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{abs(count):.0f}"))
        axes.set_ylabel("Cases")
        quiet_grid(axes)
        left = threshold is None or threshold > (edges[0] + edges[-1]) / 2  # away from the threshold
        _caption(axes, f"need contrast ({len(positives)})", 0.97, "top", left)
        _caption(axes, f"do not need contrast ({len(negatives)})", 0.03, "bottom", left)
        if threshold is not None:
            axes.axvline(threshold, color=INK, linewidth=1.6, linestyle=(0, (4, 2)))
            _sides(axes, threshold)
        return inline_svg(figure, name, title, axes)


def _caption(axes: Axes, text: str, height: float, side: str, left: bool) -> None:
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    place, align = (0.01, "left") if left else (0.99, "right")
    axes.text(place, height, text, transform=axes.transAxes, va=side, ha=align, fontsize=9, bbox=ground)


def _sides(axes: Axes, threshold: float) -> None:
    """Say above the plot what each side of the threshold means."""
    for side, shift, text in (("right", -5, "← no contrast"), ("left", 5, "contrast →")):
        axes.annotate(
            text,
            (threshold, 1.02),
            (shift, 0),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize=9,
        )


def _edges(logits: Floats, threshold: float | None) -> Floats:
    """Bin edges over all logits; one edge lies on the threshold, so that no bar straddles it."""
    values = logits if threshold is None else np.append(logits, threshold)
    low, high = float(values.min()), float(values.max())
    width = max((high - low) / _BINS, 1e-6 * max(1.0, abs(low), abs(high)))
    anchor = low if threshold is None else threshold
    down, up = np.ceil((anchor - low) / width) + 1, np.ceil((high - anchor) / width) + 1
    return anchor + width * np.arange(-down, up + 1)
