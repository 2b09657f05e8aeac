"""The page in headless Chromium: what its script shows is what Python computes, and nothing leaves the page."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from browser import needs_chromium, opened
from report.evaluations import THRESHOLD, evaluated, three_arms
from report.moving import assert_figures, listed, move, steps_of

from prostate_alm.report import CaseFacts, Prediction, by_arm, errors_at, write_report
from prostate_alm.report.build import MISSED, SHOWN

pytestmark = [needs_chromium, pytest.mark.slow]
ORDER = ("alm", "base", "continued")
EVIL = "</script><script>document.title = 'evil'</script><img src=x onerror=\"document.title = 'evil'\">"


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
    kind = watched.page.locator(".mover #moved-kind")  # stays in sight when the page is scrolled
    assert kind.text_content() == "locked"
    assert_figures(watched.page, by_arm(three_arms())["alm"], 0.0, 12 / 32)
    start = steps_of("alm").index(0.0)
    assert watched.page.locator("#threshold").input_value() == str(start)
    move(watched.page, start + 1)
    assert kind.text_content() == "oracle"
    assert "(false negatives, oracle)" in watched.page.locator(".lists").text_content()
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
