"""A user's mistakes in a bundle or a call: one line that names the key and the file, never MONAI's stack."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny

from prostate_alm.bundle import write_hashes

NAME = "prostate_dce_classification"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tiny.Run:
    return tiny.shared_run(tmp_path_factory.getbasetemp())


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped bundle that `train` takes for the shipped one."""
    folder = shutil.copytree(tiny.BUNDLE, tmp_path / NAME, ignore=shutil.ignore_patterns("eval"))
    monkeypatch.setattr("prostate_alm.bundle.find_bundle", lambda _name: folder)
    return folder


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content, indent=2))


def three_channels(content: dict[str, Any]) -> None:
    """Leave one b-value out of the image."""
    transforms = content["preprocessing"]["transforms"]
    next(each for each in transforms if each["_target_"] == "ConcatItemsd")["keys"].pop()


def one_line(err: str) -> str:
    """The only line of an error, which is no traceback and no wrapped message of MONAI's."""
    lines = [line for line in err.splitlines() if line.startswith("error")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    assert "Failed to instantiate" not in err
    assert "this is a bug" not in err
    return lines[0]


def sets(**changes: Any) -> list[str]:
    values = tiny.OVERRIDES | {key.replace("__", "::"): value for key, value in changes.items()}
    return [word for key, value in values.items() for word in ("--set", f"{key}={json.dumps(value)}")]


BRIEF = ("--processes", 1, "--members", 1, "--epochs", 1, "--constrained-epochs", 1)

# each: the config, what is broken in it, what the line says
BROKEN: dict[str, tuple[str, Callable[[dict[str, Any]], object], str, tuple[str, ...]]] = {
    "argument that does not exist": (
        "train.json", lambda c: c["member_def"].update(chanels=[8]), "configs/train.json",
        ("member_def::chanels", "DualPathCNN has no argument 'chanels'", "did you mean channels?"),
    ),
    "argument that monai does not know": (
        "train.json", lambda c: c["augmentation"]["transforms"][0].update(probability=1), "configs/train.json",
        ("augmentation::transforms::0::probability", "RandFlipd has no argument", "did you mean prob?"),
    ),
    "argument in an overlay": (
        "alm.json", lambda c: c["+train::handlers"][0].update(los="@loss"), "configs/alm.json",
        ("::los", "ALMHandler has no argument 'los'", "did you mean loss?"),
    ),
    "argument that is missing": (
        "train.json", lambda c: c["split"].pop("folder"), "configs/train.json",
        ("key split ", "load_split needs the argument 'folder'"),
    ),
    "reference to nothing": (
        "train.json", lambda c: c["train"]["dataloader"].update(dataset="@train::datset"), "configs/train.json",
        ("train::dataloader::dataset", "refers to @train::datset", "did you mean @train::dataset?"),
    ),
    "reference in an expression": (
        "train.json", lambda c: c.update(network="$@network_de.to(@device)"), "configs/train.json",
        ("key network ", "refers to @network_de,", "did you mean @network_def?"),
    ),
    "reference to nothing in an overlay": (
        "continued.json", lambda c: c["network_def"].update(network="@member_definition"), "configs/continued.json",
        ("network_def::network", "refers to @member_definition", "did you mean @member_def?"),
    ),
    "macro of nothing": (
        "train.json", lambda c: c.update(loss="%base_los"), "configs/train.json",
        ("key loss ", "copies %base_los", "did you mean base_loss?"),
    ),
    "circle": (
        "train.json", lambda c: c.update(loss="@train::trainer"), "configs/train.json",
        ("refers in a circle: ", "train::trainer -> "),
    ),
    "class that does not exist": (
        "train.json", lambda c: c["member_def"].update(_target_="prostate_alm.networks.DualPathCN"),
        "configs/train.json", ("member_def::_target_", "did you mean prostate_alm.networks.DualPathCNN?"),
    ),
    "text for a number": (
        "train.json", lambda c: c["train"]["trainer"].update(max_epochs="fifty"), "configs/train.json",
        ("train::trainer::max_epochs", "max_epochs of SupervisedTrainer must be int, not 'fifty'"),
    ),
    "text for a number, by a reference": (
        "train.json", lambda c: c["optimizer"].update(weight_decay="tiny"), "configs/train.json",
        ("optimizer::weight_decay", "must be float, not 'tiny'"),
    ),
    "a value that is refused": (
        "alm.json", lambda c: c.update(growth=0.5), "configs/alm.json",
        ("key growth ", "ALMLoss refuses 0.5: growth must"),
    ),
    "an expression that fails": (
        "train.json", lambda c: c.update(member_seed="$@seed['a']"), "configs/train.json",
        ("key member_seed ", "fails: 'int' object is not subscriptable"),
    ),
    "channels of the network": (
        "train.json", lambda c: c["member_def"].update(dwi_channels=4), "configs/train.json",
        ("key member_def ", "DualPathCNN does not fit the images", "4 channels, but got 3"),
    ),
    "channels of the image": (
        "train.json",
        lambda c: (three_channels(c), c["augmentation"].update(transforms=[])),
        "configs/train.json",
        ("key member_def ", "does not fit the images", "3 channels, but got 2"),
    ),
    "channels of the image that the augmentation splits": (
        "train.json",
        three_channels,
        "configs/train.json",
        ("key augmentation::transforms::2 ", "SplitDimd does not fit the images", "4 != 3"),
    ),
    "pooling that leaves nothing": (
        "train.json", lambda c: c["member_def"].update(dropout=0.0), "the call",
        ("key member_def::pooling of the call", "leaves nothing of an image"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_train_names_the_key_and_the_file(name, prostate_alm, run, bundle, tmp_path):
    file, edit, place, says = BROKEN[name]
    change(bundle / "configs" / file, edit)
    more = {"member_def__pooling": [[20, 2, 1], [6, 6, 4]]} if place == "the call" else {}
    code, _, err = prostate_alm("train", run.cohort.folder, "--out", tmp_path / "run", *BRIEF, *sets(**more))
    line = one_line(err)
    assert code in (2, 5), line
    for text in (place, *says):
        assert text in line, line


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("learning_rat=0.1", ("learning_rat is no key", "train.json", "did you mean learning_rate?")),
        ("member_def::chanels=[1]", ("member_def::chanels is no key", "did you mean member_def::channels?")),
        ("batch_size=many", ("key batch_size of the call", "'many'")),
        ("learning_rate=fast", ("key learning_rate of the call", "'fast'")),
        ("weight_decay=-1", ("key weight_decay of the call", "Invalid weight_decay value: -1")),
        ("member_def::hidden=[1]", ("key member_def::hidden of the call", "must be int, not [1]")),
        ("margin=-1", ("key margin of the call", "margin must be finite and >= 0, got -1")),
        ("spatial_shape=@nothing", ("key spatial_shape of the call", "refers to @nothing")),
        ("spatial_shape=[4, 4, 2]", ("pooling of the call", "leaves nothing of an image of (4, 4, 2) voxels")),
        ("spacing_mm=wide", ("key spacing_mm of the call", "'wide'")),
    ],
)
def test_train_names_what_the_call_sets(given, says, prostate_alm, run, tmp_path):
    code, _, err = prostate_alm("train", run.cohort.folder, "--out", tmp_path / "run", *BRIEF, *sets(), "--set", given)
    line = one_line(err)
    assert code == 2, line
    for text in says:
        assert text in line, line


@pytest.mark.parametrize("file", ["train.json", "alm.json", "metadata.json"])
def test_a_file_that_is_no_json_is_named_with_line_and_column(file, prostate_alm, run, bundle, tmp_path):
    path = bundle / "configs" / file
    path.write_text("{\n" + path.read_text())
    code, _, err = prostate_alm("train", run.cohort.folder, "--out", tmp_path / "run", *BRIEF, *sets())
    line = one_line(err)
    assert code in (2, 5)
    assert f"configs/{file}, line 2, column 1: no JSON" in line


def test_a_missing_config_and_a_wrong_cohort_are_named(prostate_alm, run, bundle, tmp_path):
    code, _, err = prostate_alm("train", tmp_path / "nowhere", "--out", tmp_path / "run", *BRIEF, *sets())
    assert (code, "nowhere is not a cohort" in one_line(err)) == (4, True)
    (bundle / "configs" / "alm.json").unlink()
    code, _, err = prostate_alm("train", run.cohort.folder, "--out", tmp_path / "run", *BRIEF, *sets())
    assert (code, "configs/alm.json" in one_line(err)) == (5, True)


# a bundle that is measured or triaged


@pytest.fixture
def trained(run: tiny.Run, tmp_path: Path) -> Path:
    """A copy of the trained bundle; whoever breaks it records its hashes anew."""
    return shutil.copytree(run.folder / "bundle", tmp_path / "trained")


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    return tiny.make_cohort(tmp_path / "test", [0, 1, 0, 1], first=50).folder


INFERENCE: dict[str, tuple[Callable[[dict[str, Any]], object], tuple[str, ...]]] = {
    "weights of another architecture": (
        lambda c: c["member_def"].update(hidden=5),
        ("model.pt do not load into Ensemble", "key member_def in configs/inference.json"),
    ),
    "weights of another ensemble": (
        lambda c: c.update(members=3), ("model.pt do not load", "configs/inference.json"),
    ),
    "channels of the network": (
        lambda c: c["member_def"].update(dwi_channels=4),
        ("model.pt do not load", "key member_def in configs/inference.json"),
    ),
    "channels of the image": (
        three_channels,
        ("key member_def in configs/inference.json", "does not fit an image of shape (3, ", "3 channels, but got 2"),
    ),
    "reference to nothing": (
        lambda c: c["network_def"].update(members="@member"),
        ("key network_def::members in configs/inference.json", "refers to @member,", "did you mean @members?"),
    ),
    "argument that does not exist": (
        lambda c: c["inferer"].update(precisoin="auto"),
        ("key inferer::precisoin in configs/inference.json", "has no argument", "did you mean precision?"),
    ),
    "text for a number": (
        lambda c: c.update(members="five"), ("key members in configs/inference.json", "must be int, not 'five'"),
    ),
    "a transform's argument": (
        lambda c: c["preprocessing"]["transforms"][2].update(lower=200),
        ("configs/inference.json", "preprocessing::transforms::2", "ClipIntensityPercentilesd"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INFERENCE)
def test_evaluate_names_the_key_and_the_file(name, prostate_alm, trained, cases, tmp_path):
    edit, says = INFERENCE[name]
    change(trained / "configs" / "inference.json", edit)
    write_hashes(trained)
    code, _, err = prostate_alm("evaluate", trained, cases, "--out", tmp_path / "report")
    line = one_line(err)
    assert code == 5, line
    for text in says:
        assert text in line, line


@pytest.mark.parametrize("file", ["inference.json", "metadata.json"])
def test_triage_names_a_file_that_is_no_json(file, prostate_alm, trained, tmp_path):
    path = trained / "configs" / file
    path.write_text(path.read_text().rstrip().removesuffix("}"))
    write_hashes(trained)
    code, _, err = prostate_alm("triage", tmp_path, "--model", trained, "--out", tmp_path / "out")
    line = one_line(err)
    assert code == 5, line
    assert f"configs/{file}, line " in line


def test_missing_weights_and_an_unsafe_bundle_are_named(prostate_alm, trained, cases, tmp_path):
    for command in (
        ("evaluate", trained, cases),
        ("triage", tmp_path, "--model", trained),
        ("calibrate", trained, cases),
    ):
        (trained / "models" / "model.pt").unlink(missing_ok=True)
        write_hashes(trained)
        code, _, err = prostate_alm(*command, "--out", tmp_path / "out")
        assert (code, "models/model.pt" in one_line(err)) == (5, True)
    change(trained / "configs" / "inference.json", lambda content: content.update(members="$open('x')"))
    write_hashes(trained)
    for command in (
        ("evaluate", trained, cases),
        ("triage", tmp_path, "--model", trained),
        ("calibrate", trained, cases),
    ):
        code, _, err = prostate_alm(*command, "--out", tmp_path / "out")
        assert (code, "configs/inference.json: members: uses open" in one_line(err)) == (8, True)


def test_every_command_that_infers_checks_the_hashes(prostate_alm, trained, cases, tmp_path):
    change(trained / "configs" / "inference.json", lambda content: content.update(members=2.0))
    for command in (
        ("evaluate", trained, cases),
        ("triage", tmp_path, "--model", trained),
        ("calibrate", trained, cases),
    ):
        code, _, err = prostate_alm(*command, "--out", tmp_path / "out")
        assert (code, "inference.json differs from its recorded hash" in one_line(err)) == (8, True)
