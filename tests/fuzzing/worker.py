"""One process that mutates and reads: bounded in memory, silent, and free to die."""

import contextlib
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from fuzzing import mutations, verdict
from fuzzing.case import Case, NotApplicableError, clean
from fuzzing.oracle import Allowance, allowance, files_below
from fuzzing.prints import Reading, read
from fuzzing.sources import Source
from fuzzing.zips import ESCAPED
from prostate_alm.errors import UserError
from prostate_alm.studies.archives import opened
from prostate_alm.studies.dicom.instances import read_headers
from prostate_alm.studies.geometry import ReadingError
from prostate_alm.studies.headers import Skipped
from prostate_alm.studies.pixels import PixelReader

MEMORY_BYTES = 2 << 30


@dataclass(frozen=True)
class Outcome:
    """What became of one mutation; `seconds` are those of the processor, to which other work cannot add."""

    seed: int
    kind: str
    source: str
    outcome: str
    detail: str = ""
    note: str = ""
    seconds: float = 0.0
    peak_mib: float = 0.0
    studies: tuple[verdict.OfStudy, ...] = ()


def work(connection: Connection, folder: Path, sources: Sequence[Source], baselines: dict[str, Reading]) -> None:
    """Take seeds until there is none: answer each with its kind when it is built, then with its outcome."""
    confine(folder)
    while (seed := connection.recv()) is not None:
        connection.send(run(seed, folder, sources, baselines, connection.send))


def confine(folder: Path) -> None:
    """Let this process have 2 GiB more than it has, no voice, and a temporary folder of its own."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)  # decoders talk
    tempfile.tempdir = str(folder / "temporary")
    (folder / "temporary").mkdir(parents=True, exist_ok=True)
    limit = int(_status("VmSize") * 1024 + MEMORY_BYTES)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return float(line.split()[1])
    return 0.0


def run(seed: int, folder: Path, sources: Sequence[Source], baselines: dict[str, Reading], tell=None) -> Outcome:
    """Build, read and judge one mutation."""
    place = folder / "case"
    try:
        kind, source, case, allowed = _build(seed, place, sources)
    except Exception:
        return Outcome(seed, mutations.draw(seed, sources)[1], "", verdict.BROKEN, _where("fuzzing"))
    if tell is not None:
        tell((kind, source.name))
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    before, start = _status("VmRSS"), time.process_time()
    studies: tuple[verdict.OfStudy, ...] = ()
    try:
        with opened(case.root) as root:
            reading = read(root, source.harmonise)
            if source.decode:
                _decode(root)
        found, studies = verdict.judge(baselines[source.name], reading, allowed, baselines.values())
    except UserError as error:
        found = verdict.Verdict(verdict.REASON, str(error))
    except MemoryError:
        found = verdict.Verdict(verdict.MEMORY, _where())
    except Exception:
        found = verdict.Verdict(verdict.CRASH, _where())
    seconds, peak = time.process_time() - start, (_status("VmHWM") - before) / 1024
    if found.outcome in verdict.ALLOWED and (left := _left(folder, case)):
        found = verdict.Verdict(verdict.LEFT, left)
    return Outcome(
        seed, kind, source.name, found.outcome, found.detail, case.note, seconds, peak, studies
    )  # fmt: skip


def _build(seed: int, place: Path, sources: Sequence[Source]) -> tuple[str, Source, Case, Allowance]:
    generator, kind, order = mutations.draw(seed, sources)
    while True:
        for source in order:
            clean(place)
            place.mkdir(parents=True)
            case = Case(place, source.folder, tuple(other.folder for other in sources if other != source), generator)
            try:
                mutations.KINDS[kind](case)
            except NotApplicableError:
                continue
            zipped = case.root != case.folder
            return kind, source, case, Allowance() if zipped else allowance(source.folder, case.folder)
        kind = generator.choice(sorted(mutations.KINDS))


def _decode(root: Path) -> None:
    """Every image of every file, chosen or not: pixels or a reason."""
    for name in sorted(files_below(root)):
        images = read_headers(root / name)
        if isinstance(images, Skipped):
            continue
        pixels = PixelReader()
        for image in images[:20]:
            with contextlib.suppress(ReadingError):
                pixels.read(image)


def _where(room: str = "prostate_alm") -> str:
    """The exception that is handled, and the last place in our own code that it came through."""
    error = sys.exc_info()[1]
    assert error is not None
    frames = traceback.extract_tb(error.__traceback__)
    last = ([frame for frame in frames if room in frame.filename] or frames)[-1]
    return f"{error!r:.200} in {Path(last.filename).name}:{last.lineno}"


def _left(folder: Path, case: Case) -> str:
    if any((folder / "temporary").iterdir()):
        clean(folder / "temporary")
        (folder / "temporary").mkdir()
        return "unpacked files were left behind"
    if any(path.name == ESCAPED for path in (*folder.iterdir(), *case.work.iterdir())):
        return "a file escaped from an archive"
    return ""
