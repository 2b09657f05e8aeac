"""The 3 a.m. test with small studies and a tiny model that spares every study it may decide on.

`python -c "import small_night; small_night.main()" WORK STUDIES BROKEN SEED` prints a `night.Night` as JSON.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import dicom_factory
import night
import torch
from small_bundle import make_small_bundle

from prostate_alm.bundle import Predictor, write_hashes
from prostate_alm.files import write_json
from prostate_alm.operating_point import Threshold
from prostate_alm.prepare import prepare
from prostate_alm.studies import Keys
from prostate_alm.training.assemble import training_ranges


def main() -> None:
    work, studies, broken, seed = Path(sys.argv[1]), *(int(text) for text in sys.argv[2:5])
    torch.set_num_threads(1)
    for number in range(studies):
        write(work / "incoming" / f"study-{number:04d}", number)
    for number in range(4):
        write(work / "training" / f"study-{number:04d}", studies + number)
    bundle, threshold = make_model(work)
    spoilt = night.spoil(work / "incoming", broken, archives=2, seed=seed)
    options = ["--model", str(bundle), "--threshold", str(threshold)]
    (work / "night").mkdir()
    done = night.spend(work / "incoming", work / "night", options, night.forked, seed)
    sys.stdout.write(json.dumps(asdict(night.judge(done, spoilt, work / "night"))))


def write(folder: Path, number: int) -> None:
    """A sound study, without series that are not used."""
    made = dicom_factory.study(f"night {number}", seed=2 * number)
    dicom_factory.save({name: made[name] for name in made if name == "t2" or name.startswith("dwi")}, folder)


def make_model(work: Path) -> tuple[Path, Path]:
    """A tiny bundle with the ranges of some sound studies, and a threshold above every logit."""
    bundle = make_small_bundle(work / "bundle", members=2)
    cohort = prepare(work / "training", None, work / "cohort", keys=Keys(night.SALT.encode()), processes=1).cohort
    ranges = training_ranges(cohort, Predictor(bundle, bundle / "models" / "model.pt"), widen=10.0)
    write_json(bundle / "models" / "training_ranges.json", ranges)
    write_json(bundle / "models" / "patients.json", sorted(cohort.patients))
    write_hashes(bundle)
    made_for = Predictor.load(bundle).sha256
    threshold = Threshold(1e6, "certified", 0.1, 0.1, 22, 1, model_sha256=made_for, patients=("p",)).save(
        work / "threshold.json"
    )
    return bundle, threshold
