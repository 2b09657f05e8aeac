"""The 3 a.m. test at full size: phantom studies in one run, some broken, the run killed and taken up again.

    python tools/triage_trial.py WORK [--studies 500] [--broken 25] [--archives 10] [--kills 2] [--seed 1]

Every study that the demo model may decide on is spared, by a threshold above every logit, so that a broken study that
is not undecided shows. Prints what came of it; the exit code is 1 if anything is wrong. WORK keeps the studies: a call
with the same settings writes none again, and breaks a copy of them. A maintainer's script: the package never imports
it.
"""

import argparse
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the defects and the night live there

import night  # noqa: E402

from prostate_alm.bundle import Predictor, find_bundle  # noqa: E402
from prostate_alm.operating_point import Threshold  # noqa: E402
from prostate_alm.phantom import write_cohort  # noqa: E402


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--broken", type=int, default=25)
    parser.add_argument("--archives", type=int, default=10)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Write, break, triage, kill, resume, look."""
    options = parse()
    work, dicom = options.work, options.work / "dicom"
    write_cohort(dicom, studies=options.studies, class_ratio="1:2", dialect="siemens", seed=105, processes=1)
    for name in ("incoming", "night"):
        shutil.rmtree(work / name, ignore_errors=True)
    shutil.copytree(dicom / "studies", work / "incoming")
    (work / "night").mkdir()
    threshold = Threshold(1e6, "certified", 0.1, 0.1, 22, 1, model_sha256=_model_hash(), patients=("p",)).save(
        work / "threshold.json"
    )
    spoilt = night.spoil(work / "incoming", options.broken, options.archives, options.seed)
    given = ["--threshold", str(threshold), "--device", "cpu"]
    done = night.spend(work / "incoming", work / "night", given, night.started, options.seed, options.kills)
    night.judge(done, spoilt, work / "night")
    for defect, decision in sorted(done.broken.items()):
        print(f"{defect}: {decision}")
    print(f"{done.studies} studies, {done.outcomes}; killed with {done.kills} results there")
    print(f"{done.entries} lines in the audit log, {done.seconds:.0f} s with {options.kills} kills and restarts")
    for problem in done.wrong:
        print(f"WRONG: {problem}")
    raise SystemExit(1 if done.wrong else 0)


def _model_hash() -> str:
    return Predictor.load(find_bundle("prostate_dce_classification")).sha256


if __name__ == "__main__":
    main()
