"""A watched folder, with a clock that the tests turn."""

import csv
import json
import shutil
import zipfile
from collections.abc import Callable

import pretended_studies
import pytest

from prostate_alm.errors import OutputError, UsageError
from prostate_alm.triage import Options, deliveries, session, verify_log, watch_folder
from prostate_alm.triage.watch import ARRIVING, REFRESH

SETTLE = 60.0


class Script:
    """A clock; while the watch waits, the next thing happens, and in the end somebody presses Ctrl-C."""

    def __init__(self, *happenings: Callable[[], object]) -> None:
        self.time, self.happenings = 0.0, list(happenings)

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        assert 0 < seconds <= 15
        self.time += seconds
        if not self.happenings:
            raise KeyboardInterrupt
        happening = self.happenings[0]
        if happening() is not False:
            self.happenings.pop(0)

    def until(self, seconds: float) -> Callable[[], bool]:
        """A happening: nothing, until so many seconds have passed since it was reached."""
        begun: list[float] = []

        def reached() -> bool:
            begun.append(self.time)
            return self.time - begun[0] >= seconds

        return reached


@pytest.fixture
def place(tmp_path):
    (tmp_path / "incoming").mkdir()
    return tmp_path


def rows(place):
    with (place / "out" / "worklist.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def watched(place, ruling, clock, **options):
    return watch_folder(place / "incoming", ruling, out=place / "out", settle=SETTLE, clock=clock, **options)


def write(place, name, **content):
    return pretended_studies.write_study(place / "incoming", name, **content)


def zipped(place, name, **content):
    folder = pretended_studies.write_study(place / "packing", name, **content)
    with zipfile.ZipFile(place / "incoming" / f"{name}.zip", "w") as archive:
        archive.write(folder / "1.dcm", "deep/1.dcm")


def test_a_delivery_is_decided_once_it_has_not_changed_for_a_while(place, ruling, predictor):
    clock, seen = Script(), []
    write(place, "a")

    def note(decision, where):
        seen.append((clock.time, where.name))

    clock.happenings = [
        clock.until(20),
        lambda: write(place, "a", logit=2.0),  # it grows: the time begins anew
        lambda: write(place, "b", logit=-2.0),
        clock.until(3 * SETTLE),
    ]
    decisions = watched(place, ruling, clock, progress=note)
    assert [decision.outcome for decision in decisions] == ["dce_required", "dce_not_required"]
    times = {name: time for time, name in seen}
    assert times["a"] >= 20 + SETTLE
    assert times["b"] >= times["a"]
    assert predictor.calls == 2
    assert [row["decision"] for row in rows(place)] == ["dce_required", "dce_not_required"]
    verify_log(place / "out")


def test_what_has_not_settled_is_not_decided(place, ruling, predictor):
    write(place, "a")
    clock = Script()
    clock.happenings = [clock.until(20)]
    assert watched(place, ruling, clock) == []
    assert (predictor.calls, rows(place)) == (0, [])


def test_a_study_that_grows_later_is_undecided_meanwhile_and_then_decided_again(place, ruling, predictor):
    write(place, "a", logit=-2.0)
    clock, seen = Script(), []
    clock.happenings = [
        clock.until(2 * SETTLE),
        lambda: seen.append(rows(place)),
        lambda: write(place, "a", logit=2.0),
        lambda: None,
        lambda: seen.append(rows(place)),
        clock.until(2 * SETTLE),
    ]
    (decision,) = watched(place, ruling, clock)
    assert [[row["decision"] for row in table] for table in seen] == [["dce_not_required"], ["undecided"]]
    assert seen[1][0]["reasons"] == ARRIVING
    assert (decision.outcome, predictor.calls) == ("dce_required", 2)
    assert [row["decision"] for row in rows(place)] == ["dce_required"]


def test_folders_archives_and_loose_files_are_deliveries(place, ruling):
    write(place, "folder", logit=-2.0)
    zipped(place, "packed", logit=-3.0)
    shutil.copy(pretended_studies.write_study(place / "else", "loose") / "1.dcm", place / "incoming" / "1.dcm")
    write(place, ".hidden")
    (place / "incoming" / "empty").mkdir()
    clock = Script()
    clock.happenings = [clock.until(2 * SETTLE)]
    decisions = watched(place, ruling, clock)
    assert sorted(decision.logit for decision in decisions) == [-3.0, -2.0, -1.0]
    assert len(rows(place)) == 3


def test_a_study_in_two_deliveries_with_other_files_is_undecided_until_one_goes(place, ruling, predictor):
    write(place, "a", uid="1.2.3", logit=-9.0)
    clock, seen = Script(), []
    clock.happenings = [
        clock.until(2 * SETTLE),
        lambda: zipped(place, "b", uid="1.2.3", logit=-8.0),
        clock.until(2 * SETTLE),
        lambda: seen.append(rows(place)),
        lambda: shutil.rmtree(place / "incoming" / "a"),
        clock.until(2 * SETTLE),
    ]
    (decision,) = watched(place, ruling, clock)
    assert [(row["decision"], "different files" in row["reasons"]) for row in seen[0]] == [("undecided", True)]
    assert (decision.outcome, decision.logit, predictor.calls) == ("dce_not_required", -8.0, 2)
    assert [row["decision"] for row in rows(place)] == ["dce_not_required"]


def test_a_study_in_two_deliveries_with_the_same_files_is_decided_once(place, ruling, predictor):
    write(place, "a", uid="1.2.3")
    write(place, "b", uid="1.2.3")
    clock = Script()
    clock.happenings = [clock.until(2 * SETTLE)]
    (decision,) = watched(place, ruling, clock)
    assert (decision.outcome, predictor.calls) == ("dce_not_required", 1)


def test_a_bad_delivery_or_one_that_goes_stops_nothing(place, ruling, monkeypatch):
    write(place, "broken", raises="truncated")
    (place / "incoming" / "bad.zip").write_bytes(b"PK\x03\x04 no archive")
    (place / "incoming" / "text").mkdir()
    (place / "incoming" / "text" / "x").write_text("no DICOM")
    write(place, "odd")
    write(place, "sound")
    write(place, "goes")
    decide, clock = session.Session.decide, Script()

    def failing(self, item, shelf):
        if item.where.name == "odd" and item.study is not None:
            raise KeyError("a bug in /incoming/odd")
        return decide(self, item, shelf)

    monkeypatch.setattr(session.Session, "decide", failing)
    clock.happenings = [
        clock.until(20),
        lambda: shutil.rmtree(place / "incoming" / "goes"),
        clock.until(2 * SETTLE),
    ]
    decisions = watched(place, ruling, clock)
    assert sorted(decision.outcome for decision in decisions) == ["dce_not_required"] + ["undecided"] * 5
    table = rows(place)
    assert [row["decision"] for row in table] == ["undecided"] * 5 + ["dce_not_required"]
    assert sum("unexpected failure: KeyError" in row["reasons"] for row in table) == 2
    assert "incoming" not in (place / "out" / "worklist.csv").read_text()
    verify_log(place / "out")


def test_a_share_that_is_away_for_a_moment_loses_nothing(place, ruling, predictor):
    write(place, "a")
    clock = Script()
    clock.happenings = [
        clock.until(20),
        lambda: (place / "incoming").rename(place / "away"),
        clock.until(2 * SETTLE),
        lambda: (place / "away").rename(place / "incoming"),
        clock.until(2 * SETTLE),
    ]
    (decision,) = watched(place, ruling, clock)
    assert (decision.outcome, predictor.calls) == ("dce_not_required", 1)
    assert len(rows(place)) == 1


def test_the_row_of_what_could_not_be_read_goes_when_it_has_arrived(place, ruling):
    (place / "incoming" / "a").mkdir()
    (place / "incoming" / "a" / "x").write_text("no DICOM yet")
    clock, seen = Script(), []
    clock.happenings = [
        clock.until(2 * SETTLE),
        lambda: seen.append(rows(place)),
        lambda: write(place, "a"),
        clock.until(2 * SETTLE),
    ]
    watched(place, ruling, clock)
    assert "no study can be read here" in seen[0][0]["reasons"]
    assert [row["decision"] for row in rows(place)] == ["dce_not_required"]


def test_started_again_it_reuses_what_stands(place, ruling, predictor):
    write(place, "a")
    for options in (Options(), Options(resume=True)):
        clock = Script()
        clock.happenings = [clock.until(2 * SETTLE)]
        (decision,) = watched(place, ruling, clock, options=options)
    assert (decision.outcome, predictor.calls) == ("dce_not_required", 1)


def test_an_interrupt_while_it_decides_leaves_the_others_undecided(place, ruling):
    shutil.copytree(write(place, "a"), place / "incoming" / "both" / "a")
    shutil.copytree(pretended_studies.write_study(place, "b"), place / "incoming" / "both" / "b")
    shutil.rmtree(place / "incoming" / "a")

    def stop(decision, where):
        raise KeyboardInterrupt

    clock = Script()
    clock.happenings = [clock.until(2 * SETTLE)]
    with pytest.raises(KeyboardInterrupt):
        watched(place, ruling, clock, progress=stop)
    assert [row["decision"] for row in rows(place)] == ["undecided", "dce_not_required"]
    assert "interrupted" in rows(place)[0]["reasons"]
    verify_log(place / "out")


def test_a_full_disk_ends_it(place, ruling, monkeypatch):
    def full(path, text):
        raise OutputError("no space left")

    monkeypatch.setattr(session, "write_text", full)
    write(place, "a")
    clock = Script()
    clock.happenings = [clock.until(2 * SETTLE)]
    with pytest.raises(OutputError):
        watched(place, ruling, clock)


@pytest.mark.parametrize(
    ("folder", "out", "settle"),
    [("nowhere", "out", 60.0), ("file", "out", 60.0), ("incoming", "incoming/out", 60.0), ("incoming", "out", 0.0)],
)
def test_what_cannot_be_watched_is_refused(place, ruling, folder, out, settle):
    (place / "file").write_text("")
    with pytest.raises(UsageError):
        watch_folder(place / folder, ruling, out=place / out, settle=settle, clock=Script())


def test_the_log_tells_every_state_of_the_worklist(place, ruling):
    write(place, "a")
    clock = Script()
    clock.happenings = [clock.until(2 * SETTLE), lambda: write(place, "b"), clock.until(2 * SETTLE)]
    watched(place, ruling, clock)
    events = [json.loads(line) for line in (place / "out" / "audit.jsonl").read_text().splitlines()]
    assert [row["rows"] for row in events if row["event"] == "worklist"] == [0, 1, 2]


def counted(monkeypatch):
    """What the worklist said each time it was made."""
    tables, usual = [], session.Session.write_worklist

    def noted(self, run):
        usual(self, run)
        with (self.out / "worklist.csv").open(newline="") as file:
            tables.append([row["decision"] for row in csv.DictReader(file)])

    monkeypatch.setattr(session.Session, "write_worklist", noted)
    return tables


def test_the_worklist_is_made_once_for_all_that_has_settled(place, ruling, monkeypatch):
    for number in range(12):
        write(place, f"s{number}")
    tables = counted(monkeypatch)
    for _ in range(2):  # also over finished deliveries, when it is started again
        tables.clear()
        clock = Script()
        clock.happenings = [clock.until(2 * SETTLE)]
        watched(place, ruling, clock)
        assert len(tables) == 2  # before the first look, and after the twelve
        assert len(tables[-1]) == 12


def test_a_long_round_tells_of_its_studies_on_the_way(place, ruling, monkeypatch):
    for number in range(6):
        write(place, f"s{number}")
    clock = Script()
    tables = counted(monkeypatch)
    clock.happenings = [clock.until(2 * SETTLE)]

    def pass_time(_decision, _where):
        clock.time += 0.4 * REFRESH

    watched(place, ruling, clock, progress=pass_time)
    assert [len(table) for table in tables] == [0, 3, 6]


def test_a_result_that_is_replaced_within_a_round_leaves_the_worklist_at_once(place, ruling, monkeypatch):
    write(place, "a", uid="1.2.3", logit=-9.0)
    clock = Script()
    tables = counted(monkeypatch)
    clock.happenings = [
        clock.until(2 * SETTLE),
        tables.clear,
        lambda: write(place, "b", uid="1.2.3", logit=-8.0),  # other files of the same study
        lambda: write(place, "c"),
        clock.until(2 * SETTLE),
    ]
    watched(place, ruling, clock)
    assert tables == [["undecided"], ["undecided", "dce_not_required"]]


def test_what_cannot_be_read_any_more_is_in_doubt_at_once(place, ruling, monkeypatch):
    for name in ("a", "b"):
        write(place, name)
    clock = Script()
    clock.happenings = [clock.until(2 * SETTLE)]
    watched(place, ruling, clock)
    (place / "incoming" / "a" / "1.dcm").rename(place / "incoming" / "a" / "text")
    tables, clock = counted(monkeypatch), Script()
    clock.happenings = [clock.until(2 * SETTLE)]
    watched(place, ruling, clock)
    assert [table.count("undecided") for table in tables] == [0, 2, 2]  # the study, and its place


def test_started_again_it_decides_what_is_new_before_it_looks_at_what_is_done(place, ruling):
    for name in ("a", "b", "c"):
        write(place, name)
    zipped(place, "d")
    clock, seen = Script(), []
    clock.happenings = [clock.until(2 * SETTLE)]
    watched(place, ruling, clock)
    write(place, "x", logit=2.0)
    zipped(place, "y", logit=3.0)
    clock = Script()
    clock.happenings = [clock.until(2 * SETTLE)]
    watched(place, ruling, clock, progress=lambda decision, _where: seen.append(decision.logit))
    assert sorted(seen[:3]) == [-1.0, 2.0, 3.0]  # archives must be opened to know whether they are done
    assert seen[3:] == [-1.0] * 3


def test_a_key_map_beside_the_watched_folder_makes_no_delivery(place, ruling):
    write(place, "a")
    clock, seen = Script(), []
    clock.happenings = [clock.until(10 * SETTLE)]
    options = Options(keymap=place / "keymap.csv")
    watched(place, ruling, clock, options=options, progress=lambda *shown: seen.append(shown))
    assert len(seen) == 1
    with pytest.raises(UsageError, match="key map"):
        watched(place, ruling, Script(), options=Options(keymap=place / "incoming" / "keymap.csv"))


def test_what_may_not_be_looked_into_is_an_undecided_row(place, ruling, monkeypatch):
    """Root may look into everything: the walk is made to fail."""
    write(place, "barred")
    walk = deliveries.os.walk

    def failing(top, onerror=None, **options):
        if top.name == "barred":
            onerror(PermissionError(13, "Permission denied", str(top)))
            return iter(())
        return walk(top, onerror=onerror, **options)

    monkeypatch.setattr(deliveries.os, "walk", failing)
    monkeypatch.setattr(deliveries, "open_studies", failing_to_open)
    clock = Script()
    clock.happenings = [clock.until(2 * SETTLE)]
    (decision,) = watched(place, ruling, clock)
    assert decision.outcome == "undecided"
    assert [row["decision"] for row in rows(place)] == ["undecided"]


def failing_to_open(path, rules):
    raise PermissionError(13, "Permission denied", str(path))
