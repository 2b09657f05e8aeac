"""Files appear whole or not at all, and a folder has one master."""

import csv
import hashlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prostate_alm import files
from prostate_alm.errors import OutputError, UsageError
from prostate_alm.files import lock_folder, output_folder, sha256, whole_file, write_csv, write_json, write_text


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow past 1 kB: to a writer this looks like a disk that is full.

    Not a fixture: the limit would hold for pytest's own output too, where that goes to a file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_takes_its_place_and_keeps_its_ending(tmp_path: Path) -> None:
    target = tmp_path / "volume.nii.gz"
    target.write_text("old")
    with whole_file(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
        assert part.parent == target.parent
        assert part.name.endswith(".nii.gz")
    assert target.read_text() == "new"
    assert names(tmp_path) == ["volume.nii.gz"]


@pytest.mark.parametrize("error", [ValueError("inside"), KeyboardInterrupt()])
def test_an_exception_inside_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail() -> None:
        with whole_file(target) as part:
            part.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_nothing_written_inside_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*a\.txt"), whole_file(tmp_path / "a.txt"):
        pass
    assert names(tmp_path) == []


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    write_text(tmp_path / "kept.txt", "fits")
    for name in ("kept.txt", "new.txt"):
        with full_disk(), pytest.raises(OutputError, match=rf"cannot write .*{name}: .*is there space"):
            write_text(tmp_path / name, "x" * 5000)
    assert names(tmp_path) == ["kept.txt"]
    assert (tmp_path / "kept.txt").read_text() == "fits"


def test_what_a_library_makes_of_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    def wrapped() -> None:
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise OSError(f"with a traceback:\n{error}") from error

    for fails, words in ((wrapped, "No space left on device"), (lambda: _raise(OSError("one\ntwo")), "one;")):
        with pytest.raises(OutputError, match=words) as told, whole_file(tmp_path / "x"):
            fails()
        assert "\n" not in str(told.value)


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("place", ["file/a.txt", "absent/a.txt"])
def test_a_folder_that_is_none_is_one_clear_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        write_text(tmp_path / place, "text")
    assert names(tmp_path) == ["file"]


def test_a_file_system_that_refuses_to_rename_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError, match="Read-only file system"):
        write_text(tmp_path / "a.txt", "text")
    assert names(tmp_path) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_json_has_not_before_touching_the_file(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"value": value})
    assert names(tmp_path) == []


def test_json_and_text_come_back(tmp_path: Path) -> None:
    content = {"a": [1, 2.5, None], "ü": "ß"}
    assert json.loads(write_json(str(tmp_path / "a.json"), content).read_text(encoding="utf-8")) == content
    assert write_text(tmp_path / "t", "ü\n").read_bytes() == "ü\n".encode()


def test_tables_come_back(tmp_path: Path) -> None:
    rows = [{"a": "x,y", "b": 1}, {"a": 'q"', "b": 2}]
    with write_csv(tmp_path / "t.csv", ["a", "b"], rows).open(newline="") as file:
        assert list(csv.DictReader(file)) == [{"a": "x,y", "b": "1"}, {"a": 'q"', "b": "2"}]


def test_a_table_refuses_an_unknown_column(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fieldnames"):
        write_csv(tmp_path / "t.csv", ["a"], [{"a": 1, "b": 2}])
    assert names(tmp_path) == []


def test_sha256_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\r\nabc")
    assert sha256(tmp_path / "a") == hashlib.sha256(b"\r\nabc").hexdigest()


def test_output_folder_makes_parents_and_leaves_no_trace(tmp_path: Path) -> None:
    folder = output_folder(str(tmp_path / "a" / "b"))
    assert folder.is_dir()
    assert names(folder) == []
    assert output_folder(folder) == folder


@pytest.mark.parametrize("use", [output_folder, lambda path: lock_folder(path).__enter__()])
def test_an_output_folder_that_is_a_file_is_refused(tmp_path: Path, use: Callable[[Path], object]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write to .*file"):
        use(tmp_path / "file")


def test_an_output_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(files.tempfile, "TemporaryFile", refuse)
    with pytest.raises(OutputError, match=r"Read-only file system; choose another output folder"):
        output_folder(tmp_path)


HOLD = """
import sys
from prostate_alm.files import lock_folder
with lock_folder(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_locked_against_another_process_until_that_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="another process works in"), lock_folder(tmp_path):
            pytest.fail("two processes hold one folder")
        holder.kill()  # no clean-up runs
        holder.wait()
        with lock_folder(tmp_path):
            pass
    with lock_folder(tmp_path):
        assert names(tmp_path) == [".lock"]
