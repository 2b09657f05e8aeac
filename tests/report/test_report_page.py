"""The three files of an evaluation: what they hold, that the page stands alone, that nothing is half-written."""

import csv
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from prostate_alm.errors import OutputError, UsageError
from prostate_alm.operating_point import Threshold
from prostate_alm.report import Prediction, figure_rows, summarise, write_report

THRESHOLD = Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256="a" * 64, cohort_sha256="b" * 64)
NOTICE = "demo weights, trained on synthetic phantoms: not for any clinical use"
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Text(HTMLParser):
    """The text that a reader sees, the tags seen, and a check that every one is closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.words, self.seen = [], [], []
        self.feed(page)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "svg"} & set(self.open):
            self.words.append(data)


def clinical_study():
    """The table of the clinical study: TP 34, FN 2, TN 44, FP 20 at threshold 0."""
    logits = np.repeat([1.0, -1.0, -1.0, 1.0], [34, 2, 44, 20]) + np.linspace(0, 0.5, 100)
    labels = np.repeat([1, 1, 0, 0], [34, 2, 44, 20])
    return [Prediction(f"case{i:03}", int(labels[i]), "alm", float(logits[i])) for i in range(100)]


def three_arms(n1=12, n0=20):
    generator = np.random.default_rng(2)
    labels = np.repeat([1, 0], [n1, n0])
    return [
        Prediction(f"case{i:03}", int(labels[i]), arm, float(gain * labels[i] + generator.normal()))
        for arm, gain in (("base", 1.0), ("continued", 1.0), ("alm", 2.0))
        for i in range(n1 + n0)
    ]


def read(path):
    return Text(path.read_text(encoding="utf-8"))


def test_the_golden_numbers_reach_page_and_json(tmp_path):
    path = write_report(tmp_path, clinical_study(), notice="", threshold=THRESHOLD, provenance={})
    text = read(path).text
    for words in ("94.4%", "68.8%", "at most 16.5%", "34 of 36", "20 of 64", "44 of 64", "n1 = 36, n0 = 64"):
        assert words in text
    rows = {row["name"]: row for row in json.loads((tmp_path / "metrics.json").read_text())}
    assert round(rows["sensitivity"]["value"], 3) == 0.944
    assert round(rows["specificity"]["value"], 4) == 0.6875
    assert round(rows["FN rate"]["interval"][1], 3) == 0.165


def test_the_first_screen_has_question_answer_notice_and_kind(tmp_path):
    text = read(write_report(tmp_path, three_arms(), notice=NOTICE, threshold=THRESHOLD, provenance={})).text
    first = text[: text.index("Base, continued and ALM")]
    main = summarise(three_arms())[-1]
    assert "Who needs contrast?" in first
    assert NOTICE in first
    assert "Research software, not a medical device" in first
    assert f"oracle FPR at 0 FN, n1 = 12, n0 = 20 {100 * main.fpr_at_0fn.value:.1f}% 95% interval" in first
    assert "locked certified, n1 = 12, n0 = 20" in first
    assert THRESHOLD.promise in first


def test_every_file_repeats_the_notice(tmp_path):
    write_report(tmp_path, three_arms(), notice=NOTICE, threshold=THRESHOLD, provenance={})
    assert all(row["notice"] == NOTICE for row in json.loads((tmp_path / "metrics.json").read_text()))
    lines = (tmp_path / "predictions.csv").read_text().splitlines()
    assert all(NOTICE in line for line in lines[1:])


def test_without_notice_or_threshold_the_page_says_what_is_missing(tmp_path):
    page = read(write_report(tmp_path, three_arms(), notice="", threshold=None, provenance={}))
    assert "none given No locked threshold came with this evaluation" in page.text
    assert "oracle threshold (0 FN)" in page.text
    assert ("p", {"class": "notice", "role": "note"}) not in page.seen


def test_the_wrongly_called_cases_are_all_listed(tmp_path):
    page = read(write_report(tmp_path, clinical_study(), notice="", threshold=THRESHOLD, provenance={}))
    section = page.text[page.text.index("The cases called wrongly") :]
    assert "ALM at the locked threshold, 0.000 logits" in section
    listed = re.findall(r"case\d{3}", section)
    assert set(listed[:2]) == {"case034", "case035"}
    assert sorted(listed[2:]) == [f"case{i:03}" for i in range(80, 100)]


def test_many_wrongly_called_cases_scroll_and_say_so(tmp_path):
    rows = [Prediction(f"case{i:03}", int(i == 0), "alm", float(i)) for i in range(40)]
    page = read(write_report(tmp_path, rows, notice="", threshold=None, provenance={}))
    assert "All 39 are in the list" in page.text
    assert any(attributes.get("class") == "cases long" for _, attributes in page.seen)


def test_the_page_asks_nothing_of_the_network(tmp_path):
    path = write_report(tmp_path, three_arms(), notice=NOTICE, threshold=THRESHOLD, provenance={})
    text = path.read_text()
    page = Text(text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.seen}
    assert set(re.findall(r"https?://[^\s\"'<)]+", text)) <= {
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/2000/svg",
    }
    assert not re.search(r"@import|url\((?!#)", text)
    assert "default-src 'none'" in text
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.seen if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_whatever_comes_in_is_shown_as_text(tmp_path):
    evil = "<script>alert(1)</script>"
    rows = [Prediction(evil, 0, "alm", 9.0), Prediction("b", 1, "alm", 1.0), Prediction("b2", 0, evil, 9.0)]
    rows = [Prediction(row.case_id, row.label, arm, row.logit) for row in rows[:2] for arm in ("alm", evil)]
    provenance = {evil: {"name": evil, "long": "x" * 5000, "script": "检查 الفحص"}}
    page = read(write_report(tmp_path, rows, notice=evil, threshold=None, provenance=provenance))
    assert "script" not in {tag for tag, _ in page.seen}
    assert page.text.count(evil) >= 4
    assert "检查 الفحص" in page.text


def test_provenance_is_on_the_page(tmp_path):
    provenance = {"model": {"name": "the bundle", "sha256": "c" * 64}, "seed": 3, "members": [1, 2]}
    text = read(write_report(tmp_path, three_arms(), notice="", threshold=THRESHOLD, provenance=provenance)).text
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


def test_the_files_hold_what_was_given(tmp_path):
    rows = three_arms()
    write_report(tmp_path, [tuple(row) for row in rows], notice="", threshold=THRESHOLD, provenance={})
    with (tmp_path / "predictions.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["case_id", "label", "arm", "logit"]
    again = [Prediction(row["case_id"], int(row["label"]), row["arm"], float(row["logit"])) for row in table]
    assert sorted(again) == sorted(rows)
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written == figure_rows(summarise(rows, threshold=THRESHOLD))


def test_the_same_evaluation_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_report(tmp_path / name, three_arms(), notice=NOTICE, threshold=THRESHOLD, provenance={"seed": 1})
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("threshold", [None, THRESHOLD])
def test_one_class_gives_a_page_that_says_undefined(tmp_path, label, threshold):
    rows = [Prediction(f"case{i}", label, arm, float(i)) for i in range(4) for arm in ("base", "alm")]
    page = read(write_report(tmp_path, rows, notice="", threshold=threshold, provenance={}))
    reason = "no positives" if label == 0 else "no negatives"
    assert f"undefined {reason}" in page.text
    assert f"There is no curve: {reason}." in page.text
    assert ("There is no operating point" in page.text) == (label == 0 and threshold is None)


def test_nothing_is_written_when_the_predictions_are_wrong(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UsageError):
        write_report(out, [("a", 1, "base", 0.0)], notice="", threshold=None, provenance={})
    with pytest.raises(ValueError, match="finite"):
        write_report(out, [("a", 1, "alm", float("nan"))], notice="", threshold=None, provenance={})
    assert not out.exists()


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        write_report(tmp_path / "file", three_arms(), notice="", threshold=None, provenance={})
