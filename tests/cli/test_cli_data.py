"""The commands inspect, prepare and phantom: results on stdout, one line per mistake, exit codes."""

import json
import subprocess
import sys

import dicom_factory
import pytest
import typer

from prostate_alm.cli import console, data


@pytest.fixture(autouse=True)
def salt(monkeypatch):
    monkeypatch.setenv("PROSTATE_ALM_SALT", "a salt for the tests")


@pytest.fixture
def command(capsys):
    """Run a command line; gives the exit code, stdout and stderr."""
    app = typer.Typer()
    data.register(app)

    def run(*arguments):
        code = console.guarded(lambda: app([str(argument) for argument in arguments]))
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture
def study(tmp_path):
    return dicom_factory.save(dicom_factory.study(), tmp_path / "studies" / "one")


def test_inspect_shows_every_series(command, study):
    code, out, err = command("inspect", study)
    assert code == 0
    for text in (
        "t2_tse_tra",
        "used as axial T2",
        "used as DWI b100, b600, b1000",
        "ADC map",
        "a decision is possible",
    ):
        assert text in out
    assert err == ""


def test_inspect_json_is_one_object_per_study(command, study, tmp_path):
    dicom_factory.save(dicom_factory.study("two", b_values=(50, 400, 800)), tmp_path / "studies" / "two")
    code, out, _ = command("inspect", tmp_path / "studies", "--json")
    one, two = (json.loads(line) for line in out.splitlines())
    assert code == 0
    assert one["decision_possible"] is True
    assert two["decision_possible"] is False
    assert "b-values 50, 400, 800" in two["problems"][0]
    assert list(two["volumes"]) == ["t2", "b50", "b400", "b800"]
    assert all(set(row) >= {"role", "reason", "b_values", "orientation"} for row in one["series"])


def test_inspect_harmonises_on_request(command, tmp_path):
    folder = dicom_factory.save(dicom_factory.study(b_values=(50, 400, 800)), tmp_path)
    assert "no decision is possible" in command("inspect", folder)[1]
    assert json.loads(command("inspect", folder, "--json", "--harmonise")[1])["decision_possible"] is True


def test_inspect_names_skipped_files_on_stderr_only(command, study):
    (study / "notes.txt").write_text("nothing medical, " * 20)
    _, out, err = command("inspect", study, "--json")
    assert "notes.txt: " in err
    assert "notes.txt" not in out
    assert "SECRET" not in out + err


@pytest.mark.parametrize("there", [True, False])
def test_inspect_without_dicom_is_one_line_and_exit_code_4(command, tmp_path, there):
    folder = tmp_path / "empty"
    if there:
        folder.mkdir()
    code, out, err = command("inspect", folder)
    assert (code, out) == (4, "")
    assert err.count("\n") == 1
    assert str(folder) in err


def test_prepare_writes_a_cohort(command, study, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("study,label\none,1\n")
    code, out, _ = command(
        "prepare", tmp_path / "studies", "--labels", labels, "--out", tmp_path / "c", "--processes", 1
    )
    assert code == 0
    assert "1 of 1 studies ready" in out
    assert (tmp_path / "c" / "manifest.json").is_file()


def test_prepare_with_a_broken_study_ends_with_3(command, study, tmp_path):
    folder = dicom_factory.save(dicom_factory.study("two", b_values=()), tmp_path / "studies" / "two")
    code, out, err = command("prepare", tmp_path / "studies", "--out", tmp_path / "c", "--processes", 1)
    assert code == 3
    assert "1 of 2 studies ready" in out
    assert "no usable acquired diffusion (DWI)" in err
    assert folder.name in {path.name for path in (tmp_path / "studies").iterdir()}


@pytest.mark.parametrize(
    ("labels", "code", "message"),
    [
        ("study,label\nfour,1\n", 2, "fits no study"),
        ("study,label\none,2\n", 2, "this label is not allowed"),
        (None, 4, "cannot be read"),
    ],
)
def test_prepare_refuses_bad_labels_in_one_line(command, study, tmp_path, labels, code, message):
    path = tmp_path / "labels.csv"
    if labels is not None:
        path.write_text(labels)
    result = command("prepare", tmp_path / "studies", "--labels", path, "--out", tmp_path / "c")
    assert (result[0], result[1]) == (code, "")
    assert message in result[2]
    assert result[2].count("\n") == 1
    assert not (tmp_path / "c").exists()


def test_prepare_needs_a_folder_that_can_be_written(command, study, tmp_path):
    (tmp_path / "c").write_text("a file")
    code, _, err = command("prepare", tmp_path / "studies", "--out", tmp_path / "c")
    assert code == 6
    assert "choose another output folder" in err


@pytest.mark.slow
def test_phantom_then_prepare(command, tmp_path):
    code, out, _ = command("phantom", tmp_path / "p", "--studies", 2, "--class-ratio", "1:1", "--processes", 1)
    assert code == 0
    assert "2 studies" in out
    labels = tmp_path / "p" / "labels.csv"
    code, _, err = command(
        "prepare", tmp_path / "p" / "studies", "--labels", labels, "--out", tmp_path / "c", "--processes", 1
    )
    assert (code, err) == (0, "")


@pytest.mark.parametrize("arguments", [("--b-values", "100;600"), ("--class-ratio", "one"), ("--dialect", "none")])
def test_phantom_refuses_nonsense(command, tmp_path, arguments):
    code, _, err = command("phantom", tmp_path / "p", "--studies", 2, *arguments)
    assert code == 2
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["inspect", "prepare", "phantom"])
def test_help_has_an_example(command, name):
    code, out, _ = command(name, "--help")
    assert code == 0
    assert "Example:" in out


def test_reading_needs_neither_torch_nor_monai():
    """inspect must be quick, and workers of prepare small."""
    code = "import sys, prostate_alm.prepare; print(*{'torch', 'monai', 'nibabel'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
