"""What pictures and pages share: plots as inline SVG and the page templates' environment."""

from prostate_alm.render.html import environment
from prostate_alm.render.roc import Mark, roc_plot
from prostate_alm.render.scores import score_plot

__all__ = ["Mark", "environment", "roc_plot", "score_plot"]
