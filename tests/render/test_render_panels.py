"""Small ROC panels and dot plots: what is drawn, what is refused, and that a missing line moves no other."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from prostate_alm.metrics import roc_points
from prostate_alm.render import Dot, Series, dot_plot, line_legend, roc_panel, shared_limits


@pytest.fixture(scope="module")
def curve():
    generator = np.random.default_rng(0)
    labels = np.repeat([1, 0], [30, 50])
    return roc_points(generator.normal(size=80) + 2 * labels, labels)


def colors(svg):
    return re.findall(r"stroke: (#[0-9a-f]{6})", svg)


def plots(curve):
    series = [Series("over base", {"BCE": Dot(1.0, -0.5, 2.0)}), Series("over continued", {"MSFE": Dot(-1.0)})]
    return {
        "panel": roc_panel({"ALM": curve, "base": curve}, name="panel", title="<ROC>"),
        "legend": line_legend(["ALM", "base"], name="legend"),
        "dots": dot_plot(["BCE", "MSFE"], series, name="dots", title='"<gain>"', label="points"),
    }


def test_each_is_one_svg_element_with_ids_of_its_own_and_the_same_bytes_again(curve):
    ids = set()
    for name, text in plots(curve).items():
        assert ElementTree.fromstring(text).get("role") == "img"
        own = set(re.findall(r' id="([^"]+)"', text))
        assert own
        assert all(one.startswith(f"{name}-") for one in own)
        assert not ids & own
        ids |= own
        assert plots(curve)[name] == text
    assert "&lt;gain&gt;" in plots(curve)["dots"]


def test_a_missing_curve_leaves_the_others_their_style(curve):
    whole = roc_panel({"ALM": curve, "continued": curve, "base": curve}, name="p", title="t")
    part = roc_panel({"ALM": None, "continued": curve, "base": None}, name="p", title="t")
    assert "#d55e00" in colors(whole)
    assert "#003f7d" in colors(whole)
    assert "#d55e00" in colors(part)
    assert "#003f7d" not in colors(part)
    assert "stroke-dasharray" in part


def test_the_sensitivity_axis_starts_where_it_is_told(curve):
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", roc_panel({"ALM": curve}, name="p", title="t", lowest=0.8))
    assert texts == ["0", "0.5", "1", "0.8", "0.9", "1"]


def test_legend_and_items_are_text_and_every_interval_is_drawn():
    series = [
        Series("over base", {"BCE": Dot(1.0, 0.0, 2.0), "MSFE": Dot(0.0, -1.0, 1.0)}),
        Series("paper", {"BCE": Dot(3.0)}),
    ]
    text = dot_plot(["BCE", "MSFE", "S-ML"], series, name="d", title="t", label="gain")
    for word in ("BCE", "MSFE", "S-ML", "over base", "paper", "gain"):
        assert f">{word}</text>" in text
    intervals = re.findall(r'<path d="M [\d.]+ ([\d.]+) \nL [\d.]+ \1 \n"[^>]*stroke: #003f7d', text)
    assert len(set(intervals)) == 2
    assert shared_limits(series) == pytest.approx((-1.2, 3.2))


def test_a_plot_without_dots_can_be_drawn_and_too_many_series_cannot(curve):
    assert "<svg" in dot_plot(["BCE"], [], name="d", title="t", label="gain")
    with pytest.raises(ValueError, match="at most 3"):
        dot_plot(["BCE"], [Series(str(n), {}) for n in range(4)], name="d", title="t", label="gain")
    with pytest.raises(ValueError, match="at most 4"):
        roc_panel({str(n): curve for n in range(5)}, name="p", title="t")
    with pytest.raises(ValueError, match="at most 4"):
        line_legend(list("abcde"), name="l")
