"""Plots are inline, repeatable and safe; the page environment escapes."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from jinja2 import UndefinedError

from prostate_alm.metrics import roc_points
from prostate_alm.render import Mark, environment, roc_plot, score_plot
from prostate_alm.render.roc import corners
from prostate_alm.render.scores import _edges


@pytest.fixture(scope="module")
def curve():
    generator = np.random.default_rng(0)
    labels = np.repeat([1, 0], [30, 50])
    return roc_points(generator.normal(size=80) + labels, labels)


def plots(curve):
    return {
        "roc": roc_plot({"ALM": curve, "Base": curve}, [Mark(0.3, 1.0, "0 missed"), Mark(0.2, 0.9, "locked")]),
        "scores": score_plot(np.array([1.0, 2.0]), np.array([-1.0, 0.5]), threshold=0.5),
    }


def test_a_plot_is_one_svg_element_that_points_nowhere(curve):
    for text in plots(curve).values():
        root = ElementTree.fromstring(text)
        assert root.tag.endswith("svg")
        assert root.get("role") == "img"
        assert "width" not in root.attrib
        assert not re.findall(r"<!DOCTYPE|<\?xml|<image|<script", text)
        for target in re.findall(r'(?:href="|url\()([^")]*)', text):
            assert target.startswith("#")
            assert f'id="{target[1:]}"' in text


def test_the_same_input_gives_the_same_bytes(curve):
    before = dict(mpl.rcParams)
    first = plots(curve)
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": "other", "lines.linewidth": 9}):
        assert plots(curve) == first
    assert dict(mpl.rcParams) == before


def test_two_plots_on_a_page_share_no_id(curve):
    ids = [set(re.findall(r' id="([^"]+)"', text)) for text in plots(curve).values()]
    assert ids[0]
    assert ids[1]
    assert not ids[0] & ids[1]


def test_labels_are_text_whatever_they_hold(curve):
    text = roc_plot({"<script>$x_1$ & 检查": curve}, title='"><script>alert(1)</script>')
    assert "<script" not in text
    assert "&lt;script&gt;$x_1$ &amp; 检查" in text


def test_more_curves_than_can_be_told_apart_are_refused(curve):
    with pytest.raises(ValueError, match="at most 4"):
        roc_plot({str(number): curve for number in range(5)})
    with pytest.raises(ValueError, match="at most 4"):
        roc_plot({"ALM": curve}, [Mark(0, 0, "m")] * 5)


def test_lines_differ_in_dash_and_not_in_colour_alone(curve):
    text = roc_plot({"a": curve, "b": curve, "c": curve})
    assert len(set(re.findall(r"stroke-dasharray: ([^;\"]+)", text))) >= 2


def test_dropping_straight_stretches_leaves_the_curve(curve):
    x, y = corners(curve)
    assert len(x) < len(curve.fpr)
    assert np.trapezoid(y, x) == pytest.approx(np.trapezoid(curve.tpr, curve.fpr), abs=1e-12)
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("logits", "threshold"), [([0.0, 1.0, 3.7], 1.0), ([5.0], None), ([2.0, 2.0], 2.0), ([1.0], 9.0)]
)
def test_no_bar_straddles_the_threshold_and_none_is_lost(logits, threshold):
    edges = _edges(np.array(logits), threshold)
    assert (np.diff(edges) > 0).all()
    assert np.histogram(logits, edges)[0].sum() == len(logits)
    if threshold is not None:
        assert threshold in edges


def test_scores_of_one_class_can_be_drawn_but_none_cannot():
    assert "do not need contrast (0)" in score_plot(np.array([1.0, 2.0]), np.array([]))
    with pytest.raises(ValueError, match="no scores"):
        score_plot(np.array([]), np.array([]))


def test_pages_escape_and_refuse_missing_values():
    pages = environment("prostate_alm.report")
    assert pages.from_string("{{ x }}").render(x="<b>&\"'") == "&lt;b&gt;&amp;&#34;&#39;"
    with pytest.raises(UndefinedError):
        pages.from_string("{{ x }}").render()
