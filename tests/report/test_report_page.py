"""The three files of an evaluation: what they hold, that the page stands alone, that nothing is half-written."""

import base64
import csv
import hashlib
import json
import re

import pytest
from report.evaluations import NOTICE, THRESHOLD, clinical_study, evaluated, grouped, three_arms
from report.page_text import Text, read, written

from prostate_alm.errors import OutputError, UsageError
from prostate_alm.report import CaseFacts, Prediction, figure_rows, report_of, summarise, wording, write_report
from prostate_alm.report.flow import Flow

FLOW = Flow(40, (("no usable axial T2", 8),), 32, 0, 0, 12, 20, 32, 0, ("Something is unknown.",))
PROVENANCE = {"model": {"name": "the bundle", "sha256": "c" * 64}, "seed": 3, "members": [1, 2]}
FULL = evaluated(
    threshold=THRESHOLD,
    notice=NOTICE,
    provenance=PROVENANCE,
    cases=grouped(three_arms(), Vendor=["A", "A", "A", "B"], Scanner=["one model"]),
    training_prevalence=0.25,
    flow=FLOW,
)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A folder with everything known; the page is read once."""
    folder = tmp_path_factory.mktemp("full")
    write_report(folder, FULL)
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A page made from scores alone."""
    folder = tmp_path_factory.mktemp("bare")
    write_report(folder, evaluated())
    return read(folder / "report.html")


GOLDEN = {
    (34, 44): ("94.4%", "68.8%", "at most 16.5%", "34 of 36", "20 of 64", "44 of 64", "n1 = 36, n0 = 64"),
    (23, 57): ("63.9%", "89.1%", "23 of 36", "7 of 64", "57 of 64"),
}
"""True positives and negatives of the clinical study -> what stands on the page: the CNN, the technician."""


@pytest.mark.parametrize("counts", GOLDEN)
def test_the_golden_numbers_reach_page_and_json(counts, tmp_path):
    text = written(tmp_path, clinical_study(*counts), threshold=THRESHOLD).text
    for words in GOLDEN[counts]:
        assert words in text
    rows = {row["name"]: row for row in json.loads((tmp_path / "metrics.json").read_text()) if "part" not in row}
    for name, words in zip(("sensitivity", "specificity"), GOLDEN[counts], strict=False):
        assert f"{100 * rows[name]['value']:.1f}%" == words
    if counts == (34, 44):
        assert round(rows["FN rate"]["interval"][1], 3) == 0.165


def test_the_first_screen_has_question_answer_notice_and_kind(full):
    text = read(full / "report.html").text
    first = text[: text.index("Move the threshold Base, continued, ALM")]
    main = summarise(three_arms(), threshold=THRESHOLD)[-1]
    assert "Who needs contrast?" in first
    assert NOTICE in first
    assert "Research software, not a medical device" in first
    assert f"oracle FPR at 0 FN, n1 = 12, n0 = 20 {100 * main.fpr_at_0fn.value:.1f}% 95% interval" in first
    missed, rate = main.locked.fn, wording.rate(main.locked.fn_rate).value
    assert f"locked certified, n1 = 12, n0 = 20 {missed} of 12 missed: FN rate {rate}, at most" in first
    assert THRESHOLD.promise in first


@pytest.mark.parametrize("threshold", [None, THRESHOLD])
def test_scans_avoided_come_with_their_warning_and_their_prevalence(threshold, full, bare):
    point = report_of(evaluated(threshold=threshold)).operating
    page = bare if threshold is None else read(full / "report.html")
    first = page.text.split("Every threshold")[0]
    kind = "oracle" if threshold is None else "locked"
    assert f"Scans avoided per 100 {kind}" in first
    assert f"{point.at_prevalence.scans_avoided.value:.1f} 95% interval" in first
    assert f"{point.at_prevalence.wrongly_avoided.value:.1f} of them wrongly" in first
    assert "At a prevalence of 37.5%, that of these test cases, not of your site" in first
    for words in ("Another vendor, protocol", "Use the prevalence of your site"):
        assert words in first
    assert ("chosen on these very cases: expect missed patients elsewhere" in first) == (threshold is None)


def test_every_file_repeats_the_notice(full):
    assert all(row["notice"] == NOTICE for row in json.loads((full / "metrics.json").read_text()))
    lines = (full / "predictions.csv").read_text().splitlines()
    assert all(NOTICE in line for line in lines[1:])


def test_without_notice_or_threshold_the_page_says_what_is_missing(bare):
    page = bare
    assert "none given No locked threshold came with this evaluation" in page.text
    assert "oracle threshold (0 FN)" in page.text
    assert "the prevalence in its training is not known" in page.text
    assert "cut-off were chosen anew" not in page.text
    assert "How many studies were read and excluded is not known" in page.text
    assert "Not assessed: vendor, field strength, site, age band (unknown for all cases)." in page.text
    assert "No pictures: none were asked for" in page.text
    assert ("p", {"class": "notice", "role": "note"}) not in page.seen


def test_the_wrongly_called_cases_are_all_listed_without_a_script(tmp_path):
    page = written(tmp_path, clinical_study(), threshold=THRESHOLD)
    section = page.text[page.text.index("The cases called wrongly") : page.text.index("Base, continued and ALM")]
    assert "ALM at the locked threshold, 0.000 logits" in section
    listed = re.findall(r"case\d{3}", section)
    assert set(listed[:2]) == {"case034", "case035"}
    assert sorted(listed[2:]) == [f"case{i:03}" for i in range(80, 100)]


def test_every_pair_of_arms_is_tested(bare):
    text = bare.text
    for pair in report_of(evaluated()).pairs:
        said = text[text.index(f"{NAMES[pair.arm]} against {NAMES[pair.against]}") :]
        assert f"{pair.auc.difference.value:+.3f}" in said[:60]
        assert f"p = {pair.auc.p_value:.3f}" in said[:120]
        assert f"{100 * pair.fpr_at_0fn.difference.value:+.1f} points p = {pair.fpr_at_0fn.p_value:.3f}" in said[:160]


NAMES = {"base": "Base", "continued": "Continued", "alm": "ALM"}


def test_subgroups_are_shown_and_small_ones_suppressed(full):
    text = read(full / "report.html").text
    section = text[text.index("Does it hold for every group?") : text.index("Data flow Studies")]
    vendor_a, vendor_b = report_of(FULL).groupings[0].groups
    assert f"A {vendor_a.n1}, {vendor_a.n0} {100 * vendor_a.figures.sensitivity.value:.1f}%" in section
    assert f"B {vendor_b.n1}, {vendor_b.n0} suppressed: 3 positives, 5 needed" in section
    assert "Scanner: one model, all cases." in section


def test_probabilities_need_the_prevalence_of_the_training(full):
    text = read(full / "report.html").text
    assert "recalibrated from the training's prevalence (25.0%) to that of these cases (37.5%)" in text
    section = text[text.index("Is it worth it?") : text.index("Does it hold for every group?")]
    for point in report_of(FULL).decision_curve:
        told = [wording.area(point.benefit.model), wording.count(point.benefit.net_scans_avoided)]
        said = [*told, wording.area(point.anew.model)]
        assert all(f"{one.value} {one.interval}" in section for one in said) or not point.listed
    assert "ALM, locked" in section
    assert "ALM if the cut-off were chosen anew for each weight" in section
    assert section.count("ALM's constraint shifts the scores: these are not probabilities") == 1
    assert "ALM's constraint shifts the scores" in text[: text.index("Is it worth it?")]
    assert "There is no decision curve" not in text


def test_the_flow_of_studies_is_shown(full):
    text = read(full / "report.html").text
    section = text[text.index("Data flow Studies") :]
    assert "Studies read 40 excluded: no usable axial T2 8 Ready for the model 32" in section
    assert "Something is unknown." in section


def test_the_checklists_name_what_is_left_to_the_authors(bare):
    text = bare.text
    section = text[text.index("Reporting checklists") :]
    assert "what made a study positive" in section
    assert section.count("To be filled in by the authors:") > 20


def test_the_page_asks_nothing_of_the_network(full):
    text = (full / "report.html").read_text()
    page = Text(text)
    assert not {"link", "iframe", "object", "base", "form"} & {tag for tag, _ in page.seen}
    assert not [attributes for _, attributes in page.seen if {"src", "srcset", "action"} & set(attributes)]
    assert not re.search(r"@import|url\((?!#)", text)
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [attributes["href"] for tag, attributes in page.seen if tag == "a"]
    assert {target.removeprefix("#") for target in targets} <= set(ids)
    assert not [name for _, attributes in page.seen for name in attributes if name.startswith("on")]


def test_the_policy_allows_one_script_by_its_hash_and_nothing_else(full):
    text = (full / "report.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1].replace("&#39;", "'")
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert policy == (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def test_whatever_comes_in_is_shown_as_text(tmp_path):
    arms = (Prediction(EVIL, 0, "alm", 9.0), Prediction("b", 1, "alm", 1.0), Prediction("検査", 0, "alm", 2.0))
    rows = [Prediction(row.case_id, row.label, arm, row.logit) for row in arms for arm in ("alm", EVIL)]
    provenance = {EVIL: {"name": EVIL, "long": "x" * 5000, "script": "检查 الفحص"}}
    cases = {"b": CaseFacts({"Vendor": EVIL, EVIL: "y" * 5000})}
    page = written(tmp_path, rows, notice=EVIL, provenance=provenance, cases=cases, training_prevalence=0.5)
    assert [tag for tag, _ in page.seen].count("script") == 2
    assert "img" not in {tag for tag, _ in page.seen}
    assert page.text.count(EVIL) >= 6
    for words in ("检查 الفحص", "検査", "x" * 5000, "y" * 5000):
        assert words in page.text
    block = re.search(r'id="report-data">(.*?)</script>', (tmp_path / "report.html").read_text(), re.DOTALL)[1]
    assert not set("<>&") & set(block)
    assert json.loads(block)["cases"] == sorted(row.case_id for row in arms)


def test_provenance_is_on_the_page(full):
    text = read(full / "report.html").text
    section = text[text.index("Where this comes from") :]
    for words in (
        "cases 32: 12 positive, 20 negative",
        "model: name the bundle",
        "c" * 64,
        "members 1, 2",
        "a" * 64,
        "b" * 64,
    ):
        assert words in section


def test_the_files_hold_what_was_given(full):
    with (full / "predictions.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["case_id", "label", "arm", "logit", "notice"]
    again = [Prediction(row["case_id"], int(row["label"]), row["arm"], float(row["logit"])) for row in table]
    assert sorted(again) == sorted(three_arms())
    rows = [row | {"notice": NOTICE} for row in figure_rows(report_of(FULL))]
    assert json.loads((full / "metrics.json").read_text()) == rows


def test_the_same_evaluation_gives_the_same_bytes(full, tmp_path):
    write_report(tmp_path, FULL)
    for path in full.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("threshold", [None, THRESHOLD])
def test_one_class_gives_a_page_that_says_undefined(tmp_path, label, threshold):
    rows = [Prediction(f"case{i}", label, arm, float(i)) for i in range(4) for arm in ("base", "alm")]
    page = written(tmp_path, rows, threshold=threshold, training_prevalence=0.3)
    reason = "no positives" if label == 0 else "no negatives"
    assert f"undefined {reason}" in page.text
    assert f"There is no curve: {reason}." in page.text
    assert ("There is no operating point" in page.text) == (label == 0 and threshold is None)
    assert "There is no decision curve" in page.text
    assert "script" not in {tag for tag, _ in page.seen}


def test_no_earlier_file_stays_beside_other_figures(tmp_path, monkeypatch):
    (tmp_path / "report.pdf").write_bytes(b"%PDF of another evaluation")
    written(tmp_path, clinical_study())
    assert not (tmp_path / "report.pdf").exists()

    def full_disk(path, rows):
        raise OutputError("no space left")

    monkeypatch.setattr("prostate_alm.report.write.write_json", full_disk)
    with pytest.raises(OutputError):
        write_report(tmp_path, evaluated())
    assert {path.name for path in tmp_path.iterdir()} == {"predictions.csv"}


def test_nothing_is_written_when_the_predictions_are_wrong(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UsageError):
        write_report(out, evaluated([("a", 1, "base", 0.0)]))
    with pytest.raises(ValueError, match="finite"):
        write_report(out, evaluated([("a", 1, "alm", float("nan"))]))
    with pytest.raises(ValueError, match="outside"):
        write_report(out, evaluated(training_prevalence=1.0))
    assert not out.exists()


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        write_report(tmp_path / "file", evaluated())
