"""Calibration curves: what was predicted and what was observed."""

from collections.abc import Mapping
from typing import Any

from prostate_alm.metrics import Calibration
from prostate_alm.render.svg import FAINT, drawing, inline_svg, quiet_grid

# told apart by shape, filling and dash, not by colour alone
_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#003f7d", "marker": "o", "markerfacecolor": "#003f7d", "linestyle": "-", "linewidth": 1.8},
    {"color": "#d55e00", "marker": "D", "markerfacecolor": "white", "linestyle": (0, (4, 2)), "linewidth": 1.4},
)


def calibration_plot(curves: Mapping[str, Calibration], *, title: str = "Calibration") -> str:
    """Observed share of positives over predicted probability, as inline SVG; the first curve with exact intervals.

    Args:
        curves: legend label -> calibration; the first is drawn strongest. At most two.
        title: for those who cannot see the picture.

    Raises:
        ValueError: if there are more curves than styles.
    """
    if len(curves) > len(_STYLES):
        raise ValueError(f"at most {len(_STYLES)} curves can be told apart")
    with drawing("calibration", 5.4, 4.7) as figure:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.9, linestyle=(0, (1, 2)), label="ideal")
        for order, (label, curve) in enumerate(curves.items()):
            style = _STYLES[order]
            for point in () if order else curve.points:  # of the main curve alone: two would hide each other
                if point.observed.interval is not None:
                    axes.plot([point.predicted] * 2, point.observed.interval, color=style["color"], linewidth=1.0)
            shown = [(point.predicted, point.observed.value) for point in curve.points]
            axes.plot(*zip(*shown, strict=True) if shown else ([], []), label=label, zorder=9 - order, **style)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel="Predicted probability", ylabel="Observed share")
        quiet_grid(axes)
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9, handlelength=2.6)
        return inline_svg(figure, "calibration", title)
