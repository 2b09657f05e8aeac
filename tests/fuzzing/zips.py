"""Mutations of a zip archive of a study: damage, lies, escapes and bombs."""

import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from fuzzing.case import Case

_MEBI = 1 << 20
ESCAPED = "escaped"
"""The name that a member has which tries to get out; no such file may ever exist."""


def _pack(case: Case, compression: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipFile:
    """The study as an archive, still open for more members."""
    case.root = case.work / "study.zip"
    archive = zipfile.ZipFile(case.root, "w", compression, compresslevel=1)
    for path in case.files:
        archive.write(path, path.relative_to(case.folder))
    return archive


def _raw(name: str, **changed: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name
    for key, value in changed.items():
        setattr(info, key, value)
    return info


def zip_as_it_is(case: Case) -> None:
    _pack(case, case.random.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))).close()


def _spoil(case: Case, change: Callable[[bytearray], bytes | bytearray]) -> None:
    _pack(case).close()
    case.root.write_bytes(change(bytearray(case.root.read_bytes())))


def flip_bits_of_a_zip(case: Case) -> None:
    def change(content: bytearray) -> bytearray:
        for _ in range(case.random.choice((1, 1, 5, 100))):
            content[case.random.randrange(len(content))] ^= 1 << case.random.randrange(8)
        return content

    _spoil(case, change)


def flip_bits_of_the_list_of_a_zip(case: Case) -> None:
    def change(content: bytearray) -> bytearray:
        begin = content.find(b"PK\x01\x02")
        for _ in range(case.random.choice((1, 1, 2, 5))):
            content[case.random.randrange(begin, len(content))] ^= 1 << case.random.randrange(8)
        return content

    _spoil(case, change)


def flip_bits_of_the_end_of_a_zip(case: Case) -> None:
    def change(content: bytearray) -> bytearray:
        content[case.random.randrange(len(content) - 22, len(content))] ^= 1 << case.random.randrange(8)
        return content

    _spoil(case, change)


def truncate_a_zip(case: Case) -> None:
    _spoil(case, lambda content: content[: case.random.randrange(len(content))])


def join_two_zips(case: Case) -> None:
    _spoil(case, lambda content: content + content)


def escape_from_a_zip(case: Case) -> None:
    name = case.random.choice(
        (f"../{ESCAPED}", f"../../../{ESCAPED}", f"{case.work}/{ESCAPED}", f"..\\{ESCAPED}", f"a/../../{ESCAPED}",
         f"C:\\{ESCAPED}", f"//server/{ESCAPED}", f"a/b/../../../{ESCAPED}")
    )  # fmt: skip
    with _pack(case) as archive:
        archive.writestr(_raw(name), b"out")
    case.note = name.replace(str(case.work), "WORK")


def link_in_a_zip(case: Case) -> None:
    with _pack(case) as archive:
        kind = case.random.choice((stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK))
        archive.writestr(_raw("link", external_attr=(kind | 0o777) << 16, create_system=3), str(case.work))
        archive.writestr(_raw(f"link/{ESCAPED}"), b"out")


def bomb_in_a_zip(case: Case) -> None:
    size = case.random.choice((80, 150)) * _MEBI
    _pack(case).close()
    bomb = _bomb(case, size)
    with zipfile.ZipFile(case.root, "a", zipfile.ZIP_DEFLATED) as archive:
        name = case.random.choice(("bomb.dcm", "a.zip"))
        with zipfile.ZipFile(bomb) as inner, inner.open("zeros") as zeros, archive.open(name, "w") as member:
            while chunk := zeros.read(_MEBI):
                member.write(chunk)
    bomb.unlink()


def bomb_that_lies(case: Case) -> None:
    """The list states a small size."""
    case.root = _bomb(case, 100 * _MEBI)
    content = bytearray(case.root.read_bytes())
    at = content.find(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<L", case.random.choice((0, 10, _MEBI, 2**32 - 1)))
    case.root.write_bytes(content)


def _bomb(case: Case, size: int) -> Path:
    path = case.work / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as member:
        for _ in range(size // _MEBI):
            member.write(bytes(_MEBI))
    return path


def unbounded_compression(case: Case) -> None:
    _pack(case, case.random.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))).close()


def members_that_share_their_bytes(case: Case) -> None:
    """Many entries in the list, one and the same data (Fifield 2019)."""
    case.root = _bomb(case, 50 * _MEBI)
    content = case.root.read_bytes()
    at, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    count = case.random.choice((10, 60_000))
    entries = content[at:end] * count
    tail = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, count, count, len(entries), at, 0)
    case.root.write_bytes(content[:at] + entries + tail)


def list_of_a_zip_that_lies(case: Case) -> None:
    def change(content: bytearray) -> bytearray:
        at = content.rfind(b"PK\x05\x06")
        field, size = case.random.choice(((8, 2), (10, 2), (12, 4), (16, 4), (20, 2)))
        value = case.random.choice((0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, len(content)))
        content[at + field : at + field + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        return content

    _spoil(case, change)


def encrypted_zip(case: Case) -> None:
    def change(content: bytearray) -> bytearray:
        at = content.find(b"PK\x01\x02")
        content[at + 8] |= 1
        return content

    _spoil(case, change)


def doubled_member(case: Case) -> None:
    path = case.random.choice(case.files)
    name = path.relative_to(case.folder).as_posix()
    with _pack(case) as archive:
        archive.writestr(
            _raw(case.random.choice((name, f"./{name}", name.replace("/", "\\"), f"{name}/x"))), b"another"
        )


def zip_in_a_zip(case: Case) -> None:
    with _pack(case) as archive:
        archive.close()
        inner = case.root.read_bytes()
    with zipfile.ZipFile(case.root, "a" if case.random.random() < 0.5 else "w") as archive:
        archive.writestr("inner.zip", inner)


def strange_names_in_a_zip(case: Case) -> None:
    name = case.random.choice(("a\0b", "a\nb", "d/" * 40 + "x", "n" * 300, "", ".", "é" * 200, "\x1b[2J"))
    with _pack(case) as archive:
        archive.writestr(_raw(name, flag_bits=0x800), b"no image")


KINDS = (
    zip_as_it_is, flip_bits_of_a_zip, flip_bits_of_the_list_of_a_zip, flip_bits_of_the_end_of_a_zip, truncate_a_zip,
    join_two_zips, escape_from_a_zip, link_in_a_zip, bomb_in_a_zip, bomb_that_lies, unbounded_compression,
    members_that_share_their_bytes, list_of_a_zip_that_lies, encrypted_zip, doubled_member, zip_in_a_zip,
    strange_names_in_a_zip,
)  # fmt: skip
