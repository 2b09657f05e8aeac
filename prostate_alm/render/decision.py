"""The decision curve: net benefit of a model, of contrast for all, and of contrast for none."""

from collections.abc import Sequence

import numpy as np

from prostate_alm.metrics import NetBenefit
from prostate_alm.render.svg import FAINT, drawing, inline_svg, quiet_grid


def decision_plot(curve: Sequence[tuple[float, NetBenefit]], *, label: str, title: str = "Decision curve") -> str:
    """Net benefit over the threshold probability, the model's with its interval, as inline SVG.

    Args:
        curve: (threshold probability, net benefit), probabilities rising.
        label: of the model.
        title: for those who cannot see the picture.

    Raises:
        ValueError: if there is no point with a defined net benefit.
    """
    defined = [(pt, benefit) for pt, benefit in curve if benefit.model.value is not None]
    if not defined:
        raise ValueError("no net benefit to draw")
    places = [pt for pt, _ in defined]
    models = [benefit.model.value or 0.0 for _, benefit in defined]
    everyone = [benefit.dce_for_all.value or 0.0 for _, benefit in defined]
    bounds = np.array([benefit.model.interval or (benefit.model.value,) * 2 for _, benefit in defined], float)
    with drawing("decision", 5.4, 4.7) as figure:
        axes = figure.add_subplot()
        axes.fill_between(places, bounds[:, 0], bounds[:, 1], color="#d4e1ee", linewidth=0)
        axes.plot(places, models, color="#003f7d", linewidth=2.2, label=label)
        axes.plot(places, everyone, color="#d55e00", linewidth=1.7, linestyle=(0, (5, 2)), label="contrast for all")
        axes.axhline(0, color=FAINT, linewidth=1.6, linestyle=(0, (1, 1.5)), label="contrast for none")
        top = max(*bounds[:, 1], *everyone)
        axes.set(xlim=(0, max(places)), ylim=(-0.3 * top, 1.05 * top))
        axes.set_xlabel("Threshold probability (at which a scan is just worth it)")
        axes.set_ylabel("Net benefit per patient")
        quiet_grid(axes)
        figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9, handlelength=2.8)
        return inline_svg(figure, "decision", title)
