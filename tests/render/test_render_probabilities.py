"""Calibration and decision plots: what is drawn, where, and what is refused."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from prostate_alm.metrics import calibration, net_benefit, roc_points
from prostate_alm.render import calibration_plot, decision_plot, roc_plot, score_plot

LABELS = np.repeat([1, 0], [20, 40])
LOGITS = np.random.default_rng(0).normal(size=60) + LABELS


def curve(labels=LABELS, count=4):
    shares = np.linspace(0.1, 0.6, count)
    rates = {"prevalence": 0.3, "calibrated_prevalence": 0.3}
    return [(pt, net_benefit(LOGITS, labels, threshold_probability=pt, **rates)) for pt in shares]


def both():
    found = calibration(LOGITS, LABELS)
    return calibration_plot({"a": found, "b": found}), decision_plot({"<model>": curve(), "anew": curve(count=6)})


def test_a_plot_is_one_svg_element_that_points_nowhere_and_repeats():
    for text, again in zip(both(), both(), strict=True):
        assert text == again
        assert ElementTree.fromstring(text).get("role") == "img"
        assert not re.findall(r"<!DOCTYPE|<image|<script|https?://(?!www\.w3\.org)", text)
    assert "&lt;model&gt;" in both()[1]


def test_two_plots_on_a_page_share_no_id():
    first, second = (set(re.findall(r' id="([^"]+)"', text)) for text in both())
    assert first
    assert second
    assert not first & second


def test_lines_differ_in_dash_and_not_in_colour_alone():
    for text in both():
        assert len(set(re.findall(r"stroke-dasharray: ([^;\"]+)", text))) >= 2


def test_more_curves_than_can_be_told_apart_are_refused():
    found = calibration(LOGITS, LABELS)
    with pytest.raises(ValueError, match="at most 2"):
        calibration_plot({"a": found, "b": found, "c": found})
    with pytest.raises(ValueError, match="at most 2"):
        decision_plot(dict.fromkeys("abc", curve()))


@pytest.mark.parametrize("curves", [{}, {"model": []}, {"model": curve(labels=np.ones(60))}])
def test_a_decision_curve_needs_a_defined_point(curves):
    with pytest.raises(ValueError, match="no net benefit"):
        decision_plot(curves)


@pytest.mark.parametrize(
    "text",
    [roc_plot({"a": roc_points(LOGITS, LABELS)}), score_plot(LOGITS[:20], LOGITS[20:], threshold=0.0)],
    ids=["roc", "scores"],
)
def test_a_plot_that_a_script_draws_on_says_where_its_axes_lie(text):
    root = ElementTree.fromstring(text)
    left, right, bottom, top = map(float, root.get("data-frame").split())
    ground = next(one for one in root.iter() if one.get("id", "").endswith("-patch_2"))[0].get("d")
    places = np.array(re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", ground), float)  # matplotlib's own ground of the axes
    assert (places[:, 0].min(), places[:, 0].max()) == pytest.approx((left, right), abs=0.01)
    assert (places[:, 1].min(), places[:, 1].max()) == pytest.approx((top, bottom), abs=0.01)
    x0, x1, y0, y1 = map(float, root.get("data-limits").split())
    assert x0 < x1
    assert y0 < y1
