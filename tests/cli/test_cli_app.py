"""The frame: help, mistakes in one line, exit codes, and no heavy import before it is needed."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from prostate_alm import errors
from prostate_alm.cli import console

COMMANDS = [
    "demo",
    "phantom",
    "inspect",
    "prepare",
    "train",
    "search",
    "calibrate",
    "evaluate",
    "compare",
    "triage",
    "doctor",
]


@pytest.mark.parametrize("command", [*([name] for name in COMMANDS), ["cifar10", "reproduce"]])
def test_every_command_has_help_with_an_example(prostate_alm, command):
    code, out, _ = prostate_alm(*command, "--help")
    assert code == 0
    assert "Example" in out


def test_help_imports_nothing_heavy():
    heavy = ["torch", "monai", "ignite", "pydicom", "nibabel", "scipy", "matplotlib", "numpy"]
    script = (
        "import sys; from prostate_alm.cli import console; from prostate_alm.cli.app import app\n"
        "console.guarded(lambda: app(['--help']))\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.rstrip().endswith("[]")


def test_an_unknown_command_is_a_usage_error(prostate_alm):
    assert prostate_alm("no-such-command")[0] == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, 2),
        (errors.NoInputError, 4),
        (errors.ModelError, 5),
        (errors.OutputError, 6),
        (errors.RefusedError, 7),
        (errors.IntegrityError, 8),
        (ValueError, 1),
    ],
)
def test_errors_become_one_line_and_an_exit_code(capsys, error, code):
    def fail() -> None:
        raise error("what is wrong,\n   where, what to do")

    assert console.guarded(fail) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    named = "" if code > 1 else "ValueError: "  # of a bug, the kind is told too
    assert f"error: {named}what is wrong, where, what to do\n" in shown.err
    assert "Traceback" not in shown.err


def test_of_a_wrapped_bug_the_cause_is_told(capsys):
    def fail() -> None:
        try:
            raise KeyError("the cause")
        except KeyError as error:
            raise RuntimeError("a wrapper that says nothing") from error

    assert console.guarded(fail) == 1
    assert "error: KeyError: 'the cause'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("--debug", "inspect", "X"), ("inspect", "X", "--debug"), ("inspect", "--debug", "X", "--json")]
)
def test_debug_shows_the_traceback_wherever_it_stands(prostate_alm, tmp_path, monkeypatch, arguments):
    monkeypatch.setitem(console._shown, "traceback", False)
    code, _, err = prostate_alm(*(tmp_path if argument == "X" else argument for argument in arguments))
    assert code == 4
    assert "Traceback" in err


def test_without_debug_there_is_no_traceback_and_a_path_may_have_its_name(prostate_alm, tmp_path, monkeypatch):
    monkeypatch.setitem(console._shown, "traceback", False)
    monkeypatch.chdir(tmp_path)
    code, _, err = prostate_alm("inspect", "--", "--debug")
    assert (code, "Traceback" in err) == (4, False)
    assert "--debug does not exist" in err


def test_help_tells_of_debug(prostate_alm):
    assert "--debug" in prostate_alm("--help")[1]


def printing(script, **options):
    """A process that prints by `console`; no variable of the surroundings may make Python flush by itself."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    code = f"import sys; from prostate_alm.cli import console\ndef work():\n {script}\nsys.exit(console.guarded(work))"
    return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, **options)


def test_a_result_is_there_at_once():
    with printing("console.result('x'); sys.stdin.read()", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert select.select([process.stdout], [], [], 20)[0]
        assert process.stdout.readline() == "x\n"
        process.stdin.close()
        assert process.wait(20) == 0


@pytest.mark.parametrize("kind", ["full", "nobody reads", "closed"])
def test_without_a_stdout_the_work_goes_on_and_ends_with_6(tmp_path, kind):
    script = f"for n in range(3): console.result('x'); open('{tmp_path}/done', 'w').write(str(n))"
    if kind == "full":
        with Path("/dev/full").open("w") as full:
            process = printing(script, stdout=full, stderr=subprocess.PIPE)
    elif kind == "nobody reads":
        process = printing(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
    else:
        process = printing(script, stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    with process:
        shown = process.stderr.read()
        assert process.wait(20) == 6
    assert (tmp_path / "done").read_text() == "2"
    assert shown.startswith("error: stdout cannot be written (")
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize(
    ("raised", "code"), [("SystemExit(3)", 6), ("errors.OutputError('x')", 6), ("errors.UsageError('x')", 2)]
)
def test_a_mistake_counts_more_than_a_lost_stdout(raised, code):
    script = f"console.result('x'); from prostate_alm import errors; raise {raised}"
    with Path("/dev/full").open("w") as full, printing(script, stdout=full, stderr=subprocess.DEVNULL) as process:
        assert process.wait(20) == code


def test_nobody_reads_stderr_and_the_work_goes_on():
    script = "[console.note('x' * 99999) for _ in range(3)]; console.result('done')"
    with printing(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stderr.close()
        assert process.stdout.read() == "done\n"
        assert process.wait(20) == 0


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:99", ""])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(errors.UsageError, match="device"):
        console.torch_device(name)


def test_devices():
    assert console.torch_device("cpu") == "cpu"
    assert console.torch_device("auto") in {"cpu", "cuda:0"}
