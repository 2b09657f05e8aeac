"""The PDF of a report, read back: golden numbers, nothing taken for markup, every page marked."""

import re
import time
from dataclasses import replace

import numpy as np
import pypdfium2
import pytest

from prostate_alm.operating_point import Threshold
from prostate_alm.report import wording
from prostate_alm.report.build import report_of
from prostate_alm.report.content import CaseFacts, Evaluated
from prostate_alm.report.flow import Flow
from prostate_alm.report.pdf import DISCLAIMER, pdf_bytes
from prostate_alm.report.plots import Plots, plots_of
from prostate_alm.report.prevalences import at_prevalences
from prostate_alm.report.rows import figure_rows
from prostate_alm.studies.volumes import Volume

THRESHOLD = Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256="a" * 64, cohort_sha256="b" * 64)
NOTICE = "demo weights, trained on synthetic phantoms: not for any clinical use"
UNDRAWN = Plots(None, {}, None, None)
MARKUP = ("<script>alert(1)</script>", "#emph[x] #panic()", "$x_1$ *bold* @label // no comment \\ `raw`", '"; }')


def table(tp, fn, tn, fp):
    """A study with this two-by-two table at threshold 0."""
    counts = [tp, fn, tn, fp]
    n = sum(counts)
    logits = np.repeat([1.0, -1.0, -1.0, 1.0], counts) + np.linspace(0, 0.5, n)
    labels = np.repeat([1, 1, 0, 0], counts)
    return [(f"case{i:03}", int(labels[i]), "alm", float(logits[i])) for i in range(n)]


def three_arms(n1=12, n0=20):
    generator = np.random.default_rng(2)
    labels = np.repeat([1, 0], [n1, n0])
    return [
        (f"case{i:03}", int(labels[i]), arm, float(gain * labels[i] + generator.normal()))
        for arm, gain in (("base", 1.0), ("continued", 1.0), ("alm", 2.0))
        for i in range(n1 + n0)
    ]


def everything(folder):
    image = Volume(np.random.default_rng(0).random((30, 30, 5), np.float32), np.diag([-4.0, -4.0, 3.0, 1.0]))
    paths = {name: image.save(folder / f"{name}.nii") for name in ("t2w", "dwi_b1000")}
    return Evaluated(
        three_arms(),
        threshold=THRESHOLD,
        notice=NOTICE,
        provenance={"Model": "the bundle, version 1", "Model SHA-256": "c" * 64},
        cases={f"case{i:03}": CaseFacts({"Vendor": "Siemens" if i % 2 else "GE"}, paths) for i in range(32)},
        training_prevalence=0.4,
        training={"loss": "bce", "members": 3},
        flow=Flow(50, (("no usable axial T2", 15),), 35, 0, 3, 12, 20, 31, 0),
    )


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    return everything(tmp_path_factory.mktemp("volumes"))


@pytest.fixture(scope="module")
def report(evaluated):
    return report_of(evaluated)


@pytest.fixture(scope="module")
def content(report):
    return pdf_bytes(report)


def pages(content):
    document = pypdfium2.PdfDocument(content)
    return [page.get_textpage().get_text_range() for page in document]


def flat(text):
    """Without white space, which a line's end adds."""
    return re.sub(r"\s", "", text)


def text_of(evaluated):
    return " ".join(" ".join(pages(pdf_bytes(report_of(evaluated)))).split())


def test_the_golden_numbers_stand_on_the_first_page():
    first = flat(pages(pdf_bytes(report_of(Evaluated(table(34, 2, 44, 20), threshold=THRESHOLD))))[0])
    for words in ("94.4%", "68.8%", "at most 16.5%", "34 of 36", "20 of 64", "44 of 64", "n1 = 36, n0 = 64"):
        assert flat(words) in first
    technician = pages(pdf_bytes(report_of(Evaluated(table(23, 13, 57, 7), threshold=THRESHOLD)), UNDRAWN))[0]
    assert "63.9%" in technician
    assert "89.1%" in technician


def test_the_first_page_has_question_answer_notice_and_kind(report, content):
    first = flat(pages(content)[0])
    oracle = wording.rate(report.main.fpr_at_0fn)
    for words in (
        "Who needs contrast?", NOTICE, THRESHOLD.promise, "ORACLE", "LOCKED", oracle.value, oracle.interval,
        f"LOCKED certified, n1 = 12, n0 = 20 {report.main.locked.fn} of 12",
        f"missed: FN rate {wording.rate(report.main.locked.fn_rate).value}, at most",
        f"FN rate one-sided 95% bound, oracle 0.0% at most {wording.upper_bound(report.oracle.table.fn_rate)}",
        "n1 = 12, n0 = 20", "Scans avoided per 100 patients", "An avoided scan can be a missed patient",
    ):  # fmt: skip
        assert flat(words) in first


def test_scans_avoided_stand_at_usual_prevalences_and_at_the_own(report, content):
    first = flat(pages(content)[0])
    rows = at_prevalences(report)
    assert [round(prevalence, 3) for prevalence, _ in rows] == [0.1, 0.2, 0.3, 0.375, 0.4, 0.5]
    for prevalence, figures in rows:
        avoided = wording.count(figures.scans_avoided)
        for written in (avoided, wording.count(figures.wrongly_avoided), wording.rate(figures.npv)):
            assert flat(written.value) in first
            assert flat(written.interval) in first
        sensitivity, specificity = report.main.locked.sensitivity.value, report.main.locked.specificity.value
        by_hand = 100 * (prevalence * (1 - sensitivity) + (1 - prevalence) * specificity)
        assert figures.scans_avoided.value == pytest.approx(by_hand)
    assert rows[3][1] is report.operating.at_prevalence


def test_every_figure_of_the_table_stands_in_the_json(report):
    written = [row for row in figure_rows(report) if row.get("part") == "at prevalence"]
    told = [
        (prevalence, figure.as_dict()) for prevalence, figures in at_prevalences(report) for figure in figures.figures
    ]
    assert [
        (row["prevalence"], {name: row[name] for name in figure})
        for row, (_, figure) in zip(written, told, strict=True)
    ] == told


def test_an_oracle_threshold_marks_what_follows_from_it():
    report = report_of(Evaluated(three_arms()))
    assert {figure.kind for _, figures in at_prevalences(report) for figure in figures.figures} == {"oracle"}
    first = flat(pages(pdf_bytes(report))[0])
    assert flat("none given No locked threshold came with this evaluation") in first
    assert flat("ORACLE at the threshold that misses nobody here") in first
    assert "LOCKED" not in first


def test_every_page_says_what_it_is(content):
    found = pages(content)
    assert 6 <= len(found) <= 12
    for number, page in enumerate(found, start=1):
        assert DISCLAIMER in page
        assert flat(NOTICE) in flat(page)
        assert flat(f"page {number} of {len(found)}") in flat(page)


def test_every_section_is_there_with_its_figures(report, content):
    text = flat(" ".join(pages(content)))
    for summary in report.summaries:
        for written in (wording.area(summary.auc), wording.rate(summary.fpr_at_0fn), wording.rate(summary.fpr_at_1fn)):
            assert flat(written.value + written.interval) in text
    for pair in report.pairs:
        names = f"{wording.arm_name(pair.arm)} against {wording.arm_name(pair.against)}"
        assert flat(names + wording.difference(pair.auc)) in text
        assert flat(wording.p_value(pair.fpr_at_0fn.p_value)) in text
    for figure in report.calibration.figures:
        assert flat(wording.area(figure).value) in text
    for case_id, _ in (*report.operating.errors.missed, *report.operating.errors.needless):
        assert case_id in text
    for words in ("Vendor", "Siemens", "Studies read", "no usable axial T2", "c" * 64, "a" * 64, "loss bce",
                  "paired DeLong", "Checklist: CLAIM 2024", "Checklist: STARD-AI 2025",
                  "to be filled in by the authors: what made a study positive"):  # fmt: skip
        assert flat(words) in text


def test_a_grouping_without_variety_is_one_line():
    cases = {f"case{i:03}": CaseFacts({"Vendor": "Siemens", "Site": "AB"[i % 2]}) for i in range(100)}
    report = report_of(Evaluated(table(34, 2, 44, 20), cases=cases))
    text = flat(" ".join(pages(pdf_bytes(report, UNDRAWN))))
    assert flat("Vendor: Siemens, all cases.") in text
    assert flat("Site A 18, 32") in text


def test_the_shown_cases_have_their_pictures(report, content, evaluated):
    expected = sum(len(case.pictures) for case in report.shown)
    assert expected > 0
    document = pypdfium2.PdfDocument(content)
    images = [one for page in document for one in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])]
    assert len(images) == expected
    without = pypdfium2.PdfDocument(pdf_bytes(report_of(replace(evaluated, pictured=False))))
    assert not [one for page in without for one in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])]


@pytest.mark.parametrize("evil", [*MARKUP, "Привет, Ελλάδα: الفحص", "检查"])
def test_whatever_comes_in_is_shown_as_text(evil):
    rows = [(f"{evil}{i}" if i < 2 else f"c{i}", i % 2, "alm", float(-i if i < 2 else i)) for i in range(24)]
    evaluated = Evaluated(
        rows,
        notice=evil,
        threshold=THRESHOLD,
        provenance={evil: {"name": evil}},
        cases={f"c{i}": CaseFacts({"Vendor": evil}) for i in range(2, 24)},
        training={"loss": evil},
        flow=Flow(None, ((evil, 1),), 24, 0, 0, 12, 12, 24, 0, (evil,)),
    )
    text = " ".join(pages(pdf_bytes(report_of(evaluated), UNDRAWN)))
    assert flat(text).count(flat(evil)) >= 8


def test_a_description_of_5000_characters_is_shown_whole_inside_the_page():
    long = "abcdefghij" * 500
    evaluated = Evaluated(
        table(34, 2, 44, 20),
        threshold=THRESHOLD,
        notice=long,
        provenance={"model": long},
        cases={f"case{i:03}": CaseFacts({"Vendor": long}) for i in range(100)},
    )
    document = pypdfium2.PdfDocument(pdf_bytes(report_of(evaluated)))
    letters = 0
    for page in document:
        text, width, height = page.get_textpage(), page.get_width(), page.get_height()
        letters += flat(text.get_text_range()).count("abcdefghij")
        boxes = [text.get_charbox(place) for place in range(text.count_chars())]
        assert all(left >= 0 and right <= width and low >= 0 and top <= height for left, low, right, top in boxes)
    assert letters >= 3 * 500


def test_the_same_evaluation_gives_the_same_bytes_at_another_time(evaluated, content):
    time.sleep(1.1)  # a PDF's dates count seconds
    again = report_of(evaluated)
    assert pdf_bytes(again) == content
    assert pdf_bytes(again, plots_of(again)) == content
    assert b"CreationDate" not in content


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("threshold", [None, THRESHOLD])
def test_one_class_gives_a_report_that_says_undefined(label, threshold):
    rows = [(f"case{i}", label, arm, float(i)) for i in range(4) for arm in ("base", "alm")]
    text = text_of(Evaluated(rows, threshold=threshold))
    reason = "no positives" if label == 0 else "no negatives"
    assert "undefined" in text
    assert flat(f"There is no curve: {reason}.") in flat(text)
    assert ("There is no operating point" in text) == (label == 0 and threshold is None)
    assert at_prevalences(report_of(Evaluated(rows, threshold=threshold))) == ()


def test_many_cases_stay_small(evaluated):
    content = pdf_bytes(report_of(replace(evaluated, predictions=three_arms(120, 280))))
    assert len(content) < 1_500_000
    assert len(pages(content)) <= 15
