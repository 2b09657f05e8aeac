"""Small files that would take large amounts of memory or time: they are refused, or cost nothing."""

import re
import struct
import time
import tracemalloc
from dataclasses import replace
from io import BytesIO

import dicom_factory
import numpy as np
import pytest

from prostate_alm.studies import pixels
from prostate_alm.studies.dicom import instances, scan
from prostate_alm.studies.dicom.instances import read_headers
from prostate_alm.studies.headers import Skipped
from prostate_alm.studies.pixels import PixelReader

ITEM, NO_LENGTH = b"\xfe\xff\x00\xe0", b"\xff\xff\xff\xff"
ITEM_END, SEQUENCE_END = b"\xfe\xff\x0d\xe0" + bytes(4), b"\xfe\xff\xdd\xe0" + bytes(4)
SEQUENCE = b"\x08\x00\x40\x11SQ\0\0"
PATIENT_NAME = b"\x10\x00\x10\x00PN"
MEBI = 1 << 20


@pytest.fixture
def content():
    """One whole image."""
    image = dicom_factory.study()["t2"][0]
    image.file_meta.MediaStorageSOPClassUID, image.file_meta.MediaStorageSOPInstanceUID = image.SOPClassUID, "1.2.3"
    file = BytesIO()
    image.save_as(file, enforce_file_format=True)
    return file.getvalue()


def with_elements(content, elements):
    at = content.index(PATIENT_NAME)
    return content[:at] + elements + content[at:]


def read(tmp_path, content):
    """The outcome, the seconds of work, and the peak of memory in MiB."""
    path = tmp_path / "1.dcm"
    path.write_bytes(content)
    start = time.process_time()
    tracemalloc.start()
    try:
        outcome = read_headers(path)
        peak = tracemalloc.get_traced_memory()[1] / MEBI
    finally:
        tracemalloc.stop()
    return outcome, time.process_time() - start, peak


@pytest.mark.parametrize("length", [0xFFFFFFFE, 0x7FFFFFFF, 600 * MEBI])
@pytest.mark.parametrize("tag", [b"\x08\x00\x60\x00CS", b"\x20\x00\x32\x00DS", b"\x02\x00\x10\x00UI"])
def test_a_stated_length_sets_no_memory_aside(tmp_path, content, tag, length):
    at = content.index(tag)
    long = content[:at] + tag[:4] + b"UN\0\0" + struct.pack("<L", length) + content[at + 8 :]
    outcome, _, peak = read(tmp_path, long)
    assert isinstance(outcome, Skipped)
    assert outcome.damaged
    assert peak < 5


def test_what_follows_the_pixels_sets_no_memory_aside(tmp_path, content):
    path = tmp_path / "1.dcm"
    path.write_bytes(content + b"\xfc\xff\xfc\xffOB\0\0" + struct.pack("<L", 0xFFFFFFF0) + bytes(100))
    (header,) = read_headers(path)
    tracemalloc.start()
    try:
        assert PixelReader().read(header).shape == (24, 24)
        assert tracemalloc.get_traced_memory()[1] < 5 * MEBI
    finally:
        tracemalloc.stop()


ELEMENT = b"\x09\x00\x10\x10LO\0\0"


@pytest.mark.slow
@pytest.mark.parametrize(
    "elements",
    [
        ELEMENT * 1_000_000,
        SEQUENCE + NO_LENGTH + (ITEM + bytes(4)) * 1_000_000 + SEQUENCE_END,
        SEQUENCE + NO_LENGTH + ITEM + NO_LENGTH + ELEMENT * 1_000_000 + ITEM_END + SEQUENCE_END,
    ],
    ids=["elements", "items", "elements of an item"],
)
@pytest.mark.parametrize("preamble", [True, False])
def test_a_million_elements_cost_seconds_and_not_minutes(tmp_path, content, elements, preamble):
    """pydicom, to which a file without preamble is left, would take up to half a minute."""
    spoilt = with_elements(content, elements)
    path = tmp_path / "1.dcm"
    path.write_bytes(spoilt if preamble else spoilt[132:])
    start = time.process_time()
    outcome = read_headers(path)
    assert time.process_time() - start < 10
    if preamble:
        assert not isinstance(outcome, Skipped)
    else:
        assert isinstance(outcome, Skipped)
        assert outcome.damaged


@pytest.mark.parametrize("bound", ["_MOST_READS", "_MOST_STRETCHES"])
def test_more_elements_than_any_image_has_are_named(tmp_path, content, monkeypatch, bound):
    monkeypatch.setattr(scan, bound, 50 if bound == "_MOST_READS" else 2)
    spoilt = with_elements(content, ELEMENT * 20_000)
    outcome, _, _ = read(tmp_path, spoilt[132:] if bound == "_MOST_READS" else spoilt)
    assert isinstance(outcome, Skipped)
    assert outcome.reason == "damaged DICOM file (its header has too many elements)"


@pytest.mark.parametrize("depth", [10, 16, 17, 500, 20_000])
def test_deep_sequences_do_not_break_the_reader(tmp_path, content, depth):
    deep = (SEQUENCE + NO_LENGTH + ITEM + NO_LENGTH) * depth + (ITEM_END + SEQUENCE_END) * depth
    outcome, seconds, _ = read(tmp_path, with_elements(content, deep))
    assert isinstance(outcome, Skipped) is (depth >= 500)
    assert seconds < 5
    if isinstance(outcome, Skipped):
        assert outcome.damaged


def test_a_file_larger_than_any_image_is_not_read(tmp_path, content, monkeypatch):
    monkeypatch.setattr(instances, "MAX_BYTES", 1000)
    monkeypatch.setattr(instances, "_MAX_HEADER", 0)
    outcome, _, _ = read(tmp_path, content)
    assert isinstance(outcome, Skipped)
    assert re.fullmatch(r"damaged DICOM file \(a file of more than \d+ MiB\)", outcome.reason)


def test_mosaics_of_many_directions_are_decoded_once_each(tmp_path, monkeypatch):
    """Each slice wants every mosaic; to decode them all again for each slice takes twenty times as long."""
    images = dicom_factory.study()["t2"][:3]
    for number, image in enumerate(images):
        image.SeriesNumber = str(number)
    folder = dicom_factory.save(images, tmp_path)
    headers = [read_headers(path)[0] for path in sorted(folder.rglob("*.dcm"))]
    tiles = [
        replace(header, rows=12, columns=12, corner=(row, column))
        for row in (0, 12)
        for column in (0, 12)
        for header in headers
    ]
    decoded = []
    whole = pixels._decode_dicom
    monkeypatch.setattr(pixels, "_decode_dicom", lambda image: decoded.append(image.path) or whole(image))
    reader = PixelReader()
    found = [reader.read(tile) for tile in tiles]
    assert len(decoded) == 3
    for tile, plane in zip(tiles, found, strict=True):
        row, column = tile.corner
        assert np.array_equal(plane, whole(tile)[0][row : row + 12, column : column + 12])


def test_no_more_is_held_than_allowed(tmp_path, monkeypatch):
    folder = dicom_factory.save(dicom_factory.study(), tmp_path)
    headers = [replace(read_headers(path)[0], corner=(0, 0)) for path in sorted(folder.rglob("*.dcm"))[:6]]
    size = headers[0].rows * headers[0].columns * 2
    monkeypatch.setattr(pixels, "_MOST_HELD_BYTES", 2 * size)
    reader = PixelReader()
    for header in headers:
        reader.read(header)
        assert sum(planes.nbytes for planes in reader._held.values()) <= max(2 * size, header.rows * header.columns * 2)
    assert list(reader._held)[-1] == headers[-1].path
