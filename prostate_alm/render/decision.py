"""The decision curve: net benefit of a model, of contrast for all, and of contrast for none."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from prostate_alm.metrics import NetBenefit
from prostate_alm.render.svg import FAINT, drawing, inline_svg, quiet_grid

Curve = Sequence[tuple[float, NetBenefit]]
LINES: Sequence[dict[str, Any]] = (
    {"color": "#003f7d", "linewidth": 2.2},
    {"color": "#4d4d4d", "linewidth": 1.3, "linestyle": (0, (6, 1.5, 1, 1.5))},
)
"""One per rule; told apart in grey too."""


def decision_plot(curves: Mapping[str, Curve], *, title: str = "Decision curve") -> str:
    """Net benefit over the threshold probability, the first rule's with its interval, as inline SVG.

    Args:
        curves: label -> (threshold probability, net benefit), probabilities rising; at most two.
        title: for those who cannot see the picture.

    Raises:
        ValueError: if there are more curves than can be told apart, or the first has no defined net benefit.
    """
    if len(curves) > len(LINES):
        raise ValueError(f"{len(curves)} decision curves, at most {len(LINES)} can be told apart")
    defined = [(pt, one) for pt, one in next(iter(curves.values()), ()) if one.model.value is not None]
    if not defined:
        raise ValueError("no net benefit to draw")
    places = [pt for pt, _ in defined]
    everyone = [benefit.dce_for_all.value or 0.0 for _, benefit in defined]
    bounds = np.array([benefit.model.interval or (benefit.model.value,) * 2 for _, benefit in defined], float)
    with drawing("decision", 5.4, 4.7) as figure:
        axes = figure.add_subplot()
        axes.fill_between(places, bounds[:, 0], bounds[:, 1], color="#d4e1ee", linewidth=0)
        for (label, curve), line in zip(curves.items(), LINES, strict=False):
            benefits = np.array([one.model.value for _, one in curve], float)
            axes.plot([pt for pt, _ in curve], benefits, label=label, **line)
        axes.plot(places, everyone, color="#d55e00", linewidth=1.7, linestyle=(0, (5, 2)), label="contrast for all")
        axes.axhline(0, color=FAINT, linewidth=1.6, linestyle=(0, (1, 1.5)), label="contrast for none")
        top = max(*bounds[:, 1], *everyone)
        axes.set(xlim=(0, max(places)), ylim=(-0.3 * top, 1.05 * top))
        axes.set_xlabel("Threshold probability (at which a scan is just worth it)")
        axes.set_ylabel("Net benefit per patient")
        quiet_grid(axes)
        figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=9, handlelength=2.8)
        return inline_svg(figure, "decision", title)
