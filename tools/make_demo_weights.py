"""Make the demo weights of the prostate bundle again: phantoms, training, locked threshold, hashes.

    python tools/make_demo_weights.py WORK

WORK keeps phantoms and the run, so that a stopped call goes on. The bundle in the checkout gets `models/` with its
exports, `hashes.json`, the metadata of the run and the README's table of figures. A maintainer's script: the package
never imports it.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import write_performance

from prostate_alm.bundle import find_bundle, write_hashes
from prostate_alm.cohort import Cohort
from prostate_alm.files import write_json, write_text
from prostate_alm.metrics import auc, fpr_at_fn
from prostate_alm.phantom import write_cohort
from prostate_alm.prepare import prepare
from prostate_alm.studies import Keys
from prostate_alm.training import TrainingSettings, calibrate, predict_arms, save_threshold, train

SALT = b"prostate_alm demo: nobody to protect"
COHORTS = {
    # name: (studies, class ratio, dialect, seed)
    "siemens": (120, "1:2", "siemens", 101),
    "standard": (60, "1:2", "standard", 102),
    "calibration": (48, "4:1", "siemens", 103),
    "test": (90, "1:2", "siemens", 104),
}
SETTINGS = TrainingSettings(loss="a-fl", members=5, seed=0)
LARGEST_BYTES = 5_000_000


def cohort(work: Path, name: str) -> Cohort:
    """One synthetic cohort, written as DICOM and prepared."""
    studies, class_ratio, dialect, seed = COHORTS[name]
    folder = work / name
    write_cohort(folder / "dicom", studies=studies, class_ratio=class_ratio, dialect=dialect, seed=seed)
    prepare(folder / "dicom" / "studies", folder / "dicom" / "labels.csv", folder / "cohort", keys=Keys(SALT))
    return Cohort.load(folder / "cohort")


def merged(work: Path, names: list[str]) -> Cohort:
    """Several cohorts as one, their volumes linked into a common folder."""
    folder = work / "training"
    (folder / "volumes").mkdir(parents=True, exist_ok=True)
    cases = []
    for name in names:
        part = cohort(work, name)
        for case in part.cases:
            link = folder / "volumes" / case.case_id
            if not link.exists():
                link.symlink_to((part.folder / "volumes" / case.case_id).resolve())
        cases += part.cases
    Cohort(folder, tuple(cases)).save()
    return Cohort.load(folder)


def main() -> None:
    """Train on phantoms of two dialects, lock the threshold, measure on a test cohort, put the result in the bundle."""
    work = Path(sys.argv[1])
    training = merged(work, ["siemens", "standard"])
    bundle = find_bundle("prostate_dce_classification")
    made = train(training.folder, work / "run", bundle, SETTINGS, progress=print)
    threshold = calibrate(work / "run", cohort(work, "calibration"), fn_rate=0.1, risk=0.1)
    test = predict_arms(work / "run", cohort(work, "test"))
    measured = {}
    for arm in ("base", "continued", "alm"):
        rows = [row for row in test if row["arm"] == arm]
        logits, labels = [row["logit"] for row in rows], [row["label"] for row in rows]
        measured[arm] = {figure.name: figure.as_dict() for figure in (auc(logits, labels), fpr_at_fn(logits, labels))}
        print(arm, auc(logits, labels), fpr_at_fn(logits, labels))
    shutil.rmtree(bundle / "models", ignore_errors=True)
    (bundle / "models").mkdir()
    for name in ("model.pt", "patients.json", "training_ranges.json"):
        shutil.copy2(made / "models" / name, bundle / "models" / name)
    save_threshold(threshold, bundle / "models" / "threshold.json")
    put_configs(made, bundle, measured)
    write_hashes(bundle)
    write_performance.main()
    subprocess.run([sys.executable, Path(__file__).with_name("export_bundle.py")], check=True)
    size = sum(path.stat().st_size for path in (bundle / "models").iterdir())
    print(f"{size} bytes in {bundle / 'models'}")
    if size >= LARGEST_BYTES:
        raise SystemExit(f"the demo weights are too large: {size} bytes, at most {LARGEST_BYTES}")


def put_configs(made: Path, bundle: Path, measured: dict[str, dict[str, object]]) -> None:
    """Take over the run's inference.json and metadata.json, and write the measured figures down."""
    path = bundle / "configs" / "inference.json"
    text = re.sub(r'"members": \d+', f'"members": {SETTINGS.members}', path.read_text(encoding="utf-8"))
    if json.loads(text) != json.loads((made / "configs" / "inference.json").read_text(encoding="utf-8")):
        raise SystemExit("the run's inference.json differs from the bundle's by more than the number of members")
    write_text(path, text)
    metadata = json.loads((made / "configs" / "metadata.json").read_text(encoding="utf-8"))
    metadata["eval_metrics"] = {"phantom test cohort, 30 positive, 60 negative": measured}
    write_json(bundle / "configs" / "metadata.json", metadata)


if __name__ == "__main__":
    main()
