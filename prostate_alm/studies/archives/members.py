"""What a zip archive may hold: names, forms and sizes, checked before or while it is unpacked, never believed."""

import re
import stat
import unicodedata
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

UNPACK = "unpack it by hand and give the folder"
_DEEPEST = 32
_LONGEST_PART, _LONGEST_NAME = 255, 1024
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

Parts = tuple[str, ...]
"""A member's place: its folders, then its own name."""


class BreachError(Exception):
    """Why an archive is refused and what to do, without the name of a member."""


@dataclass(frozen=True)
class Limits:
    """What an archive may hold.

    Args:
        members: files and folders, also the folders that only the names of files imply.
        total_bytes: unpacked bytes of all files.
        member_bytes: unpacked bytes of one file.
        ratio: unpacked bytes per byte of the archive, counted once `ratio_from_bytes` are unpacked.
        ratio_from_bytes: up to here even zeros alone are no danger.
    """

    members: int = 100_000
    total_bytes: int = 8 << 30
    member_bytes: int = 2 << 30
    ratio: int = 200
    ratio_from_bytes: int = 64 << 20


LIMITS = Limits()


class Budget:
    """Counts unpacked bytes as they come.

    Args:
        limits: what is allowed.
        packed_bytes: the size of the archive.
    """

    def __init__(self, limits: Limits, packed_bytes: int) -> None:
        self._limits, self._packed = limits, max(1, packed_bytes)
        self._total = 0

    def check_stated(self, sizes: Sequence[int]) -> None:
        """Refuse at once what is too large by its own word.

        Raises:
            BreachError: if it is.
        """
        self._check_member(max(sizes))
        self._check_total(sum(sizes))

    def take(self, count: int, of_member: int) -> None:
        """Count further bytes.

        Args:
            count: how many.
            of_member: how many there are now of this member.

        Raises:
            BreachError: if they are too many.
        """
        self._total += count
        self._check_member(of_member)
        self._check_total(self._total)

    def _check_member(self, size: int) -> None:
        if size > self._limits.member_bytes:
            raise BreachError(f"a file in it is larger than {_size(self._limits.member_bytes)}; {UNPACK}")

    def _check_total(self, total: int) -> None:
        limits = self._limits
        if total > limits.total_bytes:
            raise BreachError(
                f"it unpacks to more than {_size(limits.total_bytes)}; pack fewer studies into one archive"
            )
        if total > limits.ratio_from_bytes and total > limits.ratio * self._packed:
            raise BreachError(f"it unpacks to more than {limits.ratio} times its size, as no images do; {UNPACK}")


def plan(infos: Sequence[zipfile.ZipInfo], limits: Limits) -> tuple[dict[Parts, zipfile.ZipInfo], set[Parts]]:
    """Where each member goes: the files with their members, and the folders.

    Args:
        infos: the archive's list of members.
        limits: what is allowed.

    Raises:
        BreachError: if a member is encrypted, a link, special, compressed without bounds, or its name leads out,
            stands twice or is unusable; if there are too many members, or no file.
    """
    files: dict[Parts, zipfile.ZipInfo] = {}
    folders: set[Parts] = set()
    for info in infos:
        _check_form(info)
        parts, is_folder = _parts(info.orig_filename)  # the other name ends at a zero byte
        if parts in files and not is_folder:
            raise BreachError(f"two files in it have one name; {UNPACK}")
        if not is_folder:
            files[parts] = info
        folders.update(parts[:depth] for depth in range(1, len(parts) + is_folder))
        if len(files) + len(folders) > limits.members:
            raise too_many(limits.members)
    if not files:
        raise BreachError("it holds no files; give an archive or a folder with the DICOM files of a study")
    if folders & files.keys():
        raise BreachError(f"a file and a folder in it have one name; {UNPACK}")
    return files, folders


def too_many(members: int) -> BreachError:
    """The refusal of an archive with more members than allowed."""
    return BreachError(f"it holds more than {members:,} files and folders; pack fewer studies into one archive")


def _check_form(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise BreachError("it is encrypted; unpack it with its password and give the folder")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BreachError(f"it holds a link or a special file; {UNPACK}")
    if info.compress_type not in _BOUNDED:  # zipfile unpacks the others without bounds
        raise BreachError("it is compressed by another method than deflate; pack it with the usual method")


def _parts(name: str) -> tuple[Parts, bool]:
    """A member's place, and whether it is a folder."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/"))  # 4.4.17.1 wants slashes, some tools write the other
    if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/"):
        raise BreachError("the name of a member leads out of the archive (absolute, a drive or '..'); do not trust it")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    is_folder = name.endswith("/")
    if (
        len(parts) > _DEEPEST
        or len(name.encode(errors="replace")) > _LONGEST_NAME
        or any(len(part.encode(errors="replace")) > _LONGEST_PART for part in parts)
        or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
        or not (parts or is_folder)
    ):
        raise BreachError(f"the name of a member is too long, too deep or holds control characters; {UNPACK}")
    return parts, is_folder


def _size(count: int) -> str:
    return f"{count / (1 << 30):g} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.3g} MiB"
