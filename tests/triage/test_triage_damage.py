"""Phantom studies, damaged in every way: real files and the real reader, and a model that would spare every study."""

import csv
import io
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
import pytest
import torch

from prostate_alm.operating_point import Threshold
from prostate_alm.phantom import write_cohort
from prostate_alm.studies import ACQUIRED, Keys, find_studies, read_study
from prostate_alm.transforms import image_features
from prostate_alm.triage import Judge, Options, triage_studies

pytestmark = pytest.mark.slow
KEYS = Keys(b"a salt for tests only")
IMAGE = torch.rand(4, 8, 8, 4, generator=torch.Generator().manual_seed(0)) + 0.1


@dataclass
class Sparing:
    """A model whose logit lies far below the threshold, whatever it is shown."""

    training_ranges: dict
    name: str = "sparing"
    version: str = "1"
    sha256: str = "a" * 64
    notice: str = ""
    required_images: tuple = ("t2w", "dwi_b100", "dwi_b600", "dwi_b1000")
    trained_patients: frozenset = frozenset()
    threshold_file: Path = field(default=Path("absent.json"))

    def image(self, _):
        return IMAGE

    def logit(self, _):
        return -100.0


@pytest.fixture(scope="module")
def incoming(tmp_path_factory):
    """Two sound studies, one folder each."""
    folder = tmp_path_factory.mktemp("damage")
    write_cohort(folder, studies=2, class_ratio="1:1", dialect="siemens", seed=11, processes=1)
    return folder / "studies"


@pytest.fixture(scope="module")
def sparing(incoming):
    readings = [read_study(study, keys=KEYS) for study in find_studies(incoming)]
    scanner, acquired = readings[0].scanner, [reading.acquisition for reading in readings]
    ranges = {
        "vendors": [scanner["vendor"]],
        "models": [scanner["model"]],
        "field_strengths_t": [scanner["field_strength_t"]],
        "features": {name: [value - 1, value + 1] for name, value in image_features(IMAGE).items()},
        "acquisition": {
            name: [min(each[name] for each in acquired), max(each[name] for each in acquired)] for name in ACQUIRED
        },
        "protocols": ["b 100, 600, 1000 as acquired"],
    }
    return Judge(
        Sparing(ranges), Threshold(0.0, "certified", 0.1, 0.1, 22, 1, model_sha256="a" * 64, patients=("p",)), KEYS
    )


@pytest.fixture
def copied(incoming, tmp_path):
    """The studies as links, to be damaged by unlinking or `put`; gives the folder of both and that of the first."""
    shutil.copytree(incoming, tmp_path / "incoming", copy_function=os.link)
    return tmp_path / "incoming", sorted(path for path in (tmp_path / "incoming").iterdir() if path.is_dir())[0]


def put(path, content):
    path.unlink()
    path.write_bytes(content)


def blank(path):
    """The file with every voxel 0, its header untouched."""
    image = pydicom.dcmread(path)
    image.PixelData = bytes(len(image.PixelData))
    stream = io.BytesIO()
    image.save_as(stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def used(incoming):
    """What is used of the first study: the paths of T2 and of each b-value below the root, from feet to head."""
    found = find_studies(incoming)[0]
    used = {row.description for row in read_study(found, keys=KEYS).series if row.reason.startswith("used as")}
    paths = {}
    for file in sorted(found.files, key=lambda file: file.position_mm[2]):
        if file.description in used:
            kind = file.b_value.nominal if file.b_value else "t2"
            paths.setdefault(kind, []).append(file.path.relative_to(incoming))
    return paths


@pytest.fixture
def images(used, copied):
    """The files of T2 or of one b-value in the copy: `images("t2")`, `images(600)`."""
    return lambda kind: [copied[0] / path for path in used[kind]]


def worklist(tmp_path):
    with (tmp_path / "out" / "worklist.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_only_it_is_undecided(copied, sparing, tmp_path):
    """The damaged study is undecided with a reason, in what is returned and in the worklist; the sound one is not."""
    made = triage_studies([copied[0]], sparing, out=tmp_path / "out")
    assert sorted(decision.outcome for decision in made) == ["dce_not_required", "undecided"]
    rows = worklist(tmp_path)
    assert [row["decision"] for row in rows] == ["undecided", "dce_not_required"]
    assert rows[0]["reasons"]


def test_sound_studies_are_spared_so_that_damage_can_tell(copied, sparing, tmp_path):
    root, _ = copied
    assert {decision.outcome for decision in triage_studies([root], sparing, out=tmp_path / "out")} == {
        "dce_not_required"
    }


ONE_FILE = {
    "emptied": lambda path: put(path, b""),
    "cut to the preamble": lambda path: put(path, path.read_bytes()[:100]),
    "cut in the header": lambda path: put(path, path.read_bytes()[:200]),
    "cut before the pixels": lambda path: put(path, path.read_bytes()[:1000]),
    "cut at the end": lambda path: put(path, path.read_bytes()[:-500]),
    "zeroed": lambda path: put(path, bytes(len(path.read_bytes()))),
    "blanked": lambda path: put(path, blank(path)),
    "removed": lambda path: path.unlink(),
}


@pytest.mark.parametrize("kind", ["t2", 1000])
@pytest.mark.parametrize("damage", ONE_FILE)
def test_one_damaged_slice_leaves_the_study_undecided(copied, images, sparing, tmp_path, damage, kind):
    files = images(kind)
    ONE_FILE[damage](files[len(files) // 2])
    assert_only_it_is_undecided(copied, sparing, tmp_path)


@pytest.mark.parametrize("damage", [name for name in ONE_FILE if name != "removed"])
def test_a_damaged_last_slice_leaves_the_study_undecided(copied, images, sparing, tmp_path, damage):
    ONE_FILE[damage](images("t2")[-1])
    assert_only_it_is_undecided(copied, sparing, tmp_path)


@pytest.mark.parametrize("kinds", [("t2",), (100, 600, 1000)])
@pytest.mark.parametrize("kept", [slice(3, None), slice(None, -3), slice(6, -6), slice(0, 8)])
def test_a_study_that_is_still_arriving_is_undecided(copied, images, sparing, tmp_path, kinds, kept):
    for kind in kinds:
        files = images(kind)
        for path in set(files) - set(files[kept]):
            path.unlink()
    assert_only_it_is_undecided(copied, sparing, tmp_path)


@pytest.mark.parametrize("lost", [1, 2, 4])
@pytest.mark.parametrize("end", ["top", "bottom"])
def test_a_study_that_lost_the_same_end_of_all_series_is_undecided(copied, images, sparing, tmp_path, lost, end):
    for kind in ("t2", 100, 600, 1000):
        files = images(kind)
        for path in files[-lost:] if end == "top" else files[:lost]:
            path.unlink()
    assert_only_it_is_undecided(copied, sparing, tmp_path)


@pytest.mark.parametrize("kinds", [("t2",), (100,), (600,), (1000,), (600, 1000), (100, 600, 1000)])
def test_a_removed_series_leaves_the_study_undecided(copied, images, sparing, tmp_path, kinds):
    for path in [path for kind in kinds for path in images(kind)]:
        path.unlink()
    assert_only_it_is_undecided(copied, sparing, tmp_path)


@pytest.mark.parametrize("damage", ["emptied", "cut to the preamble", "cut in the header", "zeroed"])
def test_a_study_without_a_readable_file_is_an_undecided_row(copied, sparing, tmp_path, damage):
    for path in [path for path in copied[1].rglob("*") if path.is_file()]:
        ONE_FILE[damage](path)
    assert_only_it_is_undecided(copied, sparing, tmp_path)


def test_a_study_that_was_decided_and_cannot_be_read_any_more_is_undecided(copied, sparing, tmp_path):
    root, study = copied
    triage_studies([root], sparing, out=tmp_path / "out")
    for path in [path for path in study.rglob("*") if path.is_file()]:
        put(path, b"")
    (tmp_path / "keep").mkdir()
    triage_studies([root], sparing, out=tmp_path / "out", options=Options(keymap=tmp_path / "keep" / "keymap.csv"))
    rows = worklist(tmp_path)
    assert [row["decision"] for row in rows] == ["undecided", "undecided", "dce_not_required"]
    assert any("cannot be read any more" in row["reasons"] for row in rows)
    assert str(study) in (tmp_path / "keep" / "keymap.csv").read_text()


def test_a_decided_study_that_moved_is_followed(copied, sparing, tmp_path):
    root, study = copied
    triage_studies([root], sparing, out=tmp_path / "out")
    moved = study.rename(root / "moved")
    triage_studies([root], sparing, out=tmp_path / "out")
    for path in [path for path in moved.rglob("*") if path.is_file()]:
        put(path, b"")
    triage_studies([root], sparing, out=tmp_path / "out")
    assert [row["decision"] for row in worklist(tmp_path)] == ["undecided", "undecided", "dce_not_required"]


def test_the_row_of_an_unreadable_study_goes_when_it_has_arrived(copied, incoming, sparing, tmp_path):
    root, study = copied
    for path in [path for path in study.rglob("*") if path.is_file()]:
        put(path, b"")
    triage_studies([root], sparing, out=tmp_path / "out")
    assert [row["decision"] for row in worklist(tmp_path)] == ["undecided", "dce_not_required"]
    shutil.rmtree(study)
    shutil.copytree(incoming / study.name, study)
    triage_studies([root], sparing, out=tmp_path / "out")
    assert [row["decision"] for row in worklist(tmp_path)] == ["dce_not_required"] * 2


def test_an_unreadable_study_has_one_key_however_it_is_named(copied, sparing, tmp_path):
    root, study = copied
    for path in [path for path in study.rglob("*") if path.is_file()]:
        put(path, b"")
    other = next(path for path in root.iterdir() if path != study)
    first = triage_studies([root], sparing, out=tmp_path / "out")
    second = triage_studies([study, other], sparing, out=tmp_path / "out")
    assert {decision.study_key for decision in first} == {decision.study_key for decision in second}
