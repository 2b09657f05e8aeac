"""The page in headless Chromium: what its script shows is what Python computes, and nothing leaves the page."""

import math
from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np
import pytest
from browser import browser, needs_chromium, opened
from report.evaluations import NOTICE, THRESHOLD, clinical_study, evaluated, grouped, three_arms

from prostate_alm.metrics import at_prevalence, at_threshold, net_benefit
from prostate_alm.report import CaseFacts, Prediction, by_arm, errors_at, wording, write_report
from prostate_alm.report.build import MISSED, SHOWN

pytestmark = [needs_chromium, pytest.mark.slow]
ORDER = ("alm", "base", "continued")
EVIL = "</script><script>document.title = 'evil'</script><img src=x onerror=\"document.title = 'evil'\">"


@pytest.fixture(scope="module")
def chromium():
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The page of three arms with a locked threshold."""
    folder = tmp_path_factory.mktemp("page")
    cases = grouped(three_arms(), Vendor=["Siemens", "GE"], Scanner=["one"])
    given = evaluated(threshold=THRESHOLD, notice=NOTICE, cases=cases, training_prevalence=0.3)
    write_report(folder, given)
    return folder / "report.html"


@pytest.fixture
def watched(chromium, path):
    with opened(chromium, path) as found:
        yield found
        assert found.said == []
        assert found.requests == [path.as_uri()]


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
    if figure.interval[0] == figure.interval[1]:
        interval = found.interval
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


@pytest.mark.parametrize("arm", ORDER)
def test_a_moved_threshold_shows_what_python_computes(watched, arm):
    scores, steps = by_arm(three_arms())[arm], steps_of(arm)
    watched.page.locator(f"#arm-{ORDER.index(arm)}").check()
    assert watched.page.locator("#threshold").get_attribute("max") == str(len(steps) - 1)
    for step in sorted({0, 1, 4, len(steps) // 2, len(steps) - 3, len(steps) - 2, len(steps) - 1}):
        move(watched.page, step)
        assert_figures(watched.page, scores, steps[step], 12 / 32)
        errors = errors_at(scores, steps[step])
        logits = dict(zip(scores.case_ids, scores.logits.tolist(), strict=True))
        for name, wrong in (("missed", errors.missed), ("needless", errors.needless)):
            found = listed(watched.page, name)
            assert sorted(found) == sorted(case_id for case_id, _ in wrong)
            assert [logits[case_id] for case_id in found] == [logit for _, logit in wrong]  # worst first
            assert watched.page.locator(f'[data-text="{name}-count"]').first.text_content() == str(len(wrong))
        said = watched.page.locator("#moved-said").text_content()
        assert f"{len(errors.missed)} missed; {len(errors.needless)} of 20 who do not need it get it" in said


def test_it_starts_at_the_locked_threshold_and_says_when_it_leaves_it(watched):
    kind = watched.page.locator("#moved-kind")
    assert kind.text_content() == "locked"
    assert_figures(watched.page, by_arm(three_arms())["alm"], 0.0, 12 / 32)
    start = steps_of("alm").index(0.0)
    assert watched.page.locator("#threshold").input_value() == str(start)
    move(watched.page, start + 1)
    assert kind.text_content() == "oracle"
    assert "read off these same cases" in watched.page.locator('[data-text="moved-kind-said"]').text_content()
    watched.page.locator("#restart").click()
    assert kind.text_content() == "locked"
    watched.page.locator("#arm-1").check()
    assert kind.text_content() == "oracle"


def test_miss_nobody_is_the_oracle_of_the_chosen_arm(watched):
    for place, arm in enumerate(ORDER):
        scores = by_arm(three_arms())[arm]
        watched.page.locator(f"#arm-{place}").check()
        watched.page.locator("#miss-nobody").click()
        assert_figures(watched.page, scores, scores.logits[scores.labels == 1].min(), 12 / 32)


def test_arms_are_compared_at_the_same_number_of_missed(watched):
    misses = len(errors_at(by_arm(three_arms())["alm"], 0.0).missed)
    watched.page.locator("#arm-2").check()
    scores = by_arm(three_arms())["continued"]
    assert_figures(watched.page, scores, np.sort(scores.logits[scores.labels == 1])[misses], 12 / 32)
    assert watched.page.locator("#score-pictures > div:visible").count() == 1


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
    for share in (0.05, 0.1, 0.2, 0.5):
        found = net_benefit(
            scores.logits,
            scores.labels,
            threshold_probability=share,
            prevalence=prevalence,
            calibrated_prevalence=0.3,
        )
        row = f'[data-pt="{share}"]'
        assert agrees(
            shown(watched.page, "net_avoided", row), found.net_scans_avoided, wording.count(found.net_scans_avoided), 1
        )
        for name, figure in (("benefit", found.model), ("benefit_all", found.dce_for_all)):
            cell = watched.page.locator(f'{row} [data-figure="{name}"]')
            assert float(cell.get_attribute("data-value")) == pytest.approx(figure.value, rel=1e-12, abs=1e-12)
            assert cell.text_content() == wording.fixed(figure.value)


@pytest.mark.parametrize("entry", ["", "0", "100", "-3"])
def test_an_impossible_prevalence_changes_nothing(watched, entry):
    before = shown(watched.page, "scans_avoided", "#avoided")
    watched.page.locator("#prevalence").fill(entry)
    assert shown(watched.page, "scans_avoided", "#avoided") == before


def test_the_keyboard_reaches_and_moves_the_slider(watched):
    page = watched.page
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "threshold":
            break
    slider = page.locator("#threshold")
    assert page.evaluate("document.activeElement.id") == "threshold"
    start, steps = int(slider.input_value()), steps_of("alm")
    for key, step in (("ArrowRight", start + 1), ("ArrowLeft", start), ("Home", 0), ("End", len(steps) - 1)):
        page.keyboard.press(key)
        assert slider.input_value() == str(step)
        assert_figures(page, by_arm(three_arms())["alm"], steps[step], 12 / 32)
        assert slider.get_attribute("aria-valuetext").startswith(
            "above every score" if step == len(steps) - 1 else f"{steps[step]:.3f} logits"
        )
    assert page.locator("#moved-said").get_attribute("aria-live") == "polite"


def test_the_ring_stands_on_the_curve(watched):
    page = watched.page
    frame = page.locator("#roc-patch_2").bounding_box()  # the ground of the axes, as matplotlib drew it
    for step, fpr, tpr in ((len(steps_of("alm")) - 1, 0, 0), (0, 1, 1)):
        move(page, step)
        ring = page.locator("#roc-picture circle.moved").bounding_box()
        x, y = ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2
        assert x == pytest.approx(frame["x"] + fpr * frame["width"], abs=1)
        assert y == pytest.approx(frame["y"] + frame["height"] * (1 - tpr / 1.01), abs=1)


def test_the_first_screen_holds_the_answers_and_the_warning(watched):
    for name in ("#oracle", "#locked", "#avoided .big", "#avoided .cost", "#prevalence", "#warning-title"):
        box = watched.page.locator(name).bounding_box()
        assert box["y"] + box["height"] <= 900, name


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_overflows_and_nothing_leaves_the_page(chromium, path, width):
    with opened(chromium, path, width=width) as found:
        found.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        widths = found.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert widths == [width, width]
        move(found.page, 0)
        assert (found.said, found.requests) == ([], [path.as_uri()])


def test_without_a_script_the_page_shows_the_operating_point(chromium, path):
    with opened(chromium, path, java_script_enabled=False) as found:
        assert found.page.get_by_text("The cases called wrongly").is_visible()
        assert not found.page.locator("#threshold").is_visible()
        assert not found.page.locator("#moved-said").is_visible()
        assert found.page.locator('#avoided [data-figure="scans_avoided"]').is_visible()


def test_in_print_the_page_shows_the_operating_point_whatever_was_moved(watched):
    move(watched.page, 0)
    assert watched.page.locator("#roc-picture circle.moved").is_visible()
    watched.page.emulate_media(media="print")
    for name in ("#threshold", "#moved-said", "#explorer .figures", "#roc-picture circle.moved", "#missed-list"):
        assert not watched.page.locator(name).is_visible()
    assert watched.page.get_by_text("The cases called wrongly").is_visible()
    assert watched.page.get_by_text("Sensitivity").first.is_visible()


def test_numbers_are_written_as_python_writes_them(chromium, tmp_path):
    write_report(tmp_path, evaluated(clinical_study(), threshold=THRESHOLD))
    with opened(chromium, tmp_path / "report.html") as found:
        assert shown(found.page, "fpr").text == "31.2%"  # 20 of 64 is 31.25%: a tie goes to the even digit
        assert shown(found.page, "specificity").text == "68.8%"
        assert shown(found.page, "sensitivity").text == "94.4%"
        assert shown(found.page, "fn_rate").interval == "at most 16.5%"


def test_whatever_comes_in_is_text_in_the_lists_too(chromium, tmp_path):
    names = [EVIL, "検査 الفحص", "y" * 5000, "<b>bold</b>"]
    rows = [Prediction(name, place % 2, "alm", float(-place)) for place, name in enumerate(names)]
    cases = {name: CaseFacts({"Vendor": EVIL}) for name in names[:2]}
    write_report(tmp_path, evaluated(rows, threshold=THRESHOLD, notice=EVIL, cases=cases))
    with opened(chromium, tmp_path / "report.html", width=390) as found:
        move(found.page, 4)
        assert sorted(listed(found.page, "missed")) == sorted(names[1::2])
        move(found.page, 0)
        assert sorted(listed(found.page, "needless")) == sorted(names[::2])
        assert found.page.title() == "Who needs contrast? Evaluation report"
        assert found.page.locator("img, b b").count() == 0
        assert found.page.evaluate("document.documentElement.scrollWidth") == 390
        assert (found.said, found.requests) == ([], [(tmp_path / "report.html").as_uri()])


def test_four_hundred_cases_with_pictures_stay_below_five_megabytes(chromium, tmp_path):
    generator = np.random.default_rng(0)
    for name in ("t2w", "dwi_b100", "dwi_b1000"):
        voxels = generator.normal(100, 30, (256, 256, 3)).astype(np.float32)  # noise is the hardest to compress
        nib.save(nib.Nifti1Image(voxels, np.diag([0.5, 0.5, 3.0, 1.0])), tmp_path / f"{name}.nii.gz")
    images = {name: tmp_path / f"{name}.nii.gz" for name in ("t2w", "dwi_b100", "dwi_b1000")}
    rows = three_arms(n1=150, n0=250)
    threshold = replace(THRESHOLD, value=1.5)  # misses more than are shown
    cases = {row.case_id: CaseFacts({}, images) for row in rows}
    write_report(tmp_path, evaluated(rows, threshold=threshold, cases=cases, pictured=True))
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    page = tmp_path / "report.html"
    assert page.stat().st_size < 5_000_000
    with opened(chromium, page) as found:
        assert found.page.locator(".gallery img").count() == 2 * (MISSED + SHOWN)
        assert found.page.evaluate("[...document.images].every((one) => one.complete && one.naturalWidth > 0)")
        assert all(found.page.locator(".gallery img").evaluate_all("all => all.map((one) => one.alt !== '')"))
        assert (found.said, [url for url in found.requests if not url.startswith("data:")]) == ([], [page.as_uri()])
