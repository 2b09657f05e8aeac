"""Compressed images: what a codestream says of its size, and which decoder is trusted with it.

A decoder sets memory aside for the size that a codestream states, whatever the header says, and GDCM ends the process
on damaged JPEG-LS, JPEG 2000 and application segments of JPEG. So a codestream must fit its header before anyone
decodes it, and GDCM gets JPEG alone, without such segments.
"""

import math
import struct
from collections.abc import Mapping

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_decoder
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

_Size = tuple[int, int, int]
_GDCM = "gdcm"
_DECODERS: Mapping[UID, str] = {
    **dict.fromkeys((JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1), _GDCM),
    **dict.fromkeys((JPEGLSLossless, JPEGLSNearLossless), "pyjpegls"),
    **dict.fromkeys((JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K), "pylibjpeg"),
    RLELossless: "pydicom",  # pylibjpeg's ends with an error that is no Exception
}
_MOST_BYTES = 1 << 28
"""Unpacked, all frames together: four to six seconds of work, and decoders hold up to three copies."""
_MOST_TILES = 4096
_OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
_J2K, _JP2, _LONGEST_JP2_HEADER = b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ", 4096
_JPEG, _SCAN = b"\xff\xd8", 0xDA
_SIZES = frozenset((0xC0, 0xC1, 0xC3, 0xF7))
"""SOF of baseline, extended, lossless and JPEG-LS: no progressive or arithmetic one has a transfer syntax any more."""
_TABLES = frozenset((0xC4, 0xDB, 0xDD, 0xF8))


def codecs() -> dict[str, bool]:
    """Name of each compressed transfer syntax that is read -> whether the one decoder trusted with it is installed.

    Example:
        >>> codecs()["RLE Lossless"]
        True
    """
    return {
        syntax.name: decoder in get_decoder(syntax).available_plugins or decoder == "pydicom"
        for syntax, decoder in _DECODERS.items()
    }


def prepare_codestreams(dataset: Dataset) -> None:
    """Check every frame's codestream against the header, and choose the one decoder that `pixel_array` may use.

    Args:
        dataset: a whole image; one that is not compressed is left alone. The frames of JPEG lose what decoding does
            not need, such as application segments.

    Raises:
        FormError: if a codestream states other rows, columns, samples or bits, has no size, or unpacks to too much.

    Source: ITU-T T.81 B.2 (JPEG), T.87 C.2 (JPEG-LS), T.800 A.5.1 (JPEG 2000).
    """
    decoder = _DECODERS.get(dataset.file_meta.get("TransferSyntaxUID"))
    if decoder is None:
        return
    size = (int(dataset.Rows), int(dataset.Columns), int(dataset.SamplesPerPixel))
    count, bits = int(dataset.get("NumberOfFrames") or 1), int(dataset.BitsAllocated)
    if math.prod(size) * count * bits > 8 * _MOST_BYTES:
        raise FormError(f"more than {_MOST_BYTES >> 20} MiB when unpacked")
    dataset.pixel_array_options(decoding_plugin=decoder)
    if dataset.file_meta.TransferSyntaxUID == RLELossless:  # states no size
        return
    offsets = tuple(dataset[keyword].value for keyword in _OFFSETS if keyword in dataset)
    found = generate_frames(
        dataset.PixelData, number_of_frames=count, extended_offsets=offsets if len(offsets) == len(_OFFSETS) else None
    )
    try:
        frames = [_checked(frame, size, bits, exact=decoder == _GDCM) for frame in found]
    except struct.error:
        raise FormError("a compressed frame that ends within its header") from None
    if decoder == _GDCM:
        if bits == 8 and dataset.BitsStored != bits:  # GDCM ends the process
            raise FormError(f"{dataset.BitsStored} bits stored of {bits}")
        dataset.PixelData = encapsulate(frames)
        for keyword in _OFFSETS:
            dataset.pop(keyword, None)


def _checked(frame: bytes, size: _Size, bits: int, *, exact: bool) -> bytes:
    """The frame as its decoder gets it; `exact` if its values must fill the bytes that the header allocates."""
    if frame.startswith((_J2K, _JP2)):
        found, precision = _size_of_jpeg_2000(frame)
    elif frame.startswith(_JPEG):
        found, precision, frame = _size_of_jpeg(frame)
    else:
        raise FormError("a compressed frame that is no codestream")
    if not 2 <= precision <= bits or (exact and (precision + 7) // 8 * 8 != bits):
        raise FormError(f"a compressed frame of {precision} bits, in the header {bits}")
    if found != size:
        raise FormError(f"a compressed frame of {_text(found)}, in the header {_text(size)}")
    return frame


def _text(size: _Size) -> str:
    return f"{size[1]}x{size[0]}" + (f" in {size[2]} samples" if size[2] != 1 else "")


def _size_of_jpeg_2000(frame: bytes) -> tuple[_Size, int]:
    """Rows, columns and samples of its SIZ segment, and bits."""
    start = frame.find(_J2K, 0, _LONGEST_JP2_HEADER)
    if start < 0:
        raise FormError("a compressed frame without a size")
    *area, samples, depth = struct.unpack_from(">8LHB", frame, start + 8)
    right, bottom, left, top, across, down, first_x, first_y = area
    if not (first_x <= left < right and first_y <= top < bottom and across and down):
        raise FormError("a compressed frame without an area")
    if math.ceil((right - first_x) / across) * math.ceil((bottom - first_y) / down) > _MOST_TILES:
        raise FormError("a compressed frame in too many tiles")
    return (bottom - top, right - left, samples), (depth & 0x7F) + 1


def _size_of_jpeg(frame: bytes) -> tuple[_Size, int, bytes]:
    """Rows, columns and samples of its frame header, bits, and what is left without application segments."""
    found: tuple[int, ...] = ()
    kept, offset = [_JPEG], len(_JPEG)
    while True:
        mark, marker, length = struct.unpack_from(">BBH", frame, offset)
        if mark != 0xFF or marker == 0xFF or length < 2:
            raise FormError("a compressed frame with a broken header")
        if marker == _SCAN:
            break
        segment = frame[offset : offset + 2 + length]
        if marker in _SIZES:
            if found:
                raise FormError("a compressed frame with two sizes")
            found = struct.unpack_from(">BHHB", segment, 4)
        if marker in _SIZES or marker in _TABLES:
            kept.append(segment)
        offset += 2 + length
    if not found:
        raise FormError("a compressed frame without a size")
    precision, *size = found
    rows, columns, samples = size
    return (rows, columns, samples), precision, b"".join([*kept, frame[offset:]])
