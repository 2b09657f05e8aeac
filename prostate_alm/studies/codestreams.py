"""Compressed images: what a codestream says of its size, and which decoder is trusted with it.

A decoder sets memory aside for the size that the codestream states, whatever the header says; and GDCM ends the process
on damaged JPEG-LS and JPEG 2000. So a codestream must fit its header before anyone decodes it.
"""

import math
import struct
from collections.abc import Mapping

from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from prostate_alm.studies.headers import FormError

DECODERS: Mapping[UID, str] = {
    **dict.fromkeys((JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1), "gdcm"),
    **dict.fromkeys((JPEGLSLossless, JPEGLSNearLossless), "pyjpegls"),
    **dict.fromkeys((JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K), "pylibjpeg"),
    RLELossless: "pydicom",
}
"""pydicom's name of the one decoder for each transfer syntax; no other is tried on what it could not decode."""
_JPEG_FRAMES = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))
_J2K_START, _JP2_START = b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  "
_LONGEST_JP2_HEADER = 4096
_MOST_TILES = 4096
_MOST_BYTES = 1 << 28
"""Unpacked, all frames together: four to six seconds of work, and decoders hold up to three copies."""


def check_codestreams(dataset: Dataset) -> None:
    """Every frame's codestream must state the rows, columns and samples of the header.

    Args:
        dataset: a whole image; one that is not compressed, or by RLE, which states no size, passes.

    Raises:
        FormError: if one does not, or no codestream can be found.

    Source: ITU-T T.81 B.2.2 (JPEG), T.87 C.2.2 (JPEG-LS), T.800 A.5.1 (JPEG 2000).
    """
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax not in DECODERS or syntax == RLELossless:
        return
    expected = (int(dataset.Rows), int(dataset.Columns), int(dataset.SamplesPerPixel))
    frames = int(dataset.get("NumberOfFrames") or 1)
    if math.prod(expected) * frames * int(dataset.BitsAllocated) > 8 * _MOST_BYTES:
        raise FormError(f"more than {_MOST_BYTES >> 20} MiB when unpacked")
    for frame in generate_frames(dataset.PixelData, number_of_frames=frames):
        try:
            found = _size(frame)
        except (struct.error, IndexError):
            raise FormError("a compressed frame ends before its size") from None
        if found != expected:
            raise FormError(f"a compressed frame of {_text(found)}, in the header {_text(expected)}")


def _text(size: tuple[int, int, int]) -> str:
    return f"{size[1]}x{size[0]}" + (f" in {size[2]} samples" if size[2] != 1 else "")


def _size(frame: bytes) -> tuple[int, int, int]:
    """Rows, columns and samples by the codestream's own word."""
    if frame.startswith(_JP2_START):
        frame = frame[max(0, frame.find(_J2K_START, 0, _LONGEST_JP2_HEADER)) :]
    if frame.startswith(_J2K_START):
        return _size_of_jpeg_2000(frame)
    if frame.startswith(b"\xff\xd8"):
        return _size_of_jpeg(frame)
    raise FormError("a compressed frame that is no codestream")


def _size_of_jpeg_2000(frame: bytes) -> tuple[int, int, int]:
    right, bottom, left, top, across, down, first_x, first_y, samples = struct.unpack_from(">8LH", frame, 8)
    if right <= left or bottom <= top or not across or not down or first_x > left or first_y > top:
        raise FormError("a compressed frame without an area")
    if -(-(right - first_x) // across) * -(-(bottom - first_y) // down) > _MOST_TILES:
        raise FormError("a compressed frame in too many tiles")
    if any(step != 1 for sample in range(min(samples, 4)) for step in frame[43 + 3 * sample : 45 + 3 * sample]):
        raise FormError("a compressed frame with subsampled components")
    return bottom - top, right - left, samples


def _size_of_jpeg(frame: bytes) -> tuple[int, int, int]:
    offset = 2
    while True:
        if frame[offset] != 0xFF:
            raise FormError("a compressed frame with a broken header")
        marker = frame[offset + 1]
        if marker == 0xFF:  # fill bytes
            offset += 1
        elif marker in _JPEG_ALONE:
            offset += 2
        elif marker in _JPEG_FRAMES:
            rows, columns, samples = struct.unpack_from(">HHB", frame, offset + 5)
            return rows, columns, samples
        else:
            (length,) = struct.unpack_from(">H", frame, offset + 2)
            offset += 2 + max(2, length)
