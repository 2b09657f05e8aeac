"""The environment's part of a content key."""

import subprocess
import sys
from pathlib import Path

import pytest

from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10.environment import DECIDING, bare_code, code_hash, environment, machine

PACKAGE = Path(__file__).resolve().parents[2] / "prostate_alm"
NOT_DECIDING = {
    "__init__.py": "names only",
    "bundle/__init__.py": "names only",
    "bundle/allowed.py": "says what a config may name",
    "bundle/components.py": "explains a mistake",
    "bundle/expressions.py": "judges, changes nothing",
    "bundle/find.py": "finds the folder, whose configs are hashed",
    "bundle/integrity.py": "checks files",
    "bundle/graph.py": "explains a mistake",
    "bundle/logging_conf.py": "judges, changes nothing",
    "bundle/mistakes.py": "explains a mistake",
    "bundle/origins.py": "explains a mistake",
    "bundle/predictor.py": "of the hospital's bundles",
    "bundle/problems.py": "judges, changes nothing",
    "bundle/reading.py": "reads configs, which are hashed",
    "bundle/static.py": "judges, changes nothing",
    "cifar10/__init__.py": "empty",
    "cifar10/environment.py": "makes the key",
    "cifar10/lab.py": "stores what came out; what it stores is made by hashed modules",
    "cifar10/ledger.py": "stores what came out",
    "cifar10/results.py": "stores what came out",
    "cohort.py": "reads 1:9 (the key has the positives), and hospital data",
    "errors.py": "messages",
    "figures.py": "of metrics",
    "files.py": "writes files whole",
    "training/__init__.py": "names only",
    "training/assemble.py": "makes the hospital's bundles",
    "training/engine.py": "where a training runs",
    "training/ensemble.py": "of the hospital's runs",
    "training/evaluation.py": "of the hospital's runs",
    "training/identity.py": "recognises a stage",
    "training/metric_handlers.py": "figures that the bundle does not select on",
    "training/facts.py": "of the hospital's runs",
    "training/parameters.py": "of the hospital's runs",
    "training/plans.py": "when a training runs",
    "training/ranks.py": "several processes in one training, the hospital's",
    "training/ray_engine.py": "where a training runs",
    "training/running.py": "when a training runs",
    "training/settings.py": "of the hospital's runs",
    "training/tensors.py": "writes files whole",
    "transforms.py": "of the hospital's volumes",
}


TRAIN = """
import sys
from dataclasses import replace
from pathlib import Path
from prostate_alm.bundle import find_bundle
from prostate_alm.cifar10.environment import environment
from prostate_alm.cifar10.lab import Lab, train
from prostate_alm.cifar10.protocol import Scale
from prostate_alm.cifar10.trainings import Constraint, Training
data, out = map(Path, sys.argv[1:])
base = Training("BCE", "1:2", scale=Scale(8, 4, 4), common=(("max_epochs", 1),), constrained_epochs=1)
lab = Lab(data, out, environment("images", find_bundle("cifar10_alm_classification")), {})
for training in (base, replace(base, arm="alm", constraint=Constraint(0.2, 3.0)), replace(base, arm="aucm")):
    train(lab.order(training))
for name, module in list(sys.modules.items()):
    if name.split(".")[0] == "prostate_alm":
        print(module.__file__)
"""


@pytest.mark.slow
def test_every_module_that_a_training_loads_is_hashed_or_known_not_to_decide(layout: Path, tmp_path: Path):
    command = [sys.executable, "-c", TRAIN, str(layout), str(tmp_path / "out")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    loaded = {Path(line).relative_to(PACKAGE).as_posix() for line in printed.split()}
    hashed = {name for name in loaded if any(name == entry or name.startswith(f"{entry}/") for entry in DECIDING)}
    others = {name for name in loaded - hashed if not name.startswith(("metrics/", "operating_point/"))}
    assert others <= NOT_DECIDING.keys()
    assert not hashed & NOT_DECIDING.keys()
    assert all((PACKAGE / entry).exists() for entry in DECIDING)


def test_words_do_not_change_the_code_and_numbers_do():
    source = 'class A:\n    "Words."\n    x = 1  # words\n    "Words."\n    def f(self):\n        "Words."\n'
    same = 'class A:\n    "Other."\n    x = 1\n    "Other."\n\n    def f(self):\n        "Other."\n'
    assert bare_code(source) == bare_code(same)
    assert bare_code(source) != bare_code(same.replace("1", "2"))
    assert bare_code("x = 'text'") != bare_code("x = 'other'")


def test_the_environment_is_told_by_hashes_and_versions():
    told = environment("digest", find_bundle("cifar10_alm_classification"))
    assert told["data"] == "digest"
    assert told["code"] == code_hash()
    assert len(told["code"]) == 64
    assert set(told["configs"]) == {"train", "continued", "alm", "aucm"}
    assert set(told["libraries"]) == {"torch", "monai", "pytorch-ignite", "numpy"}
    assert told["precision"] in ("float32", "bfloat16")
    assert "cores" in machine()
