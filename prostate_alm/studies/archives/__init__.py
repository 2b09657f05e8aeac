"""Zip archives: unpacked into a private folder that is gone afterwards.

A refusal never quotes the name of a member: people name folders after patients.
"""

import calendar
import errno
import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from prostate_alm.errors import NoInputError, OutputError, UserError
from prostate_alm.studies.archives.members import LIMITS, UNPACK, BreachError, Budget, Limits, plan, too_many

_CHUNK = 1 << 20
_LARGEST_DIRECTORY = 32 << 20
_LONGEST_END = 76 + 22 + 0xFFFF
_NAME_TROUBLE = frozenset(
    (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ELOOP)
)


class RefusedArchiveError(NoInputError):
    """An archive of which nothing is read.

    Args:
        message: names the archive, for the terminal.
        why: the same without any name, to be stored.
    """

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


@contextmanager
def opened(path: Path | str, limits: Limits = LIMITS) -> Iterator[Path]:
    """What to read behind a path: of a zip archive a temporary folder with its files, else the path as it is.

    An archive is known by its content, not by its name. The folder has the mode 0700 and is removed on the way out,
    whatever happens. An archive within the archive stays a file. Each file's time of change is that of its member, so
    that the same archive gives the same files; the fraction of the second stands for the member's checksum, so that
    other content gives another time even where a tool writes all times as 1980.

    Args:
        path: a folder, a file, an archive, or nothing at all.
        limits: what the archive may hold; enforced while it is unpacked, whatever its headers say.

    Raises:
        RefusedArchiveError: if the archive is damaged, encrypted, too large, too dense (a bomb), or holds names that
            lead out of the folder, stand twice or cannot stand on this disk, links, special files, or a compression
            other than deflate. Then nothing of it is read.
        OutputError: if the temporary folder cannot be written, such as on a full disk, or not be removed.

    Source: APPNOTE.TXT 6.3.10 (.ZIP File Format Specification), 4.3 and 4.4.
    """
    path = Path(path)
    if not is_archive(path):
        yield path
        return
    with _private_folder() as folder:
        _unpack(path, folder, limits)
        yield folder


def is_archive(path: Path) -> bool:
    """True if a file is a zip archive by its content, whatever its name; False for what cannot be opened."""
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return False
        with path.open("rb") as file:
            start = file.read(132)
            if start[128:] == b"DICM" or start.startswith(b"\x1f\x8b"):  # what they hold may look like an archive's end
                return False
            return start.startswith(b"PK\x03\x04") or zipfile.is_zipfile(file)
    except OSError:  # whoever reads the path says so
        return False


@contextmanager
def _private_folder() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="prostate-alm-")
    except OSError as error:
        raise _no_space(error) from None
    try:
        yield Path(folder.name)
    finally:
        try:
            folder.cleanup()
        except OSError as error:
            raise OutputError(
                f"cannot remove {folder.name}, which holds unpacked files of patients: {error.strerror}; do it by hand"
            ) from error


def _no_space(error: OSError) -> OutputError:
    return OutputError(
        f"cannot unpack into {tempfile.gettempdir()}: {error.strerror or type(error).__name__}; "
        "set TMPDIR to a folder with more space"
    )


def _unpack(path: Path, folder: Path, limits: Limits) -> None:
    try:
        with path.open("rb") as file, zipfile.ZipFile(_Watched(file, limits.members)) as archive:
            _check_count(file, len(archive.infolist()))
            _unpack_members(archive, folder, limits, os.fstat(file.fileno()).st_size)
    except UserError:
        raise
    except BreachError as breach:
        raise RefusedArchiveError(f"{path}: {breach}", f"the zip archive is refused: {breach}") from None
    except OSError as error:
        why = f"cannot be read: {error.strerror or type(error).__name__}"
        raise RefusedArchiveError(f"{path} {why}", f"the zip archive {why}") from None
    except Exception as error:  # zipfile raises many kinds on damaged input, and its messages hold names
        why = f"a damaged or incomplete zip archive ({type(error).__name__}); copy or pack it again"
        raise RefusedArchiveError(f"{path} is {why}", why) from None


class _Watched(io.BufferedIOBase):
    """The archive's bytes for zipfile, which reads the list of members at once, however long it is.

    Nothing else is read in pieces of more than a chunk, so that a longer piece is that list.
    """

    def __init__(self, file: BinaryIO, members: int) -> None:
        self._file, self._members = file, members

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LARGEST_DIRECTORY:
            raise BreachError(f"its list of members is longer than {_LARGEST_DIRECTORY >> 20} MiB; {UNPACK}")
        data = self._file.read(-1 if size is None else size)
        if len(data) > _CHUNK and data.count(b"PK\x01\x02") > self._members:
            raise too_many(self._members)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _check_count(file: BinaryIO, members: int) -> None:
    """The list of members must be as long as the end of the archive says; zipfile takes a shorter one without a word.

    Source: APPNOTE.TXT 6.3.10, 4.3.14 to 4.3.16.
    """
    file.seek(-min(file.seek(0, os.SEEK_END), _LONGEST_END), os.SEEK_END)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    record = tail[max(0, end - 76) : max(0, end - 20)]  # of ZIP64, with its locator between the two
    stated = record[32:40] if record.startswith(b"PK\x06\x06") else tail[end + 10 : end + 12]
    if int.from_bytes(stated, "little") not in (members, members & 0xFFFF):  # some tools count modulo 65,536
        raise zipfile.BadZipFile("members are missing from the list")


def _unpack_members(archive: zipfile.ZipFile, folder: Path, limits: Limits, packed_bytes: int) -> None:
    files, folders = plan(archive.infolist(), limits)
    budget = Budget(limits, packed_bytes)
    budget.check_stated([info.file_size for info in files.values()])
    with _writing():
        for parts in sorted(folders):
            folder.joinpath(*parts).mkdir(mode=0o700)
    for parts, info in files.items():
        with archive.open(info) as member, _writing():
            _write(member, info, folder.joinpath(*parts), budget)


def _write(member: IO[bytes], info: zipfile.ZipInfo, target: Path, budget: Budget) -> None:
    written = 0
    with target.open("xb") as file:
        for chunk in _chunks(member):
            written += len(chunk)
            budget.take(len(chunk), written)
            file.write(chunk)
    if written != info.file_size:
        raise zipfile.BadZipFile("a member is shorter than stated")
    time_ns = _time_ns(info)
    os.utime(target, ns=(time_ns, time_ns))


def _chunks(member: IO[bytes]) -> Iterator[bytes]:
    try:
        while chunk := member.read(_CHUNK):
            yield chunk
    except OSError as error:  # of the archive, not of the disk that is written to
        raise BreachError(f"it cannot be read: {error.strerror or type(error).__name__}") from None


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NAME_TROUBLE:
            raise BreachError(f"the names of its members cannot stand on this disk; {UNPACK}") from None
        raise _no_space(error) from None


def _time_ns(info: zipfile.ZipInfo) -> int:
    """The member's time, taken as UTC so that it is the same everywhere; nanoseconds stand for its checksum."""
    year, month, day, hour, minute, second = info.date_time
    try:
        seconds = calendar.timegm((year, month, day, hour, minute, second))
    except ValueError:  # a date that no calendar has, which some tools write for "unknown"
        seconds = calendar.timegm((1980, 1, 1, 0, 0, 0))
    return seconds * 1_000_000_000 + info.CRC % 1_000_000_000
