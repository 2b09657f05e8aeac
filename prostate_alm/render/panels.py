"""ROC curves as small panels beside each other, without words inside: the page captions them, one legend serves all."""

from collections.abc import Mapping, Sequence

from prostate_alm.metrics import RocPoints
from prostate_alm.render.roc import LINES, corners
from prostate_alm.render.svg import FAINT, drawing, inline_svg, quiet_grid


def roc_panel(curves: Mapping[str, RocPoints | None], *, name: str, title: str, lowest: float = 0.5) -> str:
    """One panel as inline SVG: sensitivity over the false-positive rate.

    Args:
        curves: label -> points, drawn as `line_legend` shows the same labels in the same order; the first on top;
            None leaves a line out and the others as they are.
        name: another for each panel of a page.
        title: for those who cannot see the picture.
        lowest: where the sensitivity axis starts, in [0, 1); curves that rise at once need the room above.

    Raises:
        ValueError: if there are more curves than line styles.
    """
    _check(list(curves))
    with drawing(name, 1.9, 1.65) as figure:
        axes = figure.add_subplot()
        for order, points in enumerate(curves.values()):
            if points is not None:
                style = LINES[order]
                axes.plot(*corners(points), zorder=9 - order, **{**style, "linewidth": 0.6 * style["linewidth"]})
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.5)
        axes.set(xlim=(0, 1), ylim=(lowest, 1.01), xticks=[0, 0.5, 1], yticks=[lowest, (1 + lowest) / 2, 1])
        axes.set_xticklabels(["0", "0.5", "1"])
        axes.set_yticklabels([f"{tick:g}" for tick in (lowest, (1 + lowest) / 2, 1)])
        axes.tick_params(labelsize=8, length=2, pad=2)
        quiet_grid(axes)
        return inline_svg(figure, name, title)


def line_legend(labels: Sequence[str], *, name: str) -> str:
    """The line styles of `roc_panel` and what they stand for, as inline SVG.

    Raises:
        ValueError: if there are more labels than line styles.
    """
    _check(labels)
    with drawing(name, 3.4, 0.3) as figure:
        axes = figure.add_subplot()
        axes.set_axis_off()
        for style, label in zip(LINES, labels, strict=False):
            axes.plot([], [], label=label, **style)
        axes.legend(
            loc="center", ncols=len(labels), frameon=False, fontsize=9, handlelength=2.6, columnspacing=1.4, borderpad=0
        )
        return inline_svg(figure, name, f"Legend: {', '.join(labels)}")


def _check(labels: Sequence[str]) -> None:
    if len(labels) > len(LINES):
        raise ValueError(f"at most {len(LINES)} curves can be told apart")
