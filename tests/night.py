"""The 3 a.m. test: many studies in one run, some of them broken, the run killed on the way and taken up again.

The studies and the model are given; what is run is the real command line.
"""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spoilt_studies import SPOILT, packed

from prostate_alm.errors import IntegrityError
from prostate_alm.triage import verify_log
from prostate_alm.triage.audit import AUDIT, Ledger, read_log
from prostate_alm.triage.worklist import stored_keys

SALT = "a salt for the tests"
Start = Callable[[Sequence[str]], int]
"""Starts `prostate-alm` with arguments; gives the number of its process."""


@dataclass
class Night:
    """What came of it.

    Args:
        studies: how many deliveries there were.
        broken: name of the defect -> what was decided on the study.
        kills: how many results stood in the folder at every kill.
        wrong: everything that must not be; empty if all is well.
        outcomes: how many of each decision.
        seconds: of the whole, kills and restarts included.
        entries: lines of the audit log.
    """

    studies: int
    broken: dict[str, str] = field(default_factory=dict)
    kills: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    entries: int = 0


def spoil(incoming: Path, count: int, archives: int, seed: int) -> dict[str, str]:
    """Break some of the studies below a folder, each in another way, and pack some of the others.

    Returns:
        Name of the delivery (folder or archive) -> name of the defect.
    """
    generator = random.Random(seed)
    folders = sorted(path for path in incoming.iterdir() if path.is_dir())
    chosen = generator.sample(folders, count + archives)
    defects = generator.sample(sorted(SPOILT), len(SPOILT))
    done: dict[str, str] = {}
    for number, folder in enumerate(chosen[:count]):
        defect = defects[number % len(defects)]
        SPOILT[defect](folder)
        done[folder.name] = defect
    for folder in chosen[count:]:
        packed(folder)
    return done


def spend(incoming: Path, work: Path, options: Sequence[str], start: Start, seed: int, kills: int = 2) -> Night:
    """Triage what lies in a folder, kill it at random moments, resume, and look at what is there.

    Args:
        incoming: the deliveries; `work` gets everything else.
        work: an empty folder.
        options: further arguments of `triage`.
        start: starts the command.
        seed: of the moments.
        kills: how often.
    """
    generator, out = random.Random(seed), work / "out"
    deliveries = sorted(str(path) for path in incoming.iterdir())
    (work / "temporary").mkdir()
    os.environ["TMPDIR"] = str(work / "temporary")
    tempfile.tempdir = None  # looked up again
    night, begun = Night(len(deliveries)), time.monotonic()
    arguments = ["triage", *deliveries, "--out", str(out), "--keymap", str(work / "keymap.csv"), *options]
    for number in range(kills):
        done = _results(out)
        goal = generator.randint(done + 1, done + (len(deliveries) - done) // (kills + 1 - number))
        child = start([*arguments, *(["--resume"] if number else [])])
        if not _killed(child, out, goal, generator.uniform(0, 0.3)):
            night.wrong.append("the run ended before it was killed")
        night.kills.append(_results(out))
        night.wrong += [f"after kill {number + 1}: {problem}" for problem in _half_done(out)]
    code = os.waitstatus_to_exitcode(os.waitpid(start([*arguments, "--resume"]), 0)[1])
    if code != 3:
        night.wrong.append(f"the last run ended with {code}")
    night.seconds = time.monotonic() - begun
    return night


def judge(night: Night, spoilt: dict[str, str], work: Path) -> Night:
    """Every study has exactly one result, the chain holds, and no broken study is spared."""
    out = work / "out"
    with (work / "keymap.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    places = {row["study_key"]: row["folder"] for row in rows}
    results = {key: json.loads((out / f"{key}.json").read_text()) for key in stored_keys(out)}
    night.outcomes = dict(Counter(result["decision"] for result in results.values()))
    if results.keys() != places.keys() or len(results) != night.studies:
        night.wrong.append(f"{len(results)} results, {len(places)} studies, {night.studies} deliveries")
    named = {Path(name).stem: defect for name, defect in spoilt.items()}
    for key, result in results.items():
        stem = next((stem for stem in _stems(places.get(key, "")) if stem in named), None)
        if stem is not None:
            night.broken[named[stem]] = result["decision"]
            if result["decision"] != "undecided":
                night.wrong.append(f"{named[stem]}: {result['decision']}")
    if missing := set(named.values()) - night.broken.keys():
        night.wrong.append(f"without a result: {', '.join(sorted(missing))}")
    night.wrong += _half_done(out)
    if left := [path.name for path in (work / "temporary").iterdir()]:
        night.wrong.append(f"files of patients were left: {', '.join(left)}")
    try:
        night.entries = verify_log(out).entries
    except IntegrityError as error:
        night.wrong.append(str(error))
    with (out / "worklist.csv").open(encoding="utf-8", newline="") as file:
        listed = [row["study_key"] for row in csv.DictReader(file)]
    if sorted(listed) != sorted(results):
        night.wrong.append("the worklist lists other studies")
    return night


def _stems(place: str) -> list[str]:
    """The names of a path's parts, without `.zip`."""
    return [part.removesuffix(".zip") for part in Path(place).parts]


def _results(out: Path) -> int:
    return len(list(stored_keys(out))) if out.exists() else 0


def _killed(child: int, out: Path, goal: int, more_seconds: float) -> bool:
    """Kill a process some time after so many results are there; False if it ended by itself."""
    while _results(out) < goal:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.02)
    time.sleep(more_seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _half_done(out: Path) -> list[str]:
    """Results that cannot be read or are not as logged, and a chain that does not hold."""
    chain = read_log(out / AUDIT)
    ledger, wrong = Ledger.of(chain), [chain.broken] if chain.broken else []
    for key in stored_keys(out):
        try:
            json.loads((out / f"{key}.json").read_text())
        except ValueError:
            wrong.append(f"{key}.json is half-written")
        if not ledger.files(key) or ledger.results[key].wrong(out, key):
            wrong.append(f"{key}.json is not as logged")
    return wrong


def started(arguments: Sequence[str]) -> int:
    """A process of its own, as a person starts it."""
    command = [sys.executable, "-c", "from prostate_alm.cli import main; main()", *arguments]
    environment = {**os.environ, "PROSTATE_ALM_SALT": SALT, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process.returncode = 0  # waited for by its number
    return process.pid


def forked(arguments: Sequence[str]) -> int:
    """A fork of this process, which has everything imported."""
    child = os.fork()
    if child:
        return child
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    from prostate_alm.cli import main

    os.environ["PROSTATE_ALM_SALT"], sys.argv = SALT, ["prostate-alm", *arguments]
    try:
        main()
    except SystemExit as ending:
        os._exit(ending.code if isinstance(ending.code, int) else 1)
    finally:
        os._exit(1)
