"""What the reader's prevalence changes on the page, in headless Chromium, and how numbers are written."""

import pytest
from browser import needs_chromium, opened
from report.evaluations import THRESHOLD, clinical_study, evaluated, three_arms
from report.moving import agrees, assert_figures, move, shown, steps_of

from prostate_alm.metrics import at_prevalence, at_threshold, net_benefit, net_benefit_at
from prostate_alm.report import by_arm, wording, write_report
from prostate_alm.report.build import LISTED

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.mark.parametrize(("entry", "prevalence"), [("5", 0.05), ("12.5", 0.125), ("90", 0.9)])
def test_the_reader_sets_the_prevalence(watched, entry, prevalence):
    scores = by_arm(three_arms())["alm"]
    locked = at_prevalence(at_threshold(scores.logits, scores.labels, 0.0), prevalence)
    watched.page.locator("#prevalence").fill(entry)
    for name in ("scans_avoided", "wrongly_avoided"):
        figure = getattr(locked, name)
        assert agrees(shown(watched.page, name, "#avoided"), figure, wording.count(figure), 1)
    move(watched.page, 3)
    assert_figures(watched.page, scores, steps_of("alm")[3], prevalence)
    figure = locked.scans_avoided
    assert agrees(shown(watched.page, "scans_avoided", "#avoided"), figure, wording.count(figure), 1)  # stays locked
    assert watched.page.locator("#prevalence-again").input_value() == entry
    assert "set by the reader" in watched.page.locator("#avoided").text_content()
    watched.page.locator("[data-own]:visible").first.click()
    assert_figures(watched.page, scores, steps_of("alm")[3], 12 / 32)
    assert "that of these test cases, not of your site" in watched.page.locator("#avoided .prevalence").text_content()


@pytest.mark.parametrize(("entry", "prevalence"), [(None, 12 / 32), ("5", 0.05), ("60", 0.6)])
def test_net_benefit_follows_the_prevalence(watched, entry, prevalence):
    scores = by_arm(three_arms())["alm"]
    if entry is not None:
        watched.page.locator("#prevalence").fill(entry)
    table = at_threshold(scores.logits, scores.labels, THRESHOLD.value)
    for share in LISTED:
        rates = {"threshold_probability": share, "prevalence": prevalence}
        found = net_benefit_at(table, **rates)
        anew = net_benefit(scores.logits, scores.labels, calibrated_prevalence=0.3, **rates).model
        row = f'[data-pt="{share}"]'
        assert agrees(
            shown(watched.page, "net_avoided", row), found.net_scans_avoided, wording.count(found.net_scans_avoided), 1
        )
        for name, figure in (("benefit", found.model), ("benefit_anew", anew)):
            assert agrees(shown(watched.page, name, row), figure, wording.area(figure), 1), (name, share)
        everyone = watched.page.locator(f'{row} [data-figure="benefit_all"]').text_content()
        assert everyone == wording.area(found.dce_for_all).value


@pytest.mark.parametrize("entry", ["", "150", "0.05", "12.34", "-3"])
def test_an_impossible_prevalence_changes_nothing_and_says_so(watched, entry):
    before = shown(watched.page, "scans_avoided", "#avoided")
    field, refused = watched.page.locator("#prevalence"), watched.page.locator("#prevalence-refused")
    assert not refused.is_visible()
    field.fill(entry)
    assert shown(watched.page, "scans_avoided", "#avoided") == before
    assert field.get_attribute("aria-invalid") == "true"
    assert refused.text_content() == (
        "Not a prevalence: give 0.1 to 99.9%, one decimal at most. The figures stay at 37.5%."
    )
    assert refused.is_visible()
    field.blur()
    assert (field.input_value(), field.get_attribute("aria-invalid")) == ("37.5", "false")
    assert not refused.is_visible()


def test_the_ends_of_the_range_are_prevalences(watched):
    for entry, share in (("0.1", 0.001), ("99.9", 0.999)):
        watched.page.locator("#prevalence").fill(entry)
        assert watched.page.locator("#prevalence").get_attribute("aria-invalid") == "false"
        assert_figures(watched.page, by_arm(three_arms())["alm"], 0.0, share)


def test_some_missed_are_never_written_as_nobody(watched):
    scores = by_arm(three_arms())["alm"]
    watched.page.locator("#prevalence").fill("0.1")
    figure = at_prevalence(at_threshold(scores.logits, scores.labels, 0.0), 0.001).wrongly_avoided
    assert 0 < figure.value < 0.05
    said = watched.page.locator("#avoided .cost").text_content()
    assert said.startswith("< 0.1 of them wrongly")
    assert f"missed, {wording.one_in(figure)}." in said


def test_the_script_rounds_as_python_does(watched):
    numbers = [0.0, 1e-12, 1e-7, 0.02, 0.05, 0.15, 49.95, 99.94, 99.95, 99.97, 100 - 1e-12, 100.0, -0.02, 0.0004]
    for digits, top in ((1, 100), (3, None), (3, 1)):
        script = "([all, digits, top]) => all.map((value) => bounded(value, digits, top))"
        found = watched.page.evaluate(script, [numbers, digits, top])
        assert found == [wording.bounded(value, digits, top) for value in numbers]


def test_an_interval_without_width_is_written_as_python_does(watched):
    scale = "{ unit: '', digits: 1, top: 100 }"
    assert watched.page.evaluate(f"interval('x', {{ low: 1, high: 1 }}, {scale})") == wording.DEGENERATE


def test_numbers_are_written_as_python_writes_them(chromium, tmp_path):
    write_report(tmp_path, evaluated(clinical_study(), threshold=THRESHOLD))
    with opened(chromium, tmp_path / "report.html") as found:
        assert shown(found.page, "fpr").text == "31.2%"  # 20 of 64 is 31.25%: a tie goes to the even digit
        assert shown(found.page, "specificity").text == "68.8%"
        assert shown(found.page, "sensitivity").text == "94.4%"
        assert shown(found.page, "fn_rate").interval == "at most 16.5%"
