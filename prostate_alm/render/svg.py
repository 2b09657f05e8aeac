"""A matplotlib figure as inline SVG: the same input gives the same bytes, and nothing points outside the page."""

import html
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

INK, FAINT, GRID = "#1b2733", "#5b6770", "#d9dfe4"

_SETTINGS: dict[str, Any] = {
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 10,
    "hatch.linewidth": 0.8,
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and copied
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
}


@contextmanager
def drawing(name: str, width: float, height: float) -> Iterator[Canvas]:
    """A figure to draw on, under the settings of every plot here; they are restored afterwards.

    Args:
        name: salt of the ids that matplotlib makes.
        width: in inches.
        height: in inches.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(cast(Any, _SETTINGS | {"svg.hashsalt": name}))
        yield Canvas(figsize=(width, height), layout="constrained")


def inline_svg(figure: Canvas, name: str, title: str, axes: Axes | None = None) -> str:
    """The figure as an `<svg>` element that fills the width it is given; call inside `drawing`.

    Args:
        figure: what was drawn.
        name: prefix of the ids inside, so that two plots on a page do not share them.
        title: what the picture shows, for those who cannot see it.
        axes: where a page's script draws on: the element then says where they lie, `data-frame` (left, right, bottom
            and top in the picture's own units), and what they span, `data-limits` (the same four in data).
    """
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # the reader's fonts draw the text; matplotlib's only measure it, and need not know every script
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    said = f'role="img" aria-label="{html.escape(title)}" ' + ("" if axes is None else _frame(figure, axes))
    return text.replace("<svg ", f"<svg {said}", 1)


def _frame(figure: Canvas, axes: Axes) -> str:
    """Where the axes lie, once the figure was drawn."""
    place, (width, height) = axes.get_position(), 72 * figure.get_size_inches()  # SVG units are points
    frame = place.x0 * width, place.x1 * width, (1 - place.y0) * height, (1 - place.y1) * height
    limits = (*axes.get_xlim(), *axes.get_ylim())
    return f'data-frame="{_numbers(frame)}" data-limits="{_numbers(limits)}" '


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.10g}" for value in values)


def quiet_grid(axes: Axes) -> None:
    """A pale grid behind the data."""
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
