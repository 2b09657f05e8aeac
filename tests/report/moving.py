"""Hands and eyes of a reader in the browser: move, read, and compare with what Python computes."""

import math
from dataclasses import dataclass

import pytest
from report.evaluations import THRESHOLD, three_arms

from prostate_alm.metrics import at_prevalence, at_threshold
from prostate_alm.report import by_arm, wording


@dataclass(frozen=True)
class Shown:
    """What the page shows of a figure: the number behind it, its text and its interval's."""

    value: float
    text: str
    interval: str


def shown(page, name, scope="#explorer"):
    cell = page.locator(f'{scope} [data-figure="{name}"]').first
    interval = page.locator(f'{scope} [data-interval="{name}"]').first
    value = cell.get_attribute("data-value")
    return Shown(float(value) if value else math.nan, cell.text_content(), interval.text_content())


def move(page, step):
    """Move the slider as a hand would: the value, then the event."""
    page.locator("#threshold").evaluate(
        "(slider, step) => { slider.value = step; slider.dispatchEvent(new Event('input', {bubbles: true})); }", step
    )


def listed(page, name):
    return page.locator(f"#{name}-list td.code").all_text_contents()


def steps_of(arm):
    logits = set(by_arm(three_arms())[arm].logits.tolist()) | ({THRESHOLD.value} if arm == "alm" else set())
    return [*sorted(logits), math.inf]


def agrees(found, figure, written, scale):
    if figure.value is None:
        return found.text == "undefined" and found.interval == ""
    interval = f"at most {wording.upper_bound(figure)}" if figure.name == "FN rate" else written.interval
    return (found.value, found.text, found.interval) == (
        pytest.approx(scale * figure.value, rel=1e-12, abs=1e-12),
        written.value,
        interval,
    )


def assert_figures(page, scores, threshold, prevalence):
    table = at_threshold(scores.logits, scores.labels, threshold)
    others = at_prevalence(table, prevalence)
    for name in ("sensitivity", "specificity", "fpr", "fn_rate"):
        figure = getattr(table, name)
        assert agrees(shown(page, name), figure, wording.rate(figure), 100), name
    for name in ("ppv", "npv"):
        figure = getattr(others, name)
        assert agrees(shown(page, name), figure, wording.rate(figure), 100), name
    for name in ("scans_avoided", "wrongly_avoided"):
        figure = getattr(others, name)
        assert agrees(shown(page, name), figure, wording.count(figure), 1), name
