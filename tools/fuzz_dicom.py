"""Mutations of real and made studies: none may crash, hang, fill the memory, or be decided on with other volumes.

    python tools/fuzz_dicom.py [--seed 1] [--count 10000] [--data ../shared/data/mri] [--jobs 2] [--kind NAME ...]

Prints a table of kind x outcome and one line per violation; mutation i has the seed SEED + i, so that
`--seed S --count 1` repeats it. The exit code is 1 if there is any violation. What counts as the same is said in
tests/fuzzing/__init__.py.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the mutations live there, beside the small studies that they use

from fuzzing import mutations, report, verdict  # noqa: E402
from fuzzing.case import clean  # noqa: E402
from fuzzing.pool import Pool  # noqa: E402
from fuzzing.sources import phantom_sources, real_sources, small_sources  # noqa: E402


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "mri")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", nargs="*", choices=verdict.ALLOWED, default=[], help="list these outcomes too")
    parser.add_argument("--kind", nargs="*", choices=sorted(mutations.KINDS), help="only these kinds of mutation")
    return parser.parse_args()


def main() -> None:
    """Run, print, and end with 1 if anything is wrong."""
    options = parse()
    work = Path(tempfile.mkdtemp(prefix="prostate-alm-fuzz-"))
    try:
        sources = [*small_sources(work), *phantom_sources(work), *real_sources(work, options.data)]
        pool = Pool(work, sources, options.jobs)
        for name, reading in pool.baselines.items():
            ready = sum(study.ready for study in reading.studies)
            print(f"{name}: {len(reading.studies)} studies, {ready} ready {reading.refusal}", flush=True)
        seeds = [
            seed
            for seed in range(options.seed, options.seed + options.count)
            if not options.kind or mutations.draw(seed, sources)[1] in options.kind
        ]
        outcomes = []
        start = time.monotonic()
        for outcome in pool.run(seeds):
            outcomes.append(outcome)
            if outcome.outcome in options.show or report.violations([outcome]):
                print(line(outcome), flush=True)
            if len(outcomes) % 500 == 0:
                print(f"{len(outcomes)} done, {time.monotonic() - start:.0f} s", flush=True)
    finally:
        clean(work)
    print(report.table(outcomes))
    print(report.summary(outcomes))
    wrong = report.violations(outcomes)
    print(f"{len(wrong)} violations in {len(outcomes)} mutations of {len(sources)} studies")
    for outcome in wrong:
        print(line(outcome))
    sys.exit(1 if wrong else 0)


def line(outcome: report.Outcome) -> str:
    """One violation and how to see it again."""
    what = f"{outcome.outcome}: {outcome.detail}"
    return f"--seed {outcome.seed} --count 1  {outcome.kind} of {outcome.source} ({outcome.note}): {what}"


if __name__ == "__main__":
    main()
