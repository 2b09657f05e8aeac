"""Mutated studies read to the same volumes or end with a reason; and the fuzzer sees it where they do not."""

import contextlib
import os
import tempfile
import zipfile
from collections import Counter
from dataclasses import replace
from multiprocessing import Pipe
from types import SimpleNamespace

import pytest
from fuzzing import mutations, report, verdict, worker
from fuzzing.case import clean
from fuzzing.misbehaving import DIES, GOOD, HUNGRY, WAITS, WORKS, misbehave
from fuzzing.oracle import Allowance
from fuzzing.pool import Patience, Pool, Worker
from fuzzing.prints import read
from fuzzing.sources import phantom_sources, real_sources, small_sources

from prostate_alm.studies import index, pixels, reading

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # spoilt files are the point here
QUICK = 60
SLOW = int(os.environ.get("PROSTATE_ALM_MUTATIONS", "150"))
JOBS = 2


@pytest.fixture
def work(tmp_path):
    yield tmp_path / "work"
    clean(tmp_path / "work")


def run(work, sources, seeds):
    """All outcomes, with no violation among them."""
    outcomes = list(Pool(work, sources, JOBS).run(seeds))
    assert len(outcomes) == len(seeds)
    assert [(one.seed, one.kind, one.source, one.outcome, one.detail) for one in report.violations(outcomes)] == []
    assert not any(map(report.wrongly_negative, outcomes))
    return Counter(one.outcome for one in outcomes)


def test_mutations_of_small_studies(work):
    counts = run(work, list(small_sources(work)), range(QUICK))
    assert counts[verdict.SAME] > QUICK / 6
    assert counts[verdict.REASON] > QUICK / 6


@pytest.mark.slow
@pytest.mark.shared_data
def test_mutations_of_real_studies_and_phantoms(work, shared):
    """tools/fuzz_dicom.py runs as many as one likes; $PROSTATE_ALM_MUTATIONS sets the number here."""
    sources = [*small_sources(work), *phantom_sources(work), *real_sources(work, shared / "data" / "mri")]
    counts = run(work, sources, range(10_000, 10_000 + SLOW))
    assert counts[verdict.SAME] > SLOW / 6
    assert counts[verdict.REASON] > SLOW / 6


def test_a_seed_gives_one_mutation(work):
    """Bytes, kind and note: whoever is told a seed sees the same."""
    sources = list(small_sources(work))
    for seed in range(30):
        found = []
        for place in ("one", "other"):
            kind, source, case, allowed = worker._build(seed, work / place, sources)
            files = {
                path.relative_to(case.work).as_posix(): path.read_bytes()
                for path in case.work.rglob("*")
                if path.is_file() and path.suffix != ".zip"  # an archive holds the time of its making
            }
            found.append((kind, source, case.note, allowed, files))
            clean(work / place)
        assert found[0] == found[1]


@pytest.mark.slow
def test_every_kind_applies_to_some_source(work):
    """A kind that applies to nothing would be counted and never done."""
    sources = [*small_sources(work), *phantom_sources(work)]
    missing = set(mutations.KINDS)
    for seed in range(3000):
        drawn = mutations.draw(seed, sources)[1]
        if drawn in missing and worker._build(seed, work / "case", sources)[0] == drawn:
            missing.remove(drawn)
        if not missing:
            break
    assert missing == set()


@pytest.mark.parametrize("seed", [WAITS, WORKS, DIES, HUNGRY])
def test_a_worker_that_misbehaves_is_a_violation_and_the_rest_goes_on(work, seed):
    pool = Pool(work, [], 1, Patience(seconds=1, standstill=3), misbehave)
    bad, good = pool.run([seed, GOOD])
    assert bad.outcome == {WAITS: verdict.HANG, WORKS: verdict.HANG, DIES: verdict.DIED, HUNGRY: verdict.MEMORY}[seed]
    assert (bad.seed, bad.kind, bad.source) == (seed, "kind", "source")
    assert report.violations([good, bad]) == [bad]
    assert good.outcome == verdict.SAME


def test_the_last_word_of_a_worker_that_is_dead_before_it_is_looked_at_counts():
    mine, theirs = Pipe()
    process = SimpleNamespace(pid=os.getpid(), exitcode=-6, join=lambda: None)
    one = Worker(process, mine, seed=7)
    theirs.send(("kind", "source"))
    theirs.close()
    found = one.look(Patience())
    assert (found.seed, found.kind, found.source, found.outcome) == (7, "kind", "source", verdict.DIED)


def found_with(work, monkeypatch, kinds, count, plant):
    """What is found in this process when a defect is planted after the unmutated readings."""
    sources = list(small_sources(work))
    baselines = {source.name: read(source.folder, source.harmonise) for source in sources}
    plant(monkeypatch)
    monkeypatch.setattr("tempfile.tempdir", str(work / "temporary"))
    (work / "temporary").mkdir()
    seeds = [seed for seed in range(20_000) if mutations.draw(seed, sources)[1] in kinds][:count]
    return Counter(worker.run(seed, work, sources, baselines).outcome for seed in seeds)


def images_upside_down(monkeypatch):
    whole = pixels.PixelReader.read

    def forced(self, image):
        return whole(self, image)[::-1]

    monkeypatch.setattr(pixels.PixelReader, "read", forced)


def one_that_raises(*_):
    raise TypeError


def a_reader_that_raises(monkeypatch):
    monkeypatch.setattr(reading, "select", one_that_raises)


def an_index_that_raises(monkeypatch):
    monkeypatch.setattr(index, "read_headers", one_that_raises)


def a_reader_without_memory(monkeypatch):
    def hungry(*_):
        raise MemoryError

    monkeypatch.setattr(index, "read_headers", hungry)


@pytest.mark.parametrize(
    ("kinds", "plant", "outcome"),
    [
        ({"rename_everything"}, images_upside_down, verdict.CHANGED),
        ({"rename_everything"}, a_reader_that_raises, verdict.UNEXPECTED),
        ({"rename_everything"}, an_index_that_raises, verdict.CRASH),
        ({"rename_everything"}, a_reader_without_memory, verdict.MEMORY),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_planted_defects_are_found(work, monkeypatch, kinds, plant, outcome):
    assert found_with(work, monkeypatch, kinds, 15, plant)[outcome] > 0


def test_escapes_and_leftovers_are_found(work, monkeypatch):
    """With an archive reader that believes every name."""

    @contextlib.contextmanager
    def careless(path):
        folder = tempfile.mkdtemp()
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                target = os.path.normpath(os.path.join(folder, info.filename))  # noqa: PTH118
                os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
                with open(target, "wb") as file:  # noqa: PTH123
                    file.write(archive.read(info))
        yield folder

    counts = found_with(
        work, monkeypatch, {"escape_from_a_zip"}, 3, lambda patch: patch.setattr(worker, "opened", careless)
    )
    assert counts[verdict.LEFT] == 3


@pytest.mark.parametrize(
    ("allowed", "mutated", "outcome"),
    [
        (Allowance(), {}, verdict.SAME),
        (Allowance(), {"problems": ("something",), "ready": False}, verdict.REASON),
        (Allowance(), {"problems": (), "ready": False}, verdict.SILENT),
        (Allowance(), {"complete": False}, verdict.SILENT),
        (Allowance(), {"problems": ("an unexpected TypeError",), "ready": False}, verdict.UNEXPECTED),
        (Allowance(), {"problems": ("cannot be decoded (_ArrayMemoryError)",), "ready": False}, verdict.MEMORY),
        (Allowance(), {"volumes": {}}, verdict.CHANGED),
        (Allowance(), {"key": "another"}, verdict.SAME),
        (Allowance(), {"key": "another", "problems": ("lost",), "ready": False}, verdict.REASON),
    ],
)
def test_the_verdict(work, allowed, mutated, outcome):
    source = next(small_sources(work))
    before = read(source.folder, False)
    after = replace(before, studies=(replace(before.studies[0], **mutated),))
    assert verdict.judge(before, after, allowed)[0].outcome == outcome


def test_a_study_that_vanishes(work):
    before = read(next(small_sources(work)).folder, False)
    two = replace(before, studies=(*before.studies, replace(before.studies[0], key="another")))
    assert verdict.judge(two, before, Allowance())[0].outcome == verdict.LOST
    assert verdict.judge(two, before, Allowance(gone=before.studies[0].files))[0].outcome == verdict.SAME
    said = replace(before, studies=(replace(before.studies[0], said=frozenset({"skipped: damaged"})),))
    assert verdict.judge(two, said, Allowance())[0].outcome == verdict.SAME


def test_what_may_differ_and_by_how_much(work):
    before = read(next(small_sources(work)).folder, False)
    (study,) = before.studies

    def judged(allowed, **changed):
        t2w = replace(study.volumes["t2w"], **changed)
        after = replace(before, studies=(replace(study, volumes={**study.volumes, "t2w": t2w}),))
        return verdict.judge(before, after, allowed)[0].outcome

    t2w = study.volumes["t2w"]
    x, y, z = t2w.shape
    spoilt = (b"other", *t2w.slices[1:])
    assert judged(Allowance(), slices=spoilt) == verdict.CHANGED
    assert judged(Allowance(slices=1), slices=spoilt) == verdict.PIXELS
    assert judged(Allowance(slices=1), slices=(*spoilt[:-1], b"and another")) == verdict.CHANGED
    near, far = t2w.affine.copy(), t2w.affine.copy()
    near[0, 3] += 0.2
    far[0, 3] += 0.4
    assert judged(Allowance(), affine=near) == verdict.CHANGED
    assert judged(Allowance(place=True), affine=near) == verdict.PLACE
    assert judged(Allowance(place=True), affine=far) == verdict.CHANGED
    short = {"slices": t2w.slices[:-1], "shape": (x, y, z - 1)}
    assert judged(Allowance(), **short) == verdict.CHANGED
    assert judged(Allowance(shorter=True), **short) == verdict.CHANGED  # a slice of 8 mm is more than 6
    assert judged(Allowance(anything=True), slices=spoilt) == verdict.SHARED
