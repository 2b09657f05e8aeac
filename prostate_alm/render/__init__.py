"""What pictures and pages share: plots as inline SVG and the page templates' environment."""

from prostate_alm.render.dots import Dot, Series, dot_plot, shared_limits
from prostate_alm.render.html import environment
from prostate_alm.render.panels import line_legend, roc_panel
from prostate_alm.render.roc import Mark, roc_plot
from prostate_alm.render.scores import score_plot

__all__ = [
    "Dot",
    "Mark",
    "Series",
    "dot_plot",
    "environment",
    "line_legend",
    "roc_panel",
    "roc_plot",
    "score_plot",
    "shared_limits",
]
