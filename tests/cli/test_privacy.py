"""Whatever a command prints or stores, nothing in it says whose study it was.

Names, ids, dates, places and UIDs stand in every corner of the studies that the commands are run on, and other words in
the names of their files and folders. None of them may come out: on stdout, in a file, in a file's name. On stderr there
may be a path, but nothing out of a file.
"""

import csv
import json
import re
import stat
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import planted
import planted_defects
import pytest
from command_runs import Done, Step, run_all
from leaks import Leak, Searcher, Secret
from planted_steps import CLASSIC, NUMBERS, OUTPUTS, SALT, STEPS, write_studies, write_tables
from pydicom.uid import generate_uid

from prostate_alm.studies import headers, keys
from prostate_alm.studies.dicom import instances

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class World:
    """What was planted, and what came of it.

    Args:
        root: the folder above everything.
        incoming: the studies.
        work: where the commands stand and write.
        scratch: for temporary files.
        done: by the name of the step.
        content: finds what stands in files.
        paths: finds what stands in names of files and folders.
    """

    root: Path
    incoming: Path
    work: Path
    scratch: Path
    done: dict[str, Done]
    content: Searcher
    paths: Searcher

    def find(self, content: bytes, place: str) -> list[Leak]:
        return self.content.find(content, place) + self.paths.find(content, place)

    def find_below(self, folder: Path) -> list[Leak]:
        return self.content.find_below(folder) + self.paths.find_below(folder)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("privacy") / planted.HOME
    incoming, work, scratch = (root / name for name in ("incoming", "work", "scratch"))
    for folder in (incoming, work, scratch):
        folder.mkdir(parents=True)
    write_studies(incoming)
    write_tables(incoming)
    steps = [
        Step(one.name, tuple(word.replace("{in}", str(incoming)) for word in one.arguments), one.code, one.salt)
        for one in STEPS
    ]
    done = run_all(steps, work, root / "shown", {"TMPDIR": str(scratch)})
    uids = [generate_uid(entropy_srcs=["study", f"planted {number}"]) for number in NUMBERS]
    secrets = [*planted.content_secrets(NUMBERS, uids), Secret("the salt", SALT, divided=False)]
    return World(root, incoming, work, scratch, done, Searcher(secrets), Searcher(planted.path_secrets()))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_step_ended_as_planned(world, step):
    done = world.done[step.name]
    assert done.code == step.code, done.stderr.decode(errors="replace")[-2000:]


@pytest.mark.parametrize("name", [step.name for step in STEPS])
def test_stdout_tells_nothing(world, name):
    assert world.find(world.done[name].stdout, "stdout") == []


@pytest.mark.parametrize("name", [step.name for step in STEPS])
def test_stderr_tells_nothing_out_of_a_file(world, name):
    assert world.content.find(world.done[name].stderr, "stderr") == []


@pytest.mark.parametrize("name", [step.name for step in STEPS])
def test_stderr_names_files_by_their_path_only(world, name):
    assert world.paths.find(without_paths(world.done[name].stderr, world), "stderr") == []


def without_paths(shown: bytes, world: World) -> bytes:
    """What is shown, without the paths of what was given and of what lies below, unpacked archives included."""
    below = [*world.incoming.rglob("*"), world.incoming / "Ludmilla_Hohenstaufner"]
    names = {str(path) for path in below} | {path.name for path in below if path.suffix}
    prefixes = ("Zieglbauerin_Kreszentia", "Zieglbauerin", "Kreszentia")  # of volume files: a study of their own
    names |= {str(path / prefix) for path in below for prefix in prefixes}
    packed = world.incoming / "Hohenstaufner_Ludmilla.zip"
    with zipfile.ZipFile(packed) as archive:
        members = {str(place) for name in archive.namelist() for place in (Path(name), *Path(name).parents)} - {"."}
    names |= {f"{packed}/{member}" for member in members}
    for member in sorted(members, key=len, reverse=True):
        unpacked = re.escape(bytes(world.scratch)) + rb"/(?:prostate-alm-\w+/)+" + re.escape(member.encode())
        shown = re.sub(unpacked, b"", shown)
    for name in sorted(names, key=len, reverse=True):
        shown = shown.replace(name.encode(errors="backslashreplace"), b"")
    return shown


@pytest.mark.parametrize("output", OUTPUTS)
def test_no_file_tells_anything(world, output):
    path = world.work / output
    assert path.exists()
    leaks = world.find_below(path) if path.is_dir() else world.find(path.read_bytes(), output)
    assert leaks == []


def test_nothing_else_is_written(world):
    assert {path.name for path in world.work.iterdir()} == set(OUTPUTS)
    assert {path.name for path in world.root.iterdir()} == {"incoming", "private", "scratch", "shown", "work"}
    assert world.find_below(world.scratch) == []


def test_the_key_map_is_private_and_says_no_more_than_it_must(world):
    path = world.root / "private" / "keymap.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["study_key", "accession", "study_instance_uid", "folder"]
    accessions = {row["accession"] for row in rows}
    assert {planted.person(number).stated["AccessionNumber"] for number in (0, 11, 12, 13, 15)} <= accessions
    leaks = world.content.find(path.read_bytes(), "keymap.csv")
    assert {leak.what for leak in leaks} == {"AccessionNumber", "a UID"}


def test_every_study_is_in_the_key_map_under_its_key(world):
    with (world.root / "private" / "keymap.csv").open(encoding="utf-8", newline="") as file:
        mapped = {row["study_key"] for row in csv.DictReader(file)}
    assert mapped == {row["study_key"] for row in results(world.work / "triage")}
    cases = json.loads((world.work / "kinds" / "manifest.json").read_text())["cases"]
    # one site, one key, whatever the command
    assert len({case["case_id"] for case in cases} & mapped) == len(cases) == len(KINDS) - 1


def results(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in folder.glob("*.json")]


@pytest.mark.parametrize("name", ["study_key", "inputs_key", "settings_key", "place_key"])
def test_another_salt_gives_other_keys(world, name):
    keys = [{str(row[name]) for row in results(world.work / folder)} for folder in ("triage", "triage-salt")]
    assert all(keys)
    assert not keys[0] & keys[1]


KINDS = {
    "classic": CLASSIC.removeprefix("{in}/"),
    "enhanced": "kinds/Hohenstaufner_enhanced",
    "mosaic": "kinds/Hohenstaufner_mosaic",
    "NIfTI": "kinds/Zieglbauerin_Kreszentia",
    "MHA": "kinds/mha",
    "zip": "Hohenstaufner_Ludmilla.zip",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_names_are_really_there(world, kind):
    """Else nothing could leak."""
    path = world.incoming / KINDS[kind]
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())[:8]
    leaks = [leak for file in files for leak in world.content.find(file.read_bytes(), file.name)]
    wanted = {"PatientName", "PatientID", "PatientBirthDate"}
    if kind != "MHA":
        wanted |= {"AccessionNumber", "StudyID", "OtherPatientIDs", *planted.STAFF}
    assert wanted <= {leak.what for leak in leaks}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_was_read(world, kind):
    """Else nothing would have been at risk."""
    shown = world.done["inspect-zip" if kind == "zip" else "inspect-json"].stdout
    readings = [json.loads(line) for line in shown.splitlines()]
    assert len(readings) == (1 if kind == "zip" else len(KINDS) - 1)
    assert all(reading["decision_possible"] for reading in readings)


# what guards the outputs, and what leaks without it
GUARDS = {
    "description": (headers, "safe_description", str, "PatientName"),
    "model": (instances, "_model", str, "PatientName"),
    "vendor": (instances, "_vendor", str, "PatientName"),
    "key": (keys.Keys, "study", lambda _keys, uid: uid, "a UID"),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_a_leak_is_found(world, prostate_alm, monkeypatch, tmp_path, guard):
    owner, name, without, what = GUARDS[guard]
    monkeypatch.setattr(owner, name, without)
    study = world.incoming / KINDS["classic"]
    _, shown, _ = prostate_alm("inspect", study, "--json")
    prostate_alm("prepare", study, "--out", tmp_path / "cohort", "--processes", 1)
    leaks = world.content.find_text(shown, "stdout") + world.content.find_below(tmp_path / "cohort")
    assert what in {leak.what for leak in leaks}


ELEMENTS = planted_defects.every_element()


@pytest.mark.parametrize(("tag", "vr"), ELEMENTS, ids=[f"{tag:08X}" for tag, _ in ELEMENTS])
def test_a_name_in_any_element_stays_inside(world, prostate_alm, tmp_path, caplog, tag, vr):
    study = planted_defects.spoiled_element(tag, vr, tmp_path / "study")
    caplog.clear()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        shown = "".join(map(str, prostate_alm("inspect", study, "--json")))
    said = {"shown": shown, "warnings": "".join(str(one.message) for one in told), "log": caplog.text}
    assert [leak for place, text in said.items() for leak in world.content.find_text(text, place)] == []
