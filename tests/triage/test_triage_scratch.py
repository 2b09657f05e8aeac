import os
import stat
import tempfile

import pytest

from prostate_alm.errors import OutputError
from prostate_alm.triage.scratch import scratch_folder


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


def test_what_a_killed_run_left_is_removed_first(temporary):
    left = temporary / "prostate-alm-key" / "prostate-alm-x" / "study"
    left.mkdir(parents=True)
    (left / "1.dcm").write_bytes(b"of a patient")
    (temporary / "prostate-alm-other").mkdir()  # of another output folder, whose run may be alive
    with scratch_folder("key") as folder:
        assert list(folder.iterdir()) == []
    assert [path.name for path in temporary.iterdir()] == ["prostate-alm-other"]


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_not_ours_is_not_touched(temporary, tmp_path_factory, kind):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kept").write_text("x")
    if kind == "link":
        (temporary / "prostate-alm-key").symlink_to(elsewhere)
    else:
        (temporary / "prostate-alm-key").write_text("x")
    with pytest.raises(OutputError, match="not ours"), scratch_folder("key"):
        pass
    assert (elsewhere / "kept").exists()


def test_a_folder_of_another_user_is_not_touched(temporary, monkeypatch):
    (temporary / "prostate-alm-key").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(OutputError, match="not ours"), scratch_folder("key"):
        pass
    assert (temporary / "prostate-alm-key").is_dir()
