"""What the privacy tests run: studies full of names, and every command that touches a study, in order."""

import json
import zipfile
from pathlib import Path

import planted
import planted_defects
import tiny
from command_runs import Step

SALT = "a salt that nobody may see"
TRAINED, CALIBRATED, TESTED = range(1, 5), range(5, 8), range(8, 11)
NUMBERS = range(50)
"""Of all people."""
MEMBERS = ("--members", "1", "--epochs", "1", "--constrained-epochs", "1", "--processes", "1")
OVERRIDES = tuple(word for key, value in tiny.OVERRIDES.items() for word in ("--set", f"{key}={json.dumps(value)}"))
MODEL = ("--model", "run", "--device", "cpu")
LOCKED = (*MODEL, "--threshold", "threshold.json")
CLASSIC = "{in}/kinds/Hohenstaufner_Ludmilla_19291113"
ALL = ("{in}/kinds", "{in}/Hohenstaufner_Ludmilla.zip", "{in}/defects", "{in}/odd", "{in}/Hohenstaufner_nothing")


def step(name: str, *arguments: str, code: int = 0, salt: str = SALT) -> Step:
    return Step(name, arguments, code, salt)


# {in} is where the studies are; outputs are relative, so that an absolute path in them gives the user's home away
STEPS = [
    step("inspect", "inspect", CLASSIC),
    step("inspect-json", "inspect", "{in}/kinds", "--json"),
    step("inspect-zip", "inspect", "{in}/Hohenstaufner_Ludmilla.zip", "--json"),
    step("inspect-defects", "inspect", "{in}/defects", "--rules", "{in}/Hohenstaufner_rules.yaml"),
    step("inspect-defects-json", "inspect", "{in}/defects", "--json", "--harmonise"),
    step("inspect-odd", "inspect", "{in}/odd", "--json"),
    step("prepare-labelled", "prepare", "{in}/train", "--labels", "{in}/Hohenstaufner_train.csv", "--out", "train",
         "--rules", "{in}/Hohenstaufner_rules.yaml", "--processes", "2"),
    step("prepare-calibration", "prepare", "{in}/calibration", "--labels", "{in}/Hohenstaufner_calibration.csv",
         "--out", "calibration", "--processes", "1"),
    step("prepare-test", "prepare", "{in}/test", "--labels", "{in}/Hohenstaufner_test.csv", "--out", "test",
         "--processes", "1"),
    step("prepare", "prepare", "{in}/kinds", "--out", "kinds", "--processes", "2"),
    step("prepare-again", "prepare", "{in}/kinds", "--out", "kinds", "--processes", "1"),
    step("prepare-zip", "prepare", "{in}/Hohenstaufner_Ludmilla.zip", "--out", "zip", "--processes", "1"),
    step("prepare-defects", "prepare", "{in}/defects", "--out", "defects", "--harmonise", "--processes", "1", code=3),
    step("prepare-odd", "prepare", "{in}/odd", "--out", "odd", "--processes", "2", code=3),
    step("train", "train", "train", "--out", "run", *MEMBERS, *OVERRIDES, "--device", "cpu"),
    step("calibrate", "calibrate", "run", "calibration", "--out", "threshold.json", "--fn-rate", "0.5", "--risk",
         "0.3"),
    step("evaluate", "evaluate", "run", "test", "--out", "report"),
    step("evaluate-locked", "evaluate", "run", "test", "--out", "report-locked", "--threshold", "threshold.json"),
    step("triage", "triage", *ALL, "--out", "triage", *LOCKED, "--keymap", "../private/keymap.csv", code=3),
    step("triage-again", "triage", *ALL, "--out", "triage", *LOCKED, code=3),
    step("triage-dry", "triage", *ALL, "--out", "triage-dry", *LOCKED, "--dry-run", code=3),
    step("audit", "audit", "verify", "triage/audit.jsonl"),
    step("triage-other-salt", "triage", CLASSIC, "--out", "triage-salt", *LOCKED, code=3, salt=SALT[::-1]),
    step("triage-harmonised", "triage", "{in}/defects", "--out", "triage-harmonised", *LOCKED, "--harmonise", "--rules",
         "{in}/Hohenstaufner_rules.yaml", "--force", code=3),
    step("inspect-missing", "inspect", "{in}/Ludmilla_Hohenstaufner", "--debug", code=4),
    step("inspect-nothing", "inspect", "{in}/Hohenstaufner_nothing", "--debug", code=4),
    step("inspect-broken-zip", "inspect", "{in}/Hohenstaufner_broken.zip", "--debug", code=4),
    step("inspect-escaping-zip", "inspect", "{in}/Hohenstaufner_escaping.zip", "--debug", code=4),
    step("inspect-wrong-rules", "inspect", "{in}/kinds", "--rules", "{in}/Hohenstaufner_wrong.yaml", "--debug", code=2),
    step("prepare-unknown-label", "prepare", "{in}/test", "--labels", "{in}/Hohenstaufner_unknown.csv", "--out", "no",
         "--debug", code=2),
    step("prepare-wrong-label", "prepare", "{in}/test", "--labels", "{in}/Hohenstaufner_wrong.csv", "--out", "no",
         "--debug", code=2),
    step("prepare-no-table", "prepare", "{in}/test", "--labels", "{in}/Hohenstaufner_rules.yaml", "--out", "no",
         "--debug", code=2),
    step("prepare-no-text", "prepare", "{in}/test", "--labels", "{in}/Hohenstaufner_Ludmilla.zip", "--out", "no",
         "--debug", code=4),
    step("prepare-none-ready", "prepare", "{in}/defects/Hohenstaufner_Ludmilla_gap", "--out", "none", "--debug",
         "--processes", "1", code=4),
    step("prepare-no-room", "prepare", "{in}/test", "--out", "{in}/Hohenstaufner_test.csv", "--debug", code=6),
    step("train-no-cohort", "train", "{in}/kinds", "--out", "no", "--debug", code=4),
    step("train-lost-volumes", "train", "{in}/Hohenstaufner_cohort", "--out", "no", *MEMBERS, *OVERRIDES, "--debug",
         code=4),
    step("evaluate-seen", "evaluate", "run", "train", "--out", "no", "--debug", code=7),
    step("calibrate-refused", "calibrate", "run", "calibration", "--out", "no.json", "--debug", code=7),
    step("triage-keymap-inside", "triage", "{in}/kinds", "--out", "triage", *LOCKED, "--keymap", "triage/k.csv",
         "--debug", code=2),
    step("triage-no-keymap", "triage", "{in}/kinds", "--out", "triage-no", *LOCKED, "--keymap",
         "{in}/Hohenstaufner_test.csv", "--debug", code=2),
    step("triage-nothing", "triage", "{in}/Hohenstaufner_nothing", "{in}/Hohenstaufner_broken.zip", "--out",
         "triage-no", *LOCKED, "--debug", code=4),
    step("triage-no-threshold", "triage", "{in}/kinds", "--out", "triage-no", *MODEL, "--debug", code=5),
    step("triage-wrong-threshold", "triage", "{in}/kinds", "--out", "triage-no", *MODEL, "--debug", "--threshold",
         str(tiny.BUNDLE / "models" / "threshold.json"), code=8),
]  # fmt: skip
OUTPUTS = (
    "train", "calibration", "test", "kinds", "zip", "defects", "odd", "run", "threshold.json", "report",
    "report-locked", "triage", "triage-salt", "triage-harmonised", "none", "triage-no",
)  # fmt: skip


def write_studies(incoming: Path) -> None:
    for name, numbers in (("train", TRAINED), ("calibration", CALIBRATED), ("test", TESTED)):
        for number in numbers:
            made = planted.classic(number, needed_only=True)
            planted.save(planted.images_of(made), incoming / name / f"Hohenstaufner_Ludmilla_{number}")
    kinds = incoming / "kinds"
    planted.save(planted.images_of(planted.classic(0)), kinds / "Hohenstaufner_Ludmilla_19291113")
    planted.phantom(kinds / "Hohenstaufner_enhanced", "enhanced", 11)
    planted.phantom(kinds / "Hohenstaufner_mosaic", "siemens-mosaic", 12)
    nifti = {name: f"{name}_Zieglbauerin.nii.gz" for name in planted_defects.KINDS}
    planted.volumes(nifti, kinds / "Zieglbauerin_Kreszentia", 13, sidecars=True)
    itk = {name: f"Zieglbauerin_Kreszentia_{name}.mha" for name in planted_defects.KINDS}
    planted.volumes(itk, kinds / "mha", 14, sidecars=False)
    planted.zipped(planted.images_of(planted.classic(15)), incoming / "Hohenstaufner_Ludmilla.zip")
    for make in (planted_defects.dicom_defects, planted_defects.damaged_files, planted_defects.volume_defects):
        list(make(incoming / "defects"))
    list(planted_defects.odd_folders(incoming / "odd"))
    planted.write_text(incoming / "Hohenstaufner_nothing" / "Hohenstaufner.txt", f"of {planted_defects.NAME}\n" * 20)
    whole = (incoming / "Hohenstaufner_Ludmilla.zip").read_bytes()
    (incoming / "Hohenstaufner_broken.zip").write_bytes(whole[:-200])
    with zipfile.ZipFile(incoming / "Hohenstaufner_escaping.zip", "w") as archive:
        archive.writestr("../Achternbuscher_Rosalinde.dcm", planted_defects.NAME)


def write_tables(incoming: Path) -> None:
    def table(name: str, *rows: str) -> None:
        planted.write_text(incoming / f"Hohenstaufner_{name}.csv", "\n".join(["study,label", *rows, ""]))

    for name, numbers in (("train", TRAINED), ("calibration", CALIBRATED), ("test", TESTED)):
        labels = [1, 0, 1, 0][: len(numbers)]
        stated = [planted.person(number).stated["AccessionNumber"] for number in numbers]
        table(name, *(f"{study},{label}" for study, label in zip(stated, labels, strict=True)))
    table("unknown", f"{planted.person(8).stated['PatientID']},1", "Quellenhofer^Wendelgard,0")
    table("wrong", f"{planted.person(8).stated['AccessionNumber']},Quellenhofer")
    planted.write_text(incoming / "Hohenstaufner_rules.yaml", "checks:\n  min_snr: 1.5\n")
    planted.write_text(incoming / "Hohenstaufner_wrong.yaml", "checks:\n  min_overlap: 7\n")
    images = dict.fromkeys(planted_defects.KINDS, "volumes/lost.nii.gz")
    cases = [{"case_id": f"c{n}", "patient_id": f"p{n}", "label": n % 2, "images": images} for n in range(4)]
    planted.write_json(incoming / "Hohenstaufner_cohort" / "manifest.json", {"manifest_version": 1, "cases": cases})
