import errno
import fcntl
import os
import shutil
import stat
import tempfile

import pytest

from prostate_alm.errors import OutputError
from prostate_alm.triage import preview_studies
from prostate_alm.triage.identity import place_key
from prostate_alm.triage.judge import Findings
from prostate_alm.triage.scratch import no_room, scratch_folder


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_temporary_files_lie_in_a_private_folder_that_is_gone_afterwards(temporary):
    with scratch_folder("key") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert tempfile.mkdtemp().startswith(str(folder))
    assert list(temporary.iterdir()) == []
    with pytest.raises(KeyError), scratch_folder("key"):
        raise KeyError
    assert list(temporary.iterdir()) == []
    assert tempfile.gettempdir() == str(temporary)


@pytest.mark.parametrize("left", ["prostate-alm-key-abc", "prostate-alm-key"])
def test_what_a_killed_run_left_is_removed_first(temporary, left):
    place = temporary / left / "prostate-alm-x" / "study"
    place.mkdir(parents=True)
    (place / "1.dcm").write_bytes(b"of a patient")
    (temporary / "prostate-alm-other").mkdir()  # of another output folder
    with scratch_folder("key") as folder:
        assert [path.name for path in folder.iterdir()] == [".lock"]
        assert not (temporary / left).exists()
    assert [path.name for path in temporary.iterdir()] == ["prostate-alm-other"]


def test_what_a_living_run_holds_is_not_touched(temporary):
    """A dry run may go on beside a run."""
    with scratch_folder("key") as first:
        (first / "1.dcm").write_bytes(b"of a patient")
        tempfile.tempdir = str(temporary)  # as in a process of its own
        with scratch_folder("key") as second:
            assert second != first
        assert (first / "1.dcm").exists()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("moment", ["before the lock is made", "before it is held"])
def test_a_folder_that_is_taken_for_a_dead_one_is_made_anew(temporary, monkeypatch, moment):
    """Another process clears what is not locked yet."""
    name = "open" if moment == "before the lock is made" else "flock"
    owner, usual = (os, os.open) if name == "open" else (fcntl, fcntl.flock)
    cleared = []

    def meddle(*arguments, **options):
        if not cleared:
            cleared.extend(temporary.iterdir())
            shutil.rmtree(cleared[0])
        return usual(*arguments, **options)

    monkeypatch.setattr(owner, name, meddle)
    with scratch_folder("key") as folder:
        assert folder.is_dir()
        assert folder not in cleared


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_not_ours_is_not_touched(temporary, tmp_path_factory, kind):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kept").write_text("x")
    if kind == "link":
        (temporary / "prostate-alm-key-abc").symlink_to(elsewhere)
    else:
        (temporary / "prostate-alm-key-abc").write_text("x")
    with scratch_folder("key"):
        pass
    assert (elsewhere / "kept").exists()
    assert [path.name for path in temporary.iterdir()] == ["prostate-alm-key-abc"]


def test_a_folder_of_another_user_is_not_touched(temporary, monkeypatch):
    (temporary / "prostate-alm-key").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with scratch_folder("key"):
        pass
    assert (temporary / "prostate-alm-key").is_dir()


def test_a_temporary_folder_that_cannot_be_written_is_an_output_error(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(OutputError, match="TMPDIR"), scratch_folder("key"):
        pass


def test_what_a_killed_dry_run_left_is_removed_by_the_next_run(
    temporary, tmp_path_factory, studies, ruling, monkeypatch
):
    out = tmp_path_factory.mktemp("place") / "out"
    folder = studies("a")
    seen = []
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **_options: None)  # as if it were killed
    monkeypatch.setattr(type(ruling), "preview", lambda *_: seen.append(tempfile.gettempdir()) or Findings())
    preview_studies([folder], ruling, out=out)
    monkeypatch.undo()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    left = [path for path in temporary.iterdir() if path.name.startswith("prostate-alm-")]
    assert [str(path) for path in left] == seen
    with scratch_folder(place_key(out, ruling.keys)):
        assert not left[0].exists()


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (OSError(errno.EROFS, "x"), True),
        (OSError(errno.EIO, "x"), False),
        (ValueError("x"), False),
    ],
)
def test_no_room_is_known_also_behind_another_error(error, full):
    wrapped = RuntimeError("of a library")
    wrapped.__cause__ = error
    assert [isinstance(no_room(each), OutputError) for each in (error, wrapped)] == [full, full]
