"""Where the voxels of a MetaImage or NRRD file are, and whether they are whole."""

import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prostate_alm.studies.dicom.instances import MAX_BYTES
from prostate_alm.studies.headers import FormError

_LONGEST_HEADER = 1 << 16
_CHUNK = 1 << 20
_ZLIB_OR_GZIP = 47
"""For zlib: find out by itself which of the two it is."""


@dataclass(frozen=True)
class Stored:
    """Where the voxels of a file are.

    Args:
        path: the file of the header, or one beside it.
        start: of the first byte.
        size: in bytes, unpacked.
        packed: True if they are compressed.
    """

    path: Path
    start: int
    size: int
    packed: bool

    def checksum(self) -> int:
        """CRC-32 of the unpacked voxels, which are not kept.

        Raises:
            FormError: if they are damaged, cut short or more than the header announces.
        """
        found = checksum = 0
        for piece in self._pieces():
            found, checksum = found + len(piece), zlib.crc32(piece, checksum)
            if found > self.size:
                raise FormError("it holds more than its header announces")
        if found < self.size:
            raise FormError("its voxels are cut short")
        return checksum

    def _pieces(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(self.start)
            if not self.packed:
                yield file.read(self.size)
                return
            unpacker = zlib.decompressobj(_ZLIB_OR_GZIP)
            while not unpacker.eof:
                content = unpacker.unconsumed_tail or file.read(_CHUNK)
                if not content:
                    raise FormError("its compressed voxels are cut short")
                try:
                    yield unpacker.decompress(content, _CHUNK)
                except zlib.error as error:
                    raise FormError("its compressed voxels are damaged") from error


def locate(path: Path, name: str | None, start: int, least: int) -> tuple[Path, int]:
    """File and first byte of the voxels: in the file of the header, or in one regular file beside it.

    Args:
        path: the file of the header.
        name: of the file beside it, as the header states it; None if the voxels follow the header.
        start: where they follow it.
        least: how many bytes there must be.

    Raises:
        FormError: if they are in another folder, in several files, missing, too many or cut short.
    """
    if name is not None:
        if name.startswith("LIST") or "%" in name:
            raise FormError("its voxels are in several files")
        if name in ("", ".", "..") or re.search(r"[/\\:]", name):
            raise FormError("its header names voxels outside its own folder")
        path, start = path.with_name(name), 0
    try:
        status = path.stat()
    except OSError:
        raise FormError("the file with its voxels is missing") from None
    if not stat.S_ISREG(status.st_mode):
        raise FormError("its voxels are in no regular file")
    if status.st_size > MAX_BYTES + _LONGEST_HEADER:
        raise FormError(f"an image of more than {MAX_BYTES >> 20} MiB")
    if status.st_size < start + least:
        raise FormError("its voxels are cut short")
    return path, start
