"""What pictures and pages share: plots as inline SVG and the page templates' environment."""

from prostate_alm.render.calibration import calibration_plot
from prostate_alm.render.decision import decision_plot
from prostate_alm.render.dots import Dot, Series, dot_plot, shared_limits
from prostate_alm.render.html import environment, inline_script, json_block
from prostate_alm.render.panels import line_legend, roc_panel
from prostate_alm.render.roc import Mark, roc_plot
from prostate_alm.render.scores import score_plot

__all__ = [
    "Dot",
    "Mark",
    "Series",
    "calibration_plot",
    "decision_plot",
    "dot_plot",
    "environment",
    "inline_script",
    "json_block",
    "line_legend",
    "roc_panel",
    "roc_plot",
    "score_plot",
    "shared_limits",
]
