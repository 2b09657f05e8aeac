"""ROC curves of several models in one picture, with operating points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prostate_alm.metrics import RocPoints
from prostate_alm.render.svg import FAINT, INK, drawing, inline_svg, quiet_grid

# told apart by dash and by lightness, so that they survive grey print and colour blindness
LINES = (
    {"color": "#003f7d", "linestyle": "-", "linewidth": 2.4},
    {"color": "#d55e00", "linestyle": (0, (5, 2)), "linewidth": 1.7},
    {"color": "#8a949c", "linestyle": (0, (1, 1.2)), "linewidth": 2.0},
    {"color": "#009e73", "linestyle": (0, (6, 2, 1, 2)), "linewidth": 1.5},
)
_MARKERS = ("o", "D", "s", "^")


@dataclass(frozen=True)
class Mark:
    """A point on the plot: the rates in [0, 1] and what to call it."""

    fpr: float
    tpr: float
    label: str


def roc_plot(curves: Mapping[str, RocPoints], marks: Sequence[Mark] = (), *, title: str = "ROC curves") -> str:
    """ROC curves overlaid, as inline SVG.

    Args:
        curves: legend label -> points; the first is the main one and is drawn strongest, on top. At most four.
        marks: operating points, at most four.
        title: for those who cannot see the picture.

    Raises:
        ValueError: if there are more curves or marks than line styles.
    """
    if len(curves) > len(LINES) or len(marks) > len(_MARKERS):
        raise ValueError(f"at most {len(LINES)} curves and {len(_MARKERS)} marks can be told apart")
    with drawing("roc", 5.4, 5.4) as figure:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.7)
        for order, (label, points) in enumerate(curves.items()):
            axes.plot(*corners(points), label=label, zorder=9 - order, **LINES[order])
        for marker, mark in zip(_MARKERS, marks, strict=False):
            axes.plot(
                [mark.fpr], [mark.tpr], marker, label=mark.label, zorder=10, clip_on=False,
                markersize=9, markerfacecolor="white", markeredgecolor=INK, markeredgewidth=2,
            )  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
        axes.set_xlabel("False-positive rate (contrast given without need)")
        axes.set_ylabel("Sensitivity (contrast given where needed)")
        quiet_grid(axes)
        axes.legend(loc="lower right", frameon=True, framealpha=1, edgecolor="none", handlelength=2.8, fontsize=9)
        return inline_svg(figure, "roc", title, axes)


def corners(points: RocPoints) -> tuple[np.ndarray, np.ndarray]:
    """FPR and TPR of the curve without the points on straight stretches: the same line, in fewer bytes."""
    step_x, step_y = np.diff(points.fpr), np.diff(points.tpr)
    turns = np.abs(step_x[:-1] * step_y[1:] - step_x[1:] * step_y[:-1]) > 1e-15
    kept = np.concatenate(([True], turns, [True]))
    return points.fpr[kept], points.tpr[kept]
