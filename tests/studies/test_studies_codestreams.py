"""Compressed images: every codestream fits its header, and no decoder gets what would end the process."""

import io
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import dicom_factory
import numpy as np
import pydicom
import pytest
from fuzzing.sources import compress_as_jpeg
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from prostate_alm.studies.dicom import codestreams
from prostate_alm.studies.dicom.codestreams import prepare_codestreams
from prostate_alm.studies.dicom.instances import read_headers
from prostate_alm.studies.geometry import ReadingError
from prostate_alm.studies.headers import FormError, Skipped
from prostate_alm.studies.pixels import PixelReader

SIDE = 64
SYNTAXES = [JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1, RLELossless]
SIZED = SYNTAXES[:3]
J2K_SIZ, LS_SOF, JPEG_SOF = b"\xff\x4f\xff\x51", b"\xff\xf7", b"\xff\xc3"
JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def plain(frames: int = 1) -> Dataset:
    image = dicom_factory.study()["t2"][0]
    pixels = 1000 * dicom_factory.texture((SIDE, SIDE, frames))
    dicom_factory.set_pixels(image, pixels[:, :, 0])
    if frames > 1:
        image.NumberOfFrames = frames
        image.PixelData = b"".join(np.rint(pixels[:, :, index]).astype("<u2").tobytes() for index in range(frames))
    return image


@pytest.fixture
def image_of(tmp_path):
    """A compressed image in memory, and its pixels."""

    def make(syntax: UID, frames: int = 1) -> tuple[Dataset, np.ndarray]:
        image = plain(frames)
        pixels = image.pixel_array.copy()
        if syntax == JPEGLosslessSV1:
            compress_as_jpeg(image, tmp_path / "work")
        else:
            image.compress(syntax, generate_instance_uid=False)
        return image, pixels

    return make


def first_frame(image: Dataset) -> bytes:
    return next(generate_frames(image.PixelData, number_of_frames=1))


def with_frame(image: Dataset, frame: bytes) -> Dataset:
    image.PixelData = encapsulate([frame])
    return image


def read(image: Dataset, tmp_path: Path) -> np.ndarray:
    folder = dicom_factory.save([image], tmp_path / "study")
    (path,) = folder.rglob("*.dcm")
    headers = read_headers(path)
    assert not isinstance(headers, Skipped)
    return PixelReader().read(headers[0])


def refused(image: Dataset, tmp_path: Path) -> str:
    with pytest.raises(ReadingError) as caught:
        read(image, tmp_path)
    return str(caught.value)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.keyword)
@pytest.mark.parametrize("frames", [1, 3])
def test_each_syntax_is_decoded_by_its_one_decoder(image_of, syntax, frames):
    image, pixels = image_of(syntax, frames)
    prepare_codestreams(image)
    assert np.array_equal(image.pixel_array, pixels)


def test_what_is_not_compressed_is_left_alone():
    image = plain()
    before = image.PixelData
    prepare_codestreams(image)
    assert image.PixelData is before


def test_frames_by_an_extended_offset_table(image_of):
    image, pixels = image_of(JPEGLosslessSV1, 3)
    frames = list(generate_frames(image.PixelData, number_of_frames=3))
    image.PixelData, image.ExtendedOffsetTable, image.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    prepare_codestreams(image)
    assert np.array_equal(image.pixel_array, pixels)


def spoilt_size(frame: bytes, rows: int, columns: int) -> bytes:
    spoilt = bytearray(frame)
    if (at := frame.find(J2K_SIZ)) >= 0:
        spoilt[at + 8 : at + 16] = spoilt[at + 24 : at + 32] = struct.pack(">LL", columns, rows)  # and one tile
    else:
        at = max(frame.find(LS_SOF), frame.find(JPEG_SOF))
        spoilt[at + 5 : at + 9] = struct.pack(">HH", rows, columns)
    return bytes(spoilt)


@pytest.mark.parametrize("syntax", SIZED, ids=lambda uid: uid.keyword)
@pytest.mark.parametrize(("rows", "columns"), [(65_535, 65_535), (SIDE, 65_535), (SIDE + 1, SIDE), (SIDE, SIDE - 1)])
def test_another_size_than_in_the_header(image_of, tmp_path, syntax, rows, columns):
    image, _ = image_of(syntax)
    message = refused(with_frame(image, spoilt_size(first_frame(image), rows, columns)), tmp_path)
    assert f"a compressed frame of {columns}x{rows}, in the header {SIDE}x{SIDE}, transfer syntax" in message


@pytest.mark.parametrize("syntax", SIZED, ids=lambda uid: uid.keyword)
def test_more_samples_than_in_the_header(image_of, tmp_path, syntax):
    image, _ = image_of(syntax)
    frame = bytearray(first_frame(image))
    if (at := frame.find(J2K_SIZ)) >= 0:
        frame[at + 40 : at + 42] = struct.pack(">H", 16_384)
    else:
        frame[max(frame.find(LS_SOF), frame.find(JPEG_SOF)) + 9] = 255
    assert "samples, in the header" in refused(with_frame(image, bytes(frame)), tmp_path)


@pytest.mark.parametrize("syntax", SIZED, ids=lambda uid: uid.keyword)
@pytest.mark.parametrize("precision", [1, 17, 38])
def test_more_bits_than_in_the_header(image_of, tmp_path, syntax, precision):
    """GDCM writes beyond its memory for a JPEG of 200 bits."""
    image, _ = image_of(syntax)
    frame = bytearray(first_frame(image))
    if (at := frame.find(J2K_SIZ)) >= 0:
        frame[at + 42] = precision - 1
    else:
        frame[max(frame.find(LS_SOF), frame.find(JPEG_SOF)) + 4] = precision
    message = refused(with_frame(image, bytes(frame)), tmp_path)
    assert f"a compressed frame of {precision} bits, in the header 16" in message


def test_jpeg_of_fewer_bits_than_are_allocated(image_of, tmp_path):
    image, _ = image_of(JPEGLosslessSV1)
    frame = bytearray(first_frame(image))
    frame[frame.find(JPEG_SOF) + 4] = 8
    assert "of 8 bits, in the header 16" in refused(with_frame(image, bytes(frame)), tmp_path)


@pytest.mark.parametrize("syntax", SIZED, ids=lambda uid: uid.keyword)
@pytest.mark.parametrize("length", [2, 3, 5, 9])
def test_a_frame_that_is_cut_in_its_header(image_of, tmp_path, syntax, length):
    image, _ = image_of(syntax)
    assert "a compressed frame" in refused(with_frame(image, first_frame(image)[:length]), tmp_path)


@pytest.mark.parametrize("syntax", SIZED, ids=lambda uid: uid.keyword)
def test_a_frame_of_garbage(image_of, tmp_path, syntax):
    image, _ = image_of(syntax)
    assert "a compressed frame that is no codestream" in refused(with_frame(image, b"garbage " * 50), tmp_path)


@pytest.mark.parametrize(
    ("at", "value", "word"),
    [
        (8, 0, "without an area"),
        (24, 0, "without an area"),
        (16, SIDE, "without an area"),
        (32, 1, "without an area"),
    ],
)
def test_the_size_segment_of_jpeg_2000(image_of, tmp_path, at, value, word):
    image, _ = image_of(JPEG2000Lossless)
    frame = bytearray(first_frame(image))
    start = frame.find(J2K_SIZ)
    frame[start + at : start + at + 4] = struct.pack(">L", value)
    assert word in refused(with_frame(image, bytes(frame)), tmp_path)


def test_too_many_tiles(image_of, tmp_path):
    image, _ = image_of(JPEG2000Lossless)
    image.Rows, image.Columns = 128, 128
    frame = bytearray(first_frame(image))
    start = frame.find(J2K_SIZ)
    frame[start + 8 : start + 16] = struct.pack(">LL", 128, 128)
    frame[start + 24 : start + 32] = struct.pack(">LL", 1, 1)
    assert "in too many tiles" in refused(with_frame(image, bytes(frame)), tmp_path)


def test_a_jp2_file_around_a_codestream(image_of, tmp_path):
    image, _ = image_of(JPEG2000Lossless)
    box = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
    prepare_codestreams(with_frame(image, box + first_frame(image)))
    assert "without a size" in refused(with_frame(image, box + bytes(5000)), tmp_path)


@pytest.mark.parametrize("revision", [b"\x01\x01", b"\xdd\x01"])
def test_application_segments_never_reach_gdcm(image_of, tmp_path, revision):
    """GDCM ends the process on a revision of JFIF that it does not know."""
    image, pixels = image_of(JPEGLosslessSV1)
    frame = first_frame(image)
    with_frame(image, frame[:2] + JFIF.replace(b"\x01\x01", revision, 1) + b"\xff\xfe\x00\x06text" + frame[2:])
    assert np.array_equal(read(image, tmp_path), pixels)


@pytest.mark.parametrize(
    ("segment", "word"),
    [
        (b"\xff\xc3\x00\x0b\x0c\x00\x40\x00\x40\x01\x01\x11\x00", "two sizes"),
        (b"\xff\xfe\x00\x00", "broken header"),
        (b"\xff\xff\xff\xff", "broken header"),
        (b"text", "broken header"),
        (b"\xff\xfe\xff\xff", "a compressed frame"),
    ],
)
def test_a_broken_header_of_jpeg(image_of, tmp_path, segment, word):
    image, _ = image_of(JPEGLosslessSV1)
    frame = first_frame(image)
    assert word in refused(with_frame(image, frame[:2] + segment + frame[2:]), tmp_path)


def test_a_scan_without_a_size(image_of, tmp_path):
    image, _ = image_of(JPEGLosslessSV1)
    frame = first_frame(image)
    start = frame.find(JPEG_SOF)
    cut = frame[:start] + frame[start + 2 + int.from_bytes(frame[start + 2 : start + 4]) :]
    assert "without a size" in refused(with_frame(image, cut), tmp_path)


def baseline() -> tuple[Dataset, np.ndarray]:
    """As other libraries write it, with JFIF and all, and what they make of it."""
    grey = np.rint(250 * dicom_factory.texture((SIDE, SIDE, 1))[:, :, 0]).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "jpeg", quality=95)
    image = plain()
    image.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    with_frame(image, file.getvalue())
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True
    return image, np.asarray(Image.open(file), float)


def test_the_lossy_values_of_two_decoders_differ_by_at_most_one(tmp_path):
    image, expected = baseline()
    assert np.abs(read(image, tmp_path) - expected).max() <= 1


def test_fewer_bits_stored_than_allocated_in_baseline_jpeg(tmp_path):
    image, _ = baseline()
    image.BitsStored, image.HighBit = 7, 6
    assert "7 bits stored of 8" in refused(image, tmp_path)


def test_more_than_can_be_unpacked_in_time(image_of, tmp_path, monkeypatch):
    monkeypatch.setattr(codestreams, "_MOST_BYTES", SIDE * SIDE * 2 - 1)
    for syntax in SYNTAXES:
        image, _ = image_of(syntax)
        with pytest.raises(FormError, match="when unpacked"):
            prepare_codestreams(image)


def test_more_frames_than_stated(image_of, tmp_path):
    """pydicom hands over all that it finds."""
    for syntax in SYNTAXES:
        image, _ = image_of(syntax)
        frame = first_frame(image)
        image.PixelData = encapsulate([frame, frame])
        message = refused(image, tmp_path)
        assert "2 frames instead of 1" in message or syntax == RLELossless


@pytest.mark.slow
def test_damage_never_ends_the_process(tmp_path, image_of):
    """In a process of its own, which GDCM and the Rust decoder of RLE did end before: an abort or a panic."""
    for syntax in SYNTAXES:
        image, _ = image_of(syntax)
        dicom_factory.save([image], tmp_path / "studies" / syntax.keyword)
    dicom_factory.save([baseline()[0]], tmp_path / "studies" / "baseline")
    script = f"""
import random, sys
from pathlib import Path
from prostate_alm.studies.headers import Skipped
from prostate_alm.studies.dicom.instances import read_headers
from prostate_alm.studies.pixels import PixelReader
from prostate_alm.studies.geometry import ReadingError

work, generator = Path({str(tmp_path)!r}) / "spoilt.dcm", random.Random(1)
decoded = refused = 0
for path in sorted((Path({str(tmp_path)!r}) / "studies").rglob("*.dcm")):
    whole = path.read_bytes()
    begin = whole.rfind(b"\\xe0\\x7f\\x10\\x00") + 12
    for _ in range(400):
        spoilt = bytearray(whole)
        end = generator.choice((begin + 120, len(whole)))
        for _ in range(generator.choice((1, 2, 5, 50))):
            spoilt[generator.randrange(begin, min(end, len(whole)))] = generator.randrange(256)
        if generator.random() < 0.2:
            at = generator.randrange(begin, len(whole))
            del spoilt[at : at + generator.randrange(100)]
        work.write_bytes(spoilt)
        headers = read_headers(work)
        if isinstance(headers, Skipped):
            refused += 1
            continue
        try:
            PixelReader().read(headers[0])
            decoded += 1
        except ReadingError:
            refused += 1
print(decoded, refused)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    decoded, refused_count = map(int, done.stdout.split())
    assert decoded > 100
    assert refused_count > 400


@pytest.mark.shared_data
def test_real_files_give_what_pydicoms_first_decoder_gives(shared):
    found = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted((shared / "data" / "mri").rglob("*")):
            if not path.is_file() or path.read_bytes()[128:132] != b"DICM":
                continue
            image = pydicom.dcmread(path)
            syntax = image.file_meta.get("TransferSyntaxUID", UID(""))
            if not syntax.is_transfer_syntax or not syntax.is_encapsulated or "PixelData" not in image:
                continue
            try:
                expected = image.pixel_array
            except Exception:
                continue
            again = pydicom.dcmread(path)
            prepare_codestreams(again)
            assert np.array_equal(again.pixel_array, expected)
            found += 1
    assert found > 20
