"""A triage that is killed at every step that touches the disk, and started again.

`python -c "import triage_kills; triage_kills.main()" FOLDER` decides studies that are one small file each, in
`FOLDER/out_N_MOMENT`, and dies by SIGKILL before the N-th step, or half-way through the N-th write to the log. It
prints, as JSON, what stood in the folder then and after the run was taken up again.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pretended_studies

from prostate_alm.errors import IntegrityError
from prostate_alm.triage import Judge, Options, triage_studies, verify_log
from prostate_alm.triage.audit import AUDIT, Ledger, read_log
from prostate_alm.triage.worklist import stored_keys

STEPS = {
    "before": ((os, "write"), (os, "fsync"), (Path, "replace"), (Path, "unlink"), (Path, "write_text")),
    "half": ((os, "write"),),
}


def main() -> None:
    """Kill at the first step, the second, and so on, until a run ends by itself."""
    folder = Path(sys.argv[1])
    for owner, name, other in pretended_studies.replaced():
        setattr(owner, name, other)
    os.fsync = lambda _file: None  # a kill loses nothing that the system was given: the disk need not be waited for
    before(folder)
    reports: list[dict[str, Any]] = []
    for moment in STEPS:
        step = 0
        while not reports or reports[-1]["killed"] or step == 0:
            out = folder / f"out_{step}_{moment}"
            shutil.copytree(folder / "first", out)
            killed = died(lambda here=out, at=step, when=moment: dying(at, when, partial(run, folder, here)))
            report = {"step": step, "moment": moment, "killed": killed, "at once": state(out)}
            run(folder, out, Options(resume=True))
            reports.append(report | {"later": state(out), "verified": verify_log(out).entries})
            step += 1
    sys.stdout.write(json.dumps(reports))


def before(folder: Path) -> None:
    """An earlier run: of four studies one will have changed, one has gone, and one was not there yet."""
    for name in ("stays", "changes", "goes"):
        pretended_studies.write_study(folder / "incoming", name, logit=-3.0)
    run(folder, folder / "first")
    pretended_studies.write_study(folder / "incoming", "changes", logit=5.0)
    pretended_studies.write_study(folder / "incoming", "comes", logit=-4.0)
    pretended_studies.write_study(folder / "incoming", "breaks", raises="truncated")
    shutil.rmtree(folder / "incoming" / "goes")


def run(folder: Path, out: Path, options: Options | None = None) -> None:
    judge = Judge(pretended_studies.FakePredictor(), pretended_studies.fake_threshold(), pretended_studies.KEYS)
    triage_studies([folder / "incoming"], judge, out=out, options=options)


def state(out: Path) -> dict[str, Any]:
    """What stands in the folder: results by what they say, those that are not as logged, leftovers, the worklist."""
    ledger = Ledger.of(read_log(out / AUDIT))
    results = {key: json.loads((out / f"{key}.json").read_text())["decision"] for key in stored_keys(out)}
    strange = [key for key in results if not ledger.files(key) or ledger.results[key].wrong(out, key)]
    worklist = (out / "worklist.csv").read_text() if (out / "worklist.csv").is_file() else None
    return {
        "results": results,
        "strange": strange,
        "parts": [path.name for path in out.iterdir() if ".part" in path.name],
        "worklist": worklist,
        "verify": wrong(out),
    }


def wrong(out: Path) -> str:
    try:
        verify_log(out)
    except IntegrityError as error:
        return str(error)
    return ""


def dying(step: int, moment: str, work: Callable[[], None]) -> None:
    """Work, and die at a step."""
    left = [step]

    def wrapped(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == -1:
            if moment == "half":
                function(arguments[0], arguments[1][: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)

    for owner, name in STEPS[moment]:
        function = getattr(owner, name)
        # a function of a class takes its instance first, one of a module does not
        setattr(owner, name, bound(wrapped, function) if owner is Path else partial(wrapped, function))
    work()


def bound(wrapped: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Path, *arguments: Any, **options: Any) -> Any:
        return wrapped(function, self, *arguments, **options)

    return method


def died(work: Callable[[], None]) -> bool:
    """Whether a child died by the SIGKILL rather than ended well."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, -signal.SIGKILL):
        raise SystemExit(f"a triage ended with {code}")
    return code != 0
