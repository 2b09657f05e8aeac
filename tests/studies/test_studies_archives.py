"""Zip input: the same study as from a folder, and a refusal for everything that an archive must not hold."""

import errno
import io
import os
import random
import stat
import struct
import tempfile
import time
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import dicom_factory
import numpy as np
import pytest

from prostate_alm.errors import NoInputError, OutputError
from prostate_alm.studies import Keys, archives, find_studies, read_study
from prostate_alm.studies.archives import opened
from prostate_alm.studies.archives.members import Limits

KEYS = Keys(b"a salt for the tests")
NAME = "MUSTERMANN_ERIKA"
MEBI = 1 << 20


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Where archives are unpacked; whatever a test does, nothing may be left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@contextmanager
def packing(path, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        yield archive


def packed(path, members, compression=zipfile.ZIP_DEFLATED):
    """An archive of (name or ZipInfo, content)."""
    with packing(path, compression) as archive:
        for name, content in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name, (2020, 5, 17, 12, 30, 2))
            info.compress_type = compression
            archive.writestr(info, content)
    return path


def raw_name(name, **changed):
    """A member under exactly this name, as only a crafted archive has it."""
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name
    for key, value in changed.items():
        setattr(info, key, value)
    return info


def pack_folder(folder, path):
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return packed(path, [(file.relative_to(folder).as_posix(), file.read_bytes()) for file in files])


def refused(path, **limits):
    """The message; nothing is unpacked and no member's name is in it."""
    with pytest.raises(NoInputError) as caught, opened(path, Limits(**limits)):
        pytest.fail("the archive was opened")
    message = str(caught.value)
    assert str(path) in message
    assert NAME not in message
    assert "\n" not in message
    assert caught.value.__cause__ is None
    return message


def test_a_study_in_a_zip_is_the_study_in_the_folder(tmp_path):
    folder = dicom_factory.save(dicom_factory.study(), tmp_path / "study")
    (study,) = find_studies(folder)
    expected = read_study(study, keys=KEYS)
    with opened(pack_folder(folder, tmp_path / "study.zip")) as unpacked:
        (study,) = find_studies(unpacked)
        reading = read_study(study, keys=KEYS)
        assert stat.S_IMODE(unpacked.stat().st_mode) == 0o700
    assert expected.ready
    assert reading.ready
    assert (reading.study_key, reading.patient_key) == (expected.study_key, expected.patient_key)
    for name, volume in expected.volumes.items():
        assert np.array_equal(volume.voxels, reading.volumes[name].voxels)
        assert np.array_equal(volume.affine, reading.volumes[name].affine)


@pytest.mark.parametrize("what", ["folder", "dicom", "text", "missing", "pipe", "gzip", "dicom that ends like a zip"])
def test_all_else_is_given_as_it_is(tmp_path, what):
    path = tmp_path / "what.zip"  # the name says nothing
    end = b"PK\x05\x06" + bytes(18)
    match what:
        case "folder":
            path.mkdir()
        case "dicom":
            path.write_bytes(bytes(128) + b"DICM")
        case "text":
            path.write_text("no archive")
        case "pipe":
            os.mkfifo(path)
        case "gzip":
            path.write_bytes(b"\x1f\x8b" + bytes(200) + end)
        case "dicom that ends like a zip":
            path.write_bytes(bytes(128) + b"DICM" + bytes(200) + end)
    with opened(path) as given:
        assert given == path


def test_an_archive_is_known_by_its_content(tmp_path):
    path = packed(tmp_path / "export.dat", [("a", b"1")])
    path.write_bytes(b"MZ a program that unpacks itself" + path.read_bytes())
    with opened(path) as folder:
        assert (folder / "a").read_bytes() == b"1"


def times_of(path):
    with opened(path) as folder:
        return {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}


def test_one_archive_gives_one_set_of_times_everywhere(tmp_path, monkeypatch):
    """`prepare` knows a finished study by the times of its files, among others."""
    archive = packed(tmp_path / "a.zip", [("a", b"1"), ("b", b"2")])
    times = []
    for zone in ("UTC", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        times.append(times_of(archive))
    monkeypatch.undo()
    time.tzset()
    assert times[0] == times[1]


def test_times_come_from_the_archive_and_tell_contents_apart(tmp_path):
    one = times_of(packed(tmp_path / "one.zip", [("a", b"1"), ("b", b"2")]))
    other = times_of(packed(tmp_path / "other.zip", [("a", b"1"), ("b", b"3")]))
    assert one["a"] == other["a"] == 1_589_718_602 * 10**9 + zlib.crc32(b"1") % 10**9
    assert one["b"] != other["b"]


def test_a_date_that_no_calendar_has(tmp_path):
    path = packed(tmp_path / "a.zip", [("a", b"1")])
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<HH", 0x63C1, 0x50B1), struct.pack("<HH", 0x63C1, 0x0000)))
    assert path.read_bytes() != content
    assert times_of(path)["a"] == 315_532_800 * 10**9 + zlib.crc32(b"1") % 10**9


def test_backslashes_dots_and_empty_parts_are_plain_folders(tmp_path):
    names = ["a\\b\\1.dcm", "a/./b//2.dcm", "./3.dcm", "a/c/", "a/c/4.dcm", "./"]
    members = [(raw_name(name, flag_bits=0x800), b"" if name.endswith("/") else b"1") for name in names]
    with opened(packed(tmp_path / "a.zip", members)) as folder:
        found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert found == ["3.dcm", "a/b/1.dcm", "a/b/2.dcm", "a/c/4.dcm"]


@pytest.mark.parametrize(
    "name",
    [f"../{NAME}", f"a/../../{NAME}", f"/{NAME}", f"//{NAME}/share/a", f"\\\\{NAME}\\share", f"..\\{NAME}",
     f"C:\\{NAME}", f"c:{NAME}", f"a/..\\{NAME}", f"{NAME}/.."],
)  # fmt: skip
def test_names_that_lead_out(tmp_path, name):
    message = refused(packed(tmp_path / "a.zip", [("1.dcm", b"1"), (raw_name(name), b"2")]))
    assert "leads out of the archive" in message
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "temporary"}


@pytest.mark.parametrize(
    "name",
    [f"{NAME}\0.dcm", f"{NAME}\n1.dcm", f"{NAME}\x1b[2J", "é" * 128, f"{NAME}/" * 33 + "1", "a/" * 15 + "b" * 999, "",
     "."],
)  # fmt: skip
def test_names_that_cannot_stand_on_a_disk(tmp_path, name):
    message = refused(packed(tmp_path / "a.zip", [(raw_name(name), b"1")]))
    assert "too long, too deep or holds control characters" in message


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
@pytest.mark.parametrize("system", [3, 0])
def test_links_and_special_files(tmp_path, kind, system):
    info = raw_name(NAME, external_attr=(kind | 0o777) << 16, create_system=system)
    assert "a link or a special file" in refused(packed(tmp_path / "a.zip", [("1", b"1"), (info, b"/etc/passwd")]))


@pytest.mark.parametrize(
    ("names", "word"),
    [
        (["a/1", "a/1"], "two files"),
        (["a/1", "a\\1"], "two files"),
        (["a/1", "./a//1"], "two files"),
        (["e\u0301", "\u00e9"], "two files"),
        (["a", "a/1"], "a file and a folder"),
        (["a/1", "a"], "a file and a folder"),
        (["a/", "a"], "a file and a folder"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_one_name_twice(tmp_path, names, word):
    members = [(raw_name(f"{NAME}/{name}", flag_bits=0x800), b"" if name[-1] == "/" else b"1") for name in names]
    assert word in refused(packed(tmp_path / "a.zip", members))


def test_a_folder_named_twice_is_no_harm(tmp_path):
    with opened(packed(tmp_path / "a.zip", [("a/", b""), ("a/1", b"1"), ("b/", b""), ("b/", b"")][:3])) as folder:
        assert (folder / "a" / "1").read_bytes() == b"1"


def test_names_that_are_one_on_this_disk_only(tmp_path, monkeypatch):
    def exists(*_, **__):
        raise FileExistsError(errno.EEXIST, f"{NAME} exists")

    monkeypatch.setattr(archives, "_write", exists)
    assert "cannot stand on this disk" in refused(packed(tmp_path / "a.zip", [("a", b"1"), ("A", b"2")]))


@pytest.mark.parametrize("flag", [0x1, 0x40, 0x2000])
def test_encrypted(tmp_path, flag):
    path = packed(tmp_path / "a.zip", [(NAME, b"1")])
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 8
    content[at : at + 2] = struct.pack("<H", flag)
    path.write_bytes(content)
    assert "encrypted; unpack it with its password" in refused(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_without_bounds(tmp_path, method):
    """A few hundred bytes of bzip2 are 1 GiB, and zipfile takes them whole."""
    assert "another method than deflate" in refused(packed(tmp_path / "a.zip", [(NAME, bytes(99_000))], method))


def test_too_many_members(tmp_path):
    path = packed(tmp_path / "a.zip", [(f"{NAME}/{index}", b"") for index in range(5)])
    with opened(path, Limits(members=6)) as folder:
        assert len(list(folder.rglob("*"))) == 6
    assert "more than 5 files and folders" in refused(path, members=5)


def test_folders_count_as_members(tmp_path):
    path = packed(tmp_path / "a.zip", [(f"{index}/" * 10 + "1", b"") for index in range(10)])
    assert "more than 50 files and folders" in refused(path, members=50)


def test_a_list_of_members_that_would_fill_the_memory(tmp_path):
    """The end of the archive states how long the list is; it must not even be read."""
    path = tmp_path / "a.zip"
    entry = b"PK\x01\x02" + bytes(42)
    for count, word in ((200_000, "more than 100,000 files"), (800_000, "longer than 32 MiB")):
        end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 0, 0, count * len(entry), 0, 0)
        path.write_bytes(entry * count + end)
        start = time.perf_counter()
        assert word in refused(path)
        assert time.perf_counter() - start < 5


def bomb(path, size, *, stated=None, count=1):
    """Zeros, and what the headers say of their number."""
    with packing(path) as archive:
        for index in range(count):
            with archive.open(f"{NAME}{index}", "w", force_zip64=True) as member:
                for _ in range(size // MEBI):
                    member.write(bytes(MEBI))
    if stated is not None:
        content = bytearray(path.read_bytes())
        at = content.index(b"PK\x01\x02")
        content[at + 24 : at + 28] = struct.pack("<L", stated)
        path.write_bytes(content)
    return path


def test_a_bomb_is_refused_by_its_density(tmp_path):
    path = bomb(tmp_path / "a.zip", 100 * MEBI)
    assert "more than 200 times its size" in refused(path)


def test_zeros_in_small_amounts_are_no_bomb(tmp_path):
    with opened(bomb(tmp_path / "a.zip", 60 * MEBI)) as folder:
        assert (folder / f"{NAME}0").stat().st_size == 60 * MEBI


def test_sizes_are_counted_and_not_believed(tmp_path, monkeypatch):
    """As if no header could be read at all."""
    monkeypatch.setattr(archives.Budget, "check_stated", lambda *_: None)
    path = bomb(tmp_path / "a.zip", 4 * MEBI, count=3)
    assert "a file in it is larger than 3 MiB" in refused(path, member_bytes=3 * MEBI)
    assert "more than 8 MiB" in refused(path, total_bytes=8 * MEBI)
    assert "times its size" in refused(path, ratio_from_bytes=8 * MEBI)


def test_a_size_that_is_stated_too_small_or_too_large(tmp_path):
    for stated in (10, MEBI - 1, 5 * MEBI):
        assert "damaged or incomplete" in refused(bomb(tmp_path / "a.zip", 4 * MEBI, stated=stated))


def test_too_large_by_its_own_word_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_write", lambda *_: pytest.fail("something was written"))
    path = packed(tmp_path / "a.zip", [(f"{NAME}{index}", os.urandom(100)) for index in range(3)])
    assert "larger than" in refused(path, member_bytes=99)
    assert "unpacks to more than" in refused(path, total_bytes=299)


def test_members_that_share_their_bytes_are_counted_each(tmp_path):
    """Overlapping members (Fifield 2019): a thousand entries in the list, one and the same data."""
    path = bomb(tmp_path / "a.zip", 4 * MEBI)
    content = path.read_bytes()
    at, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entries = b"".join(content[at:end].replace(f"{NAME}0".encode(), f"{NAME}{chr(65 + n)}".encode()) for n in range(26))
    tail = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 26, 26, len(entries), at, 0)
    path.write_bytes(content[:at] + entries + tail)
    refused(path)


def test_an_archive_in_the_archive_stays_a_file_and_is_named(tmp_path):
    folder = dicom_factory.save(dicom_factory.study(), tmp_path / "study")
    inner = packed(tmp_path / "inner.zip", [("1.dcm", os.urandom(500))])
    files = [(file.relative_to(folder).as_posix(), file.read_bytes()) for file in sorted(folder.rglob("*.dcm"))]
    with opened(packed(tmp_path / "a.zip", [*files, ("inner.zip", inner.read_bytes())])) as unpacked:
        assert (unpacked / "inner.zip").read_bytes() == inner.read_bytes()
        (study,) = find_studies(unpacked)
        assert "a zip archive among other files" in "; ".join(read_study(study, keys=KEYS).problems)
    assert [(path.name, reason) for path, reason in study.unreadable] == [
        ("inner.zip", "a zip archive among other files, not opened; unpack it or give it alone")
    ]


def test_an_archive_without_files(tmp_path):
    assert "holds no files" in refused(packed(tmp_path / "a.zip", [("a/", b"")]))
    (tmp_path / "empty.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    assert "holds no files" in refused(tmp_path / "empty.zip")


def test_a_damaged_archive_never_gives_other_bytes(tmp_path):
    """Whatever is flipped or cut off: a refusal, or every file as it was."""
    generator = random.Random(5)
    contents = {f"{NAME}/{index}.dcm": generator.randbytes(50) * 4 for index in range(4)}
    whole = packed(tmp_path / "whole.zip", contents.items()).read_bytes()
    path = tmp_path / "a.zip"
    messages = []
    for _ in range(400):
        spoilt = bytearray(whole)
        for _ in range(generator.randint(1, 3)):
            spoilt[generator.randrange(len(spoilt))] ^= 1 << generator.randrange(8)
        path.write_bytes(spoilt[: generator.randrange(4, len(spoilt))] if generator.random() < 0.2 else spoilt)
        try:
            with opened(path) as folder:
                if folder == path:
                    continue
                found = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
                assert sorted(found) == sorted(contents.values())
        except NoInputError as error:
            messages.append(str(error))
    assert not any(NAME in message for message in messages)
    assert 200 < len(messages) < 400
    assert len(set(messages)) > 2


@pytest.mark.parametrize("zip64", [False, True])
def test_a_list_that_is_shorter_than_it_says(tmp_path, monkeypatch, zip64):
    """One flipped bit in the length of the list, and zipfile would give the last members only."""
    if zip64:
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    path = packed(tmp_path / "a.zip", [(f"{index}", b"1") for index in range(4)])
    with opened(path) as folder:
        assert len(list(folder.iterdir())) == 4
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x06\x06") + 40 if zip64 else content.index(b"PK\x05\x06") + 12
    (length,) = struct.unpack_from("<L", content, at)
    struct.pack_into("<L", content, at, length // 2)
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) == 2
    assert "damaged or incomplete" in refused(path)


def test_an_archive_without_its_end_is_called_incomplete(tmp_path):
    path = packed(tmp_path / "a.zip", [(NAME, os.urandom(1000))])
    path.write_bytes(path.read_bytes()[:500])
    assert "damaged or incomplete zip archive" in refused(path)


def test_an_archive_that_cannot_be_read_to_its_end(tmp_path, monkeypatch):
    def broken(self, size=-1):
        raise OSError(errno.EIO, "Input/output error")

    path = packed(tmp_path / "a.zip", [(NAME, b"1")])
    monkeypatch.setattr(zipfile.ZipExtFile, "read", broken)
    assert "cannot be read: Input/output error" in refused(path)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("in the middle"), NoInputError("no study")])
def test_nothing_is_left_behind_by_an_error_of_the_reader(tmp_path, temporary, error):
    path = packed(tmp_path / "a.zip", [("a/b/1", b"1")])

    def reader():
        with opened(path):
            assert len(list(temporary.rglob("1"))) == 1
            raise error

    with pytest.raises(type(error)) as caught:
        reader()
    assert caught.value is error


def test_nothing_is_left_behind_by_an_interrupt_while_unpacking(tmp_path, monkeypatch):
    def interrupted(self, count, of_member):
        raise KeyboardInterrupt

    path = packed(tmp_path / "a.zip", [("a/b/1", b"1")])
    monkeypatch.setattr(archives.Budget, "take", interrupted)
    with pytest.raises(KeyboardInterrupt), opened(path):
        pytest.fail("the archive was opened")


@pytest.mark.parametrize("where", ["mkdir", "open", "write"])
def test_a_full_disk_is_an_output_error(tmp_path, monkeypatch, where):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = packed(tmp_path / "a.zip", [(f"{NAME}/1", b"1")])
    if where == "write":
        monkeypatch.setattr(os, "utime", full)
    elif where == "mkdir":
        monkeypatch.setattr(Path, "mkdir", full)
    else:
        monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(OutputError, match="No space left on device; set TMPDIR") as caught, opened(path):
        pytest.fail("the archive was opened")
    assert NAME not in str(caught.value)


def test_a_real_full_disk(tmp_path, monkeypatch):
    """The disk is full after 64 KiB."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    path = packed(tmp_path / "a.zip", [(NAME, os.urandom(MEBI))])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
        with pytest.raises(OutputError, match="set TMPDIR"), opened(path):
            pytest.fail("the archive was opened")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_cannot_be_removed_is_named(tmp_path, temporary, monkeypatch):
    def broken(self):
        self._finalizer.detach()
        raise OSError(errno.EIO, "broken")

    path = packed(tmp_path / "a.zip", [(NAME, b"1")])
    with monkeypatch.context() as patch:
        patch.setattr(tempfile.TemporaryDirectory, "cleanup", broken)
        with pytest.raises(OutputError, match="holds unpacked files of patients: broken"), opened(path) as folder:
            pass
    (folder / NAME).unlink()
    folder.rmdir()


def test_one_gigabyte_of_zeros_in_bzip2_is_small():
    """What `test_methods_that_unpack_without_bounds` refuses, in figures: the reason for that rule."""
    packed_zeros = io.BytesIO()
    with zipfile.ZipFile(packed_zeros, "w", zipfile.ZIP_BZIP2) as archive, archive.open("a", "w") as member:
        for _ in range(50):
            member.write(bytes(MEBI))
    assert len(packed_zeros.getvalue()) < 1000
