"""Values with intervals, one line of the plot per item, several series beside each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prostate_alm.render.svg import FAINT, INK, drawing, inline_svg, quiet_grid

# told apart by shape and filling, not by colour alone
_STYLES: tuple[dict[str, Any], ...] = (
    {"marker": "o", "color": "#003f7d", "markerfacecolor": "#003f7d", "markersize": 5.5},
    {"marker": "D", "color": "#d55e00", "markerfacecolor": "white", "markersize": 5},
    {"marker": "x", "color": FAINT, "markersize": 5.5, "markeredgewidth": 1.6},
)


@dataclass(frozen=True)
class Dot:
    """A value, and the ends of its interval where it has one."""

    value: float
    low: float | None = None
    high: float | None = None

    def ends(self) -> list[float]:
        """Everything that must fit on the axis."""
        return [end for end in (self.value, self.low, self.high) if end is not None]


@dataclass(frozen=True)
class Series:
    """What a series is called, and its dots by item; an item may have none."""

    label: str
    dots: Mapping[str, Dot]


def dot_plot(
    items: Sequence[str],
    series: Sequence[Series],
    *,
    name: str,
    title: str,
    label: str,
    limits: tuple[float, float] | None = None,
) -> str:
    """Dots with intervals around a line at 0, as inline SVG; the first item is on top.

    Args:
        items: one line each.
        series: at most three.
        name: another for each plot of a page.
        title: for those who cannot see the picture.
        label: of the axis.
        limits: of the axis, as `shared_limits` gives them; None takes those of this plot.

    Raises:
        ValueError: if there are more series than styles.
    """
    if len(series) > len(_STYLES):
        raise ValueError(f"at most {len(_STYLES)} series can be told apart")
    with drawing(name, 3.3, 0.9 + 0.29 * len(items)) as figure:
        axes = figure.add_subplot()
        axes.axvline(0, color=INK, linewidth=1)
        for order, (style, one) in enumerate(zip(_STYLES, series, strict=False)):
            shift = 0.24 * (order - (len(series) - 1) / 2)
            for place, item in enumerate(items):
                ends = one.dots[item].ends() if item in one.dots else []
                if len(ends) > 1:
                    axes.plot([min(ends), max(ends)], [place + shift] * 2, color=style["color"], linewidth=1.4)
            shown = [(one.dots[item].value, place + shift) for place, item in enumerate(items) if item in one.dots]
            axes.plot(*zip(*shown, strict=True) if shown else ([], []), linestyle="", label=one.label, **style)
        axes.set(ylim=(len(items) - 0.4, -0.6), xlim=limits or shared_limits(series))
        axes.set_xlabel(label, fontsize=9)
        axes.set_yticks(range(len(items)), items)
        axes.tick_params(labelsize=9, length=0)
        quiet_grid(axes)
        axes.grid(visible=False, axis="y")
        if series:
            figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=8.5, handletextpad=0.2)
        return inline_svg(figure, name, title)


def shared_limits(series: Sequence[Series]) -> tuple[float, float]:
    """Limits that hold all series and 0, with some room, so that plots beside each other compare.

    Example:
        >>> shared_limits([Series("a", {"x": Dot(1.0, -2.0, 8.0)})])
        (-2.5, 8.5)
        >>> shared_limits([])
        (-1.0, 1.0)
    """
    ends = [0.0, *(end for one in series for dot in one.dots.values() for end in dot.ends())]
    low, high = min(ends), max(ends)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room
