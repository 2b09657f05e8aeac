import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from prostate_alm import triage
from prostate_alm.bundle import Predictor
from prostate_alm.cli import console
from prostate_alm.cli.triage import register
from prostate_alm.errors import IntegrityError, ModelError, NoInputError, OutputError, UsageError
from prostate_alm.operating_point import Threshold
from prostate_alm.triage import Options

MODEL = "a" * 64
SALT = "a salt for tests only"


@pytest.fixture
def predictor(tmp_path):
    file = tmp_path / "threshold.json"
    threshold().save(file)
    return SimpleNamespace(
        name="m",
        version="1",
        sha256=MODEL,
        notice="",
        training_ranges=None,
        trained_patients=frozenset({"p1"}),
        required_images=(),
        threshold_file=file,
    )


def threshold(value=0.0, model=MODEL, kind="certified", patients=("c1",)):
    return Threshold(value, kind, 0.1, 0.1, 22, 1, model_sha256=model, patients=patients)


@pytest.fixture
def calls(monkeypatch, predictor, tmp_path):
    """The command with the model and the batch replaced; gives what the batch was called with and what it returns."""
    calls = SimpleNamespace(outcomes=[], error=None, model=None, device=None, judge=None, options=None, paths=None)

    def load(model, device="cpu"):
        calls.model, calls.device = model, device
        return predictor

    def run(paths, judge, *, progress, tell, **options):
        calls.paths, calls.judge, calls.options = paths, judge, options
        if calls.error:
            raise calls.error
        decisions = [
            judge.decision(f"{number:020x}", triage.judge.Findings(logit=logit, reasons=reasons))
            for number, (logit, reasons) in enumerate(calls.outcomes)
        ]
        for decision in decisions:
            progress(decision, Path("/data/Doe"))
        return decisions

    monkeypatch.chdir(tmp_path)
    for name in ("incoming", "a", "b"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("PROSTATE_ALM_SALT", SALT)
    monkeypatch.setattr(Predictor, "load", load)
    monkeypatch.setattr(triage, "triage_studies", run)
    return calls


def command(*arguments):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    register(app)
    return console.guarded(lambda: app(["triage", *map(str, arguments)]))


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([(1.0, [])], 0),
        ([(1.0, []), (-1.0, [])], 0),
        ([(1.0, []), (None, ["no DWI"])], 3),
        ([(-9.0, ["another vendor"])], 3),
    ],
)
def test_exit_code_tells_whether_all_are_decided(calls, tmp_path, outcomes, code):
    calls.outcomes = outcomes
    assert command("incoming", "--out", tmp_path / "out") == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (NoInputError("x"), 4),
        (ModelError("x"), 5),
        (OutputError("x"), 6),
        (IntegrityError("x"), 8),
    ],
)
def test_a_mistake_is_one_line_and_its_exit_code(calls, tmp_path, capsys, error, code):
    calls.error = error
    assert command("incoming", "--out", tmp_path / "out") == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: x\n")


def test_stdout_holds_one_json_line_per_study_and_no_path(calls, tmp_path, capsys):
    calls.outcomes = [(1.0, []), (-1.0, []), (None, ["no DWI"])]
    command("incoming", "--out", tmp_path / "out")
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert [line["decision"] for line in lines] == ["dce_required", "dce_not_required", "undecided"]
    assert "Doe" not in captured.out
    assert "/data/Doe: undecided, no logit; no DWI" in captured.err
    assert "3 studies: 1 undecided, 1 dce_required, 1 dce_not_required; worklist: " in captured.err
    assert "treat as DCE required" in captured.err


def test_the_notice_is_on_the_terminal_and_in_every_line(calls, predictor, tmp_path, capsys):
    predictor.notice = "demo weights, trained on synthetic phantoms: not for any clinical use"
    calls.outcomes = [(1.0, [])]
    command("incoming", "--out", tmp_path / "out")
    captured = capsys.readouterr()
    assert json.loads(captured.out)["notice"] == predictor.notice
    assert captured.err.splitlines()[0] == captured.err.splitlines()[-1] == f"warning: {predictor.notice}"


def test_options_reach_the_batch(calls, tmp_path):
    threshold(-2.0).save(tmp_path / "mine.json")
    arguments = ["a", "b", "--out", tmp_path / "out", "--model", "run", "--device", "cpu", "--harmonise", "--force"]
    command(*arguments, "--keymap", tmp_path / "k.csv", "--threshold", tmp_path / "mine.json")
    assert (calls.model, calls.device, calls.paths) == (Path("run"), "cpu", [Path("a"), Path("b")])
    assert (calls.judge.harmonise, calls.judge.threshold.value) == (True, -2.0)
    assert calls.options == {"out": tmp_path / "out", "options": Options(force=True, keymap=tmp_path / "k.csv")}


def test_outputs_on_request_and_resume_reach_the_batch(calls, tmp_path):
    command("a", "--out", tmp_path / "out", "--dicom", "--saliency", "--resume")
    assert calls.options["options"] == Options(resume=True, dicom=True, saliency=True)
    assert not (tmp_path / "out").exists()  # nothing is made where nothing can be resumed


def test_by_default_the_demo_bundle_its_own_threshold_and_no_harmonisation(calls, tmp_path):
    calls.outcomes = [(1.0, [])]
    command("incoming", "--out", tmp_path / "out")
    assert calls.model.name == "prostate_dce_classification"
    assert (calls.judge.threshold, calls.judge.harmonise, calls.device) == (
        threshold(),
        False,
        console.torch_device("auto"),
    )
    assert calls.options == {"out": tmp_path / "out", "options": Options()}


def test_an_unknown_device_is_a_usage_error(calls, tmp_path):
    assert command("incoming", "--out", tmp_path / "out", "--device", "abacus") == 2
    assert calls.model is None


def test_a_model_without_a_threshold_is_told_how_to_get_one(calls, predictor, tmp_path, capsys):
    predictor.threshold_file.unlink()
    assert command("incoming", "--out", tmp_path / "out") == 5
    assert "prostate-alm calibrate" in capsys.readouterr().err
    assert calls.paths is None


def test_a_threshold_file_that_is_missing_is_not_replaced_by_the_default(calls, tmp_path):
    assert command("incoming", "--out", tmp_path / "out", "--threshold", tmp_path / "absent.json") == 5
    assert calls.paths is None


@pytest.mark.parametrize("damage", ["another model", "a changed byte"])
def test_a_threshold_that_does_not_hold_is_an_integrity_error(calls, tmp_path, damage):
    file = threshold(model="b" * 64 if damage == "another model" else MODEL).save(tmp_path / "mine.json")
    if damage == "a changed byte":
        file.write_text(file.read_text().replace('"value": 0.0', '"value": 9.0'))
    assert command("incoming", "--out", tmp_path / "out", "--threshold", file) == 8
    assert calls.paths is None


def test_an_output_folder_that_cannot_be_written_is_found_before_the_model_is_loaded(calls, tmp_path):
    (tmp_path / "file").write_text("")
    assert command("incoming", "--out", tmp_path / "file" / "out") == 6
    assert calls.model is None


@pytest.mark.parametrize(
    ("kind", "patients", "code"),
    [
        ("certified", ("p1", "p2"), 7),
        ("certified", ("p2",), 0),
        ("approximate", ("p1",), 0),  # out-of-bag logits are those of the training patients
    ],
)
def test_a_threshold_on_patients_that_trained_the_model_is_refused(calls, tmp_path, capsys, kind, patients, code):
    calls.outcomes = [(1.0, [])]
    file = threshold(kind=kind, patients=patients).save(tmp_path / "mine.json")
    assert command("incoming", "--out", tmp_path / "out", "--threshold", file) == code
    assert ("1 of the threshold's calibration patients trained the model" in capsys.readouterr().err) is (code == 7)
    assert (calls.paths is None) is (code == 7)


@pytest.mark.parametrize(
    "arguments",
    [
        ["incoming", "--watch", "--dry-run"],
        ["incoming", "other", "--watch"],
        ["incoming", "--resume", "--force"],
        ["incoming", "--settle", "soon"],
    ],
)
def test_options_that_contradict_each_other_are_a_usage_error(calls, tmp_path, arguments):
    assert command(*arguments, "--out", tmp_path / "out") == 2
    assert (calls.model, calls.paths) == (None, None)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["incoming"], ["--out", "out"]])
def test_studies_and_output_folder_must_be_named(arguments):
    assert command(*arguments) == 2


def test_help_has_an_example(capsys):
    assert command("--help") == 0
    assert "prostate-alm triage incoming/" in capsys.readouterr().out
