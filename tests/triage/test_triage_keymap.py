import csv
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from prostate_alm.errors import OutputError, UsageError
from prostate_alm.triage import Options, preview_studies, triage_studies, watch_folder
from prostate_alm.triage.inputs import Found
from prostate_alm.triage.keymap import read_keymap, write_keymap


class Over:
    """A clock at whose end somebody presses Ctrl-C."""

    def now(self):
        return 0.0

    def wait(self, _seconds):
        raise KeyboardInterrupt


def watch_paths(paths, judge, **options):
    return watch_folder(paths[0], judge, clock=Over(), **options)


def rows(path):
    with path.open(newline="") as file:
        names = ("accession", "study_instance_uid", "folder")
        return {row["study_key"]: tuple(row[name] for name in names) for row in csv.DictReader(file)}


def test_the_key_map_names_each_study_and_only_its_owner_may_read_it(studies, ruling, tmp_path):
    keymap = tmp_path / "private" / "keymap.csv"
    old = os.umask(0)
    try:
        (decision,) = triage_studies(
            [studies("a", uid="1.2.3")], ruling, out=tmp_path / "out", options=Options(keymap=keymap)
        )
    finally:
        os.umask(old)
    assert stat.S_IMODE(keymap.stat().st_mode) == 0o600
    assert rows(keymap) == {decision.study_key: ("ACC-99817", "1.2.3", str(tmp_path / "incoming" / "a"))}
    assert sorted(path.name for path in keymap.parent.iterdir()) == [".keymap.csv.lock", "keymap.csv"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in keymap.parent.iterdir()} == {0o600}


def test_a_later_run_adds_to_the_key_map(studies, ruling, tmp_path):
    keymap = tmp_path / "keymap.csv"
    triage_studies([studies("a")], ruling, out=tmp_path / "out", options=Options(keymap=keymap))
    (tmp_path / "empty").mkdir()
    triage_studies([studies("b"), tmp_path / "empty"], ruling, out=tmp_path / "out", options=Options(keymap=keymap))
    assert len(rows(keymap)) == 3
    assert ("", "", str(tmp_path / "empty")) in rows(keymap).values()
    assert stat.S_IMODE(keymap.stat().st_mode) == 0o600


def test_a_study_that_two_paths_hold_differently_keeps_its_identity(studies, ruling, tmp_path):
    keymap = tmp_path / "keymap.csv"
    paths = [studies("a", uid="1.2.3", logit=-9.0), studies("b", uid="1.2.3", logit=-8.0)]
    (decision,) = triage_studies(paths, ruling, out=tmp_path / "out", options=Options(keymap=keymap))
    assert decision.outcome == "undecided"
    assert rows(keymap) == {decision.study_key: ("ACC-99817", "1.2.3", str(paths[0]))}


def test_a_key_map_without_folders_is_added_to(studies, ruling, tmp_path):
    keymap = tmp_path / "keymap.csv"
    keymap.write_text("study_key,accession,study_instance_uid\nabc,A1,1.9\n")
    (decision,) = triage_studies(
        [studies("a", uid="1.2.3")], ruling, out=tmp_path / "out", options=Options(keymap=keymap)
    )
    assert rows(keymap)["abc"] == ("A1", "1.9", "")
    assert rows(keymap)[decision.study_key][1] == "1.2.3"


@pytest.mark.parametrize(
    "place", ["out/keymap.csv", "out/deep/keymap.csv", "elsewhere/../out/keymap.csv", "link/keymap.csv"]
)
def test_a_key_map_inside_the_output_folder_is_refused(studies, ruling, predictor, tmp_path, place):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(UsageError, match="inside the output folder"):
        triage_studies([studies("a")], ruling, out=tmp_path / "out", options=Options(keymap=tmp_path / place))
    assert predictor.calls == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


@pytest.mark.parametrize("place", ["incoming/keymap.csv", "incoming/deep/keymap.csv", "link/keymap.csv"])
@pytest.mark.parametrize("run", [triage_studies, preview_studies, watch_paths])
def test_a_key_map_among_the_studies_is_refused(studies, ruling, tmp_path, place, run):
    """A watch would take it for a delivery, decide that anew, and write it anew."""
    studies("a")
    (tmp_path / "link").symlink_to(tmp_path / "incoming" / "a")
    with pytest.raises(UsageError, match=r"lies inside .*incoming"):
        run([tmp_path / "incoming"], ruling, out=tmp_path / "out", options=Options(keymap=tmp_path / place))
    assert not (tmp_path / "out").exists()


def test_runs_that_share_a_key_map_lose_no_row(tmp_path):
    """A lock on a file that each opens by itself holds threads apart as it does processes."""
    keymap = tmp_path / "keymap.csv"

    def add(name):
        for number in range(40):
            write_keymap(keymap, [Found(f"{name}{number}", tmp_path)])

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(add, "abc"))
    assert len(rows(keymap)) == 120


def test_a_key_map_in_which_nothing_changes_is_not_written_again(tmp_path):
    keymap, found = tmp_path / "keymap.csv", [Found("abc", tmp_path / "a", accession="A1", uid="1.2")]
    write_keymap(keymap, found)
    before = keymap.stat().st_ino
    write_keymap(keymap, found)
    assert keymap.stat().st_ino == before
    write_keymap(keymap, [Found("abc", tmp_path / "b", uid="1.2")])
    assert rows(keymap) == {"abc": ("A1", "1.2", str(tmp_path / "b"))}
    keymap.chmod(0o644)
    write_keymap(keymap, [])
    assert stat.S_IMODE(keymap.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "accession",
    ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", " =1", "\t=1", "'=1", "''=1", "'A", "A-1", "", 'x,"y"'],
)
def test_no_cell_is_a_formula_and_every_cell_reads_back_as_it_was(tmp_path, accession):
    keymap = tmp_path / "keymap.csv"
    for _ in range(2):  # also when another run writes it again
        write_keymap(keymap, [Found("abc", tmp_path, accession=accession)])
        keymap.chmod(0o644)
    assert read_keymap(keymap)["abc"]["accession"] == accession
    (cell, _, _) = rows(keymap)["abc"]
    assert not cell.strip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("content", ["study,label\na,1\n", "", "\xff"])
def test_another_file_is_not_overwritten(studies, ruling, tmp_path, content):
    keymap = tmp_path / "labels.csv"
    keymap.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match="no key map"):
        triage_studies([studies("a")], ruling, out=tmp_path / "out", options=Options(keymap=keymap))
    assert keymap.read_bytes() == content.encode("latin-1")


def test_a_folder_is_no_key_map(studies, ruling, tmp_path):
    with pytest.raises(UsageError, match="no key map"):
        triage_studies([studies("a")], ruling, out=tmp_path / "out", options=Options(keymap=tmp_path))


def test_a_key_map_that_cannot_be_written_stops_before_any_work(studies, ruling, predictor, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        triage_studies(
            [studies("a")], ruling, out=tmp_path / "out", options=Options(keymap=tmp_path / "file" / "keymap.csv")
        )
    assert predictor.calls == 0
