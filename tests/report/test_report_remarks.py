"""What a reader is told of this very report: each sentence where it holds, nowhere else, on page and PDF alike."""

from dataclasses import replace

import numpy as np
import pypdfium2
import pytest
from report.evaluations import THRESHOLD, clinical_study, evaluated, grouped, three_arms
from report.page_text import Text
from scipy.stats import binom

from prostate_alm.render.pictures import KeyPicture
from prostate_alm.report import CaseFacts, remarks, report_of, wording
from prostate_alm.report.build import MISSED, SHOWN
from prostate_alm.report.flow import Flow
from prostate_alm.report.page import html, methods
from prostate_alm.report.pdf import _shown, pdf_bytes
from prostate_alm.report.plots import Plots

UNDRAWN = Plots(None, {}, None, None)


def both(report):
    """The text of page and PDF; white space is left out, since a line's end adds it."""
    pages = pypdfium2.PdfDocument(pdf_bytes(report, UNDRAWN))
    pdf = "".join(page.get_textpage().get_text_range() for page in pages)
    return squeezed(Text(html(report, replace(UNDRAWN, scores={}))).text), squeezed(pdf)


def squeezed(text):
    return "".join(text.split())


def first_screen(text):
    return text.partition(squeezed("Before you rely on this"))[0]


def study(tp, fn, tn, fp, **given):
    logits = np.repeat([1.0, -1.0, -1.0, 1.0], [tp, fn, tn, fp])
    labels = np.repeat([1, 1, 0, 0], [tp, fn, tn, fp])
    rows = [(f"case{i:03}", int(labels[i]), "alm", float(logits[i])) for i in range(len(labels))]
    return report_of(evaluated(rows, **{"threshold": THRESHOLD} | given))


@pytest.mark.parametrize("threshold", [None, THRESHOLD])
def test_missing_nobody_of_a_few_says_little(threshold):
    report = study(1, 0, 40, 0, threshold=threshold)
    for text in both(report):
        assert squeezed("FN rate one-sided 95% bound, oracle 0.0% at most 95.0%") in text
        assert squeezed(
            "Only 1 positive says little: up to 95.0% of those who need contrast may be missed."
        ) in first_screen(text)
        assert squeezed("undefined needs at least 2 positives") in text
        assert squeezed("no interval: it needs two cases of each class") in text
        assert squeezed("got 1 misses") not in text


@pytest.mark.parametrize(("n1", "said"), [(21, True), (22, False)])
def test_enough_positives_for_the_weakest_promise_are_not_called_few(n1, said):
    assert ("positives say little" in remarks.few_positives(study(n1, 0, 5, 5))) == said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ((18, 18, 60, 4), "18 of 36 missed: these cases contradict the promise of at most 10.0%. Do not use"),
        ((31, 5, 60, 4), "5 of 36 missed: more than the promised 10.0%; that may be chance."),
        ((33, 3, 60, 4), ""),
        ((36, 0, 60, 4), ""),
    ],
)
def test_cases_that_speak_against_the_promise_say_so(table, said):
    report = study(*table)
    assert remarks.against_promise(report).startswith(said)
    assert bool(remarks.against_promise(report)) == bool(said)
    for text in both(report) if "contradict" in said else ():
        assert squeezed(said) in first_screen(text)


def test_the_line_between_chance_and_contradiction_is_the_exact_lower_bound():
    """A promise of 10% is contradicted by as many missed as it would let be missed in fewer than 5% of tests."""
    for n1, missed in ((20, 4), (20, 5), (25, 5), (25, 6), (36, 7), (36, 8), (40, 8)):
        broken = "contradict" in remarks.against_promise(study(n1 - missed, missed, 60, 4))
        assert broken == (binom.sf(missed - 1, n1, 0.1) < 0.05), (n1, missed)


@pytest.mark.parametrize("threshold", [None, THRESHOLD])
def test_page_and_pdf_warn_alike_and_promise_only_with_a_threshold(threshold):
    report = report_of(evaluated(threshold=threshold))
    for text in both(report):
        for brief, rest in remarks.cautions(report):
            assert squeezed(brief + rest) in text
        assert (squeezed("A promise is about the population") in text) == (threshold is not None)
        chosen = squeezed("chosen on these very cases: expect missed patients elsewhere")
        assert (chosen in text) == (threshold is None)


@pytest.mark.parametrize("patients", [31, 32])
def test_several_studies_of_a_patient_make_intervals_too_narrow(patients):
    report = report_of(evaluated(flow=Flow(40, (), 32, 0, 0, 12, 20, patients, 0)))
    for text in both(report):
        said = text.count(squeezed("intervals treat studies as independent and are too narrow"))
        assert said == (6 if patients == 31 else 0)  # first screen, methods, two items of each checklist


def test_scores_off_their_probabilities_are_called_miscalibrated():
    report = report_of(evaluated(clinical_study(36, 64), training_prevalence=0.01))
    assert report.calibration.intercept.interval[0] > 0 or report.calibration.intercept.interval[1] < 0
    for text in both(report):
        assert squeezed("Miscalibrated:") in text
        assert squeezed("the intercept's interval") in text


def test_calibrated_scores_are_not_called_miscalibrated():
    logits = np.log([0.2 / 0.8, 0.8 / 0.2]).repeat(20)
    labels = [1] * 4 + [0] * 16 + [1] * 16 + [0] * 4  # as many as the scores say
    rows = [(f"c{i:02}", labels[i], "alm", float(logits[i])) for i in range(40)]
    assert remarks.miscalibrated(report_of(evaluated(rows, training_prevalence=0.5))) == ""


def test_the_note_on_probabilities_names_arm_and_loss():
    report = report_of(evaluated(training={"loss": "focal"}))
    assert remarks.no_probabilities(report).startswith("ALM's constraint shifts the scores (base loss focal)")
    base = report_of(evaluated(main_arm="base"))
    assert remarks.no_probabilities(base).startswith("Base: a loss that weighs or ranks the classes")


def test_unknown_groupings_are_named():
    known = {"Vendor": ["A", "B"], "Site": ["x"], "Age band": [None]}
    report = report_of(evaluated(cases=grouped(three_arms(), **known)))
    for text in both(report):
        assert squeezed("Not assessed: field strength, age band (unknown for all cases).") in text
    every = {name: ["one"] for name in remarks.ASSESSED}
    assert remarks.not_assessed(report_of(evaluated(cases=grouped(three_arms(), **every)))) == ""


def test_shown_cases_are_told_as_so_many_of_all():
    report = study(20, 16, 44, 20)
    said = f"the worst {MISSED} of 16 missed; then the {SHOWN} of 20 given contrast without need that lie nearest"
    assert remarks.shown_cases(report).startswith(said)
    assert remarks.shown_cases(study(34, 2, 63, 1)) == (
        "all 2 missed, worst first; then all 1 given contrast without need, nearest the threshold first"
    )
    assert remarks.shown_cases(study(36, 0, 64, 0)) == (
        f"nobody is missed, so the {SHOWN} of 36 who need contrast that lie nearest the threshold"
    )
    for text in both(with_pictures(report, lambda place: place < 3)):
        assert squeezed(said) in text


@pytest.mark.parametrize(
    ("given", "why"), [({}, "none were asked for"), ({"pictured": True}, "no T2 or b1000 volumes")]
)
def test_why_there_are_no_pictures_is_said(given, why):
    for text in both(study(34, 2, 44, 20, **given)):
        assert squeezed(f"No pictures: {why}") in text


def with_pictures(report, has):
    picture = KeyPicture(PNG, "t2w", 20.0, "T2, axial, z 20.0 mm")
    shown = tuple(
        replace(case, pictures=(picture,), lacking="") if has(place) else replace(case, lacking="unreadable")
        for place, case in enumerate(report.shown)
    )
    return replace(report, shown=shown)


PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\nIDATx\x9cc`"
    b"\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)


def test_a_picture_says_whose_it_is_and_a_case_without_says_why():
    report = with_pictures(study(34, 2, 44, 20), lambda place: place == 0)
    page = html(report, UNDRAWN)
    assert 'alt="missed, case case034: T2, axial, z 20.0 mm"' in page
    assert _shown(report)[0]["pictures"][0]["caption"] == "missed, case case034: T2, axial, z 20.0 mm"
    assert "no picture: the volumes cannot be read" in page
    assert squeezed("no picture: the volumes cannot be read") in both(report)[1]


def test_net_benefit_is_of_the_reported_threshold_on_page_and_pdf():
    report = study(27, 3, 57, 3, training_prevalence=1 / 3)
    listed = [point for point in report.decision_curve if point.listed]
    plots = replace(UNDRAWN, decision="<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
    pages = pypdfium2.PdfDocument(pdf_bytes(report, plots))
    pdf = squeezed("".join(page.get_textpage().get_text_range() for page in pages))
    page = squeezed(Text(html(report, plots)).text)
    for point in listed:
        model, avoided = wording.area(point.benefit.model), wording.count(point.benefit.net_scans_avoided)
        everyone = wording.area(point.benefit.dce_for_all).value
        row = squeezed(f"{model.value} {model.interval} {everyone} {avoided.value} {avoided.interval}")
        assert row in page
        assert row in pdf
    assert squeezed("-266.7") in page
    for text in (page, pdf):  # beside calibration and beside net benefit
        assert text.count(squeezed("ALM's constraint shifts the scores: these are not probabilities.")) == 2


def test_no_net_benefit_has_a_kind_in_the_methods():
    named = methods(report_of(evaluated(training_prevalence=0.3)))
    assert {name for name, _ in named if name.startswith("net")} == {
        "net benefit", "net benefit of DCE for all", "net scans avoided per 100",
    }  # fmt: skip
    assert any("cut-off set by pt; prevalence of the test cases" in method for _, method in named)


def test_headings_of_wrongly_called_cases_name_the_kind():
    for threshold, kind in ((None, "oracle"), (THRESHOLD, "locked")):
        for text in both(report_of(evaluated(threshold=threshold))):
            assert squeezed(f"(false negatives, {kind})") in text
            assert squeezed(f"(false positives, {kind})") in text


def test_facts_of_a_case_reach_the_groups():
    cases = {f"case{i:03}": CaseFacts({"Site": "north" if i % 2 else "south"}) for i in range(100)}
    for text in both(report_of(evaluated(clinical_study(), cases=cases))):
        assert squeezed("north 18, 32") in text
