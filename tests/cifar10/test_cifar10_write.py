"""From a folder of results to CSV, Markdown and the page, through the command."""

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cifar10.ensembles import drawn

from prostate_alm.cifar10.page import prose_html
from prostate_alm.cifar10.results import save_result
from prostate_alm.cifar10.write import write_all
from prostate_alm.cli import console
from prostate_alm.cli.app import app

DETAILS = {
    "machine": "<b>two cores</b>",
    "precision": "bfloat16",
    "seconds": 3600.0,
    "epochs": [12, 40],
    "validation_aucs": [0.9, 0.91],
}


def fill(folder: Path) -> Path:
    """Both sets, each with a part of the rows only."""
    runs = {
        "paper": [("BCE", "1:2", arm) for arm in ("base", "continued", "alm", "aucm")] + [("MBAUC", "1:2", "base")],
        "search": [(loss, "1:9", arm) for loss in ("BCE", "S-ML") for arm in ("base", "alm")],
    }
    for name, arms in runs.items():
        for loss, ratio, arm in arms:
            for classes in ((0, 1), (6, 7)):
                details = DETAILS | (
                    {"constraint": {"penalty": 0.2, "growth": 3.0, "margin": 1.0}} if arm == "alm" else {}
                )
                result = drawn(arm, loss, ratio, classes=classes, details=details)
                save_result(folder / name / f"{loss}_{ratio[2:]}_{arm}_{classes[0]}.npz", result, key="k")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = fill(tmp_path_factory.mktemp("results"))
    (folder / "discussion.md").write_text("## What holds\n\nThe AUC <rose>.\n\n- in 1 of 1 rows\n")
    write_all(folder)
    return folder


def test_each_set_gets_its_tables_in_long_form(made: Path):
    assert sorted(path.name for path in (made / "paper").glob("*.csv")) == [
        f"table{n}{kind}.csv" for n in (2, 4, 5, 6) for kind in ("", "_gains")
    ]
    assert sorted(path.name for path in (made / "search").glob("*.csv")) == [
        *(f"table{n}{kind}.csv" for n in (2, 4, 5, 6) for kind in ("", "_gains")), "table8.csv", "table8_6-7.csv",
    ]  # fmt: skip
    with (made / "paper" / "table2_gains.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * 5
    assert (rows[0]["arm"], rows[0]["against"], rows[0]["figure"], rows[0]["paper"]) == ("alm", "base", "auc", "0.74")


def test_the_text_has_summary_discussion_and_tables_in_this_order(made: Path):
    text = (made / "tables.md").read_text()
    heads = [line for line in text.splitlines() if re.match(r"##? ", line)]
    assert heads == [
        "# The paper's CIFAR10 tables beside ours", "## Summary", "## What holds",
        "## The paper's hyper-parameters", "## Hyper-parameters by our search",
    ]  # fmt: skip
    assert "5 of 81 arms are there" in text
    assert "not a medical device" in text
    assert "### Table 8: hyper-parameters\n" in text
    assert "### Table 8: hyper-parameters, classes 6 and 7\n" in text


def test_what_the_paper_chose_for_other_classes_is_not_passed_off_as_its_own(made: Path):
    for text in ((made / "tables.md").read_text(), (made / "index.html").read_text()):
        borrowed = text.count("does not print what it chose")
        assert borrowed == 2  # in the summary and at Table 5 of the paper's set; the search has its own
        assert "positive is better: a higher AUC, fewer false positives" in text


def test_an_arm_that_started_from_another_base_is_named(tmp_path: Path):
    runs = {
        "base": {"weights_sha256": ["a", "b"], "start_sha256": [None, None]},
        "continued": {"weights_sha256": ["c", "d"], "start_sha256": ["a", "b"]},
        "alm": {"weights_sha256": ["e", "f"], "start_sha256": ["a", "other"]},
        "aucm": {"weights_sha256": ["g", "h"]},  # of older code: not recorded
    }
    for arm, details in runs.items():
        save_result(tmp_path / "paper" / f"{arm}.npz", drawn(arm, details=details), key="k")
    text = write_all(tmp_path)[0].read_text()
    named = "BCE 1:2 alm of classes 0 and 1; not recorded of 1"
    assert f"- started from other base weights than base's own: {named}\n" in text


def test_that_no_start_is_recorded_is_not_told_as_none_differs(tmp_path: Path):
    for arm in ("base", "continued"):
        save_result(tmp_path / "paper" / f"{arm}.npz", drawn(arm, details={"weights_sha256": ["a"]}), key="k")
    assert "- started from other base weights than base's own: not recorded\n" in write_all(tmp_path)[0].read_text()


def test_trained_twice_and_remade_arms_are_told(tmp_path: Path):
    for name, weights in (("paper", "a"), ("search", "b")):
        details = DETAILS | {"weights_sha256": [weights], "retrained": int(name == "search")}
        save_result(tmp_path / name / "one.npz", drawn("base", details=details), key="k")
    for path in write_all(tmp_path):
        text = path.read_text()
        assert "Trained twice" in text
        assert text.count("weights lost, trained again and come out otherwise") == 1
        assert "BCE 1:2 base of classes 0 and 1" in text


class Outline(HTMLParser):
    """Tags that are open must be closed in order; ids and targets are collected."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "xlink:href", "src") and value:
                self.targets.append(value)
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_whole_in_itself_and_escaped(made: Path):
    text = (made / "index.html").read_text()
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    assert len(set(outline.ids)) == len(outline.ids)
    assert all(target.startswith("#") and target[1:] in outline.ids for target in outline.targets)
    assert "script" not in outline.tags
    assert "&lt;b&gt;two cores&lt;/b&gt;" in text
    assert "The AUC &lt;rose&gt;." in text
    assert "not a medical device" in text
    # paper: BCE of both class pairs; search: two losses of both
    assert text.count("ROC curves, ") == 6
    for table in re.findall(r"<table>.*?</table>", text, re.S):
        assert table.count("<caption>") == table.count("<thead>") == 1
        head = re.search(r"<thead>(.*?)</thead>", table, re.S)
        assert head
        assert "<td" not in head[1]
        assert head[1].count("<th") == head[1].count("scope=")


def test_every_row_of_a_table_has_as_many_cells_as_its_head(made: Path):
    text = (made / "index.html").read_text()
    for table in re.findall(r"<table>.*?</table>", text, re.S):
        head, body = table.split("</thead>")
        top = re.findall(r"<tr.*?</tr>", head, re.S)[0]
        wide = sum(int(found or 1) for found in re.findall(r'<th [^>]*?(?:colspan="(\d+)")?[^>]*>', top))
        spans = sum(int(found) - 1 for found in re.findall(r'colspan="(\d+)"', top))
        columns = len(re.findall(r"<th ", top)) + spans
        assert wide <= columns
        assert {len(re.findall(r"<t[dh][ >]", row)) for row in re.findall(r"<tr.*?</tr>", body, re.S)} == {columns}


def test_the_same_results_give_the_same_bytes(made: Path, tmp_path: Path):
    again = fill(tmp_path)
    (again / "discussion.md").write_text((made / "discussion.md").read_text())
    for path in write_all(again):
        assert path.read_bytes() == (made / path.name).read_bytes()


def test_the_command_prints_the_summary_first_and_then_the_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    save_result(tmp_path / "paper" / "one.npz", drawn("base"), key="k")
    assert console.guarded(lambda: app(["cifar10", "tables", str(tmp_path)])) == 0
    told = capsys.readouterr()
    assert told.out.index("## Summary") < told.out.index("1 of 81 arms") < told.out.index("### Table 2")
    assert told.out.rstrip() == (tmp_path / "tables.md").read_text().rstrip()
    assert "index.html" in told.err.replace("\n", "")
    assert not (tmp_path / "search").exists()


def test_without_results_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / ".1.part.x.npz").touch()
    assert console.guarded(lambda: app(["cifar10", "tables", str(tmp_path)])) == 4
    told = capsys.readouterr()
    assert "holds no results" in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert not (tmp_path / "tables.md").exists()


def test_a_discussion_that_is_not_text_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    save_result(tmp_path / "paper" / "one.npz", drawn("base"), key="k")
    (tmp_path / "discussion.md").write_bytes(b"\xff\xfe")
    assert console.guarded(lambda: app(["cifar10", "tables", str(tmp_path)])) == 4
    assert "discussion.md cannot be read" in capsys.readouterr().err


def test_the_discussion_is_markdown_and_html_in_it_is_shown():
    text = "# A <b>\n\nfirst\nline [there](other.md)\n\n- one\n\n| a |\n|---|\n| 1 |\n"
    shown = prose_html(text)
    assert "<h1>A &lt;b&gt;</h1>" in shown
    assert '<a href="other.md">there</a>' in shown
    assert "<li>one</li>" in shown
    assert "<td>1</td>" in shown
    assert prose_html("") == ""
