"""The labels table: what is read, and what is refused by its line."""

from pathlib import Path

import pytest

from prostate_alm.errors import NoInputError, UsageError
from prostate_alm.labels import LabelRow, age_band, read_label_rows, read_labels


def labels_file(folder: Path, content: bytes) -> Path:
    path = folder / "labels.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"study,label\na,1\nb,0\n",
        b"\xef\xbb\xbfstudy,label\r\na,1\r\nb,0\r\n",  # as spreadsheets save it
        b"label,comment,study\n1,x, a \n 0 ,,b\n",
        b'study,label\n"a",1\n\nb,0,too many\n',
    ],
)
def test_labels_are_read(tmp_path: Path, content: bytes) -> None:
    assert read_labels(labels_file(tmp_path, content)) == {"a": 1, "b": 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"study\na\n", "line 1: needs the columns study and label"),
        (b"name,label\na,1\n", "line 1: needs the columns study and label"),
        (b"study;label\na;1\n", "line 1: needs the columns study and label; separate them by a comma, not by ';'"),
        (b"study,label\n,1\n", "line 2: needs the columns"),
        (b"study,label\na,1\nb,2\n", "line 3: this label is not allowed; use 1"),
        (b"study,label\na,1\n\n\nb,2\n", "line 5: this label is not allowed"),
        (b"study,label\na,\n", "line 2: this label is not allowed"),
        (b"study,label\na\n", "line 2: this label is not allowed"),
        (b"study,label\na,1.0\n", "line 2: this label is not allowed"),
        (b"study,label\na,1\nb,0\na,1\n", "line 4: this study stands twice"),
        (b"study,label\n", "no rows"),
        (b"", "no rows"),
    ],
)
def test_bad_labels_are_refused_by_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_labels(labels_file(tmp_path, content))


@pytest.mark.parametrize("content", ["label,study\nDOE^JOHN,ACC1\n", "study,label\nDOE,1\nDOE,0\n", "DOE;JOHN\n1;2\n"])
def test_a_message_on_labels_names_nobody(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_labels(labels_file(tmp_path, content.encode()))
    assert not any(word in str(caught.value) for word in ("DOE", "JOHN", "ACC1"))


def test_rows_know_their_lines(tmp_path: Path) -> None:
    path = labels_file(tmp_path, b"study,label\na,1\n\nb,0\n")
    assert read_label_rows(path) == [LabelRow(2, "a", 1), LabelRow(4, "b", 0)]


@pytest.mark.parametrize("content", [None, b"study,label\n\xff\xfe,1\n"])
def test_labels_that_cannot_be_read_are_no_input(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "absent.csv" if content is None else labels_file(tmp_path, content)
    with pytest.raises(NoInputError, match="cannot be read"):
        read_labels(path)


def test_site_and_age_are_read_where_they_are_there(tmp_path: Path) -> None:
    path = labels_file(tmp_path, "study,age,label,site\na,64,1,München 2\nb,,0,\nc,7,0,B\n".encode())
    assert [row.groups for row in read_label_rows(path)] == [
        {"site": "München 2", "age band": "60 to 69"},
        {},
        {"site": "B", "age band": "under 40"},
    ]


@pytest.mark.parametrize(
    ("site", "age", "message"),
    [
        ("<b>x</b>", "", "line 2: this site is not allowed"),
        ("a" * 41, "", "line 2: this site is not allowed"),
        ("=cmd", "", "line 2: this site is not allowed"),
        ("", "sixty", "line 2: this age is not allowed"),
        ("", "64.5", "line 2: this age is not allowed"),
        ("", "-1", "line 2: this age is not allowed"),
        ("", "1964", "line 2: this age is not allowed"),
    ],
)
def test_a_bad_site_or_age_is_refused_by_line(tmp_path: Path, site: str, age: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_label_rows(labels_file(tmp_path, f"study,label,site,age\na,1,{site},{age}\n".encode()))


@pytest.mark.parametrize(
    ("years", "band"),
    [
        (0, "under 40"),
        (39, "under 40"),
        (40, "40 to 49"),
        (49, "40 to 49"),
        (50, "50 to 59"),
        (79, "70 to 79"),
        (80, "80 and older"),
        (104, "80 and older"),
    ],
)
def test_bands_of_ten_years(years: int, band: str) -> None:
    assert age_band(years) == band
