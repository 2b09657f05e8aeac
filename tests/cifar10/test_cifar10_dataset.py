import codecs
import os
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prostate_alm.cifar10.dataset import Cifar10, read_batches
from prostate_alm.errors import NoInputError


def unsafe_load(path: Path) -> dict[bytes, Any]:
    """The oracle: plain unpickling of a file that this test wrote itself."""
    return pickle.loads(path.read_bytes(), encoding="bytes")  # noqa: S301


def python2_batch(labels: list[int], data: np.ndarray) -> bytes:
    """The opcodes that Python 2's cPickle writes, protocol 2: str as SHORT_BINSTRING and BINSTRING."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def number(value: int) -> bytes:
        return b"J" + value.to_bytes(4, "little", signed=True)

    raw = data.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + text(b"b") + b"tR"
        b"(K\x01(" + number(data.shape[0]) + number(data.shape[1]) + b"t"
        b"cnumpy\ndtype\n("
        + text(b"u1")
        + b"K\x00K\x01tR(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89T" + len(raw).to_bytes(4, "little") + raw + b"tb"
    )
    listed = b"](" + b"".join(number(label) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + listed + b"u."


def assert_same(one: Cifar10, other: Cifar10) -> None:
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.digest() == other.digest()


def test_read_gives_images_and_labels_in_the_order_of_the_files(layout: Path) -> None:
    data = read_batches(layout)
    batches = [unsafe_load(layout / f"data_batch_{number}") for number in range(1, 6)]
    assert data.train_images.shape == (200, 3, 32, 32)
    assert data.train_images.dtype == np.uint8
    np.testing.assert_array_equal(data.train_labels, np.concatenate([batch[b"labels"] for batch in batches]))
    stacked = np.concatenate([batch[b"data"] for batch in batches])
    np.testing.assert_array_equal(data.train_images.reshape(200, -1), stacked)
    # row-major by channel: place c * 1024 + y * 32 + x
    assert data.train_images[57, 2, 30, 1] == stacked[57, 2 * 1024 + 30 * 32 + 1]
    np.testing.assert_array_equal(np.bincount(data.test_labels), [4] * 10)
    assert data.test_images.flags.writeable


def test_folder_parent_and_archive_give_the_same(layout: Path, tmp_path: Path) -> None:
    (tmp_path / "download").mkdir()
    archive = tmp_path / "download" / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(layout, arcname=layout.name)
    data = read_batches(layout)
    for path in (layout.parent, archive, archive.parent):
        assert_same(read_batches(path), data)


def test_batch_written_by_python_2_is_read(layout: Path) -> None:
    before = read_batches(layout)
    for path in layout.iterdir():
        batch = unsafe_load(path)
        path.write_bytes(python2_batch(batch[b"labels"], batch[b"data"]))
        np.testing.assert_array_equal(unsafe_load(path)[b"data"], batch[b"data"])  # the opcodes are well-formed
    assert_same(read_batches(layout), before)


def test_name_of_the_array_builder_before_numpy_2_is_read(layout: Path) -> None:
    before = read_batches(layout)
    for path in layout.iterdir():
        content = path.read_bytes()
        path.write_bytes(content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
        assert path.read_bytes() != content
    assert_same(read_batches(layout), before)


def test_digest_depends_on_one_pixel(layout: Path) -> None:
    data = read_batches(layout)
    before = data.digest()
    data.train_images[3, 0, 0, 0] ^= 1
    assert data.digest() != before


class Calls:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda mark: Calls(os.system, f"touch {mark}"), "posix.system|nt.system"),
        (lambda mark: Calls(eval, f"open({str(mark)!r}, 'w')"), "eval"),
        (lambda mark: Calls(subprocess.check_call, ["touch", str(mark)]), "check_call"),
        (lambda _: {b"data": np.zeros((1, 3072), np.float32), b"labels": [0]}, "other than uint8"),
        (lambda _: {b"data": np.array([[None] * 3072], object), b"labels": [0]}, "other than uint8"),
        (lambda _: {b"data": np.float64(1), b"labels": [0]}, "scalar"),
        (lambda _: Calls(np.ndarray, (10**15,)), "not callable"),
        (lambda _: Calls(codecs.encode, "text", "rot13"), "unknown encoding"),
        (lambda _: Calls(np.dtype, "O8"), "other than uint8"),
    ],
)
def test_hostile_pickle_is_refused_and_nothing_runs(layout: Path, tmp_path: Path, make: Any, reason: str) -> None:
    mark = tmp_path / "ran"
    (layout / "data_batch_3").write_bytes(pickle.dumps(make(mark), protocol=2))
    with pytest.raises(NoInputError, match=f"data_batch_3 cannot be read: .*({reason})"):
        read_batches(layout)
    assert not mark.exists()


def test_hostile_pickle_imports_nothing(layout: Path) -> None:
    (layout / "test_batch").write_bytes(b"\x80\x02cthis\ns\n.")
    with pytest.raises(NoInputError, match=r"this\.s"):
        read_batches(layout)
    assert "this" not in sys.modules


@pytest.mark.parametrize("name", ["data_batch_1", "data_batch_5", "test_batch"])
def test_missing_file_is_named(layout: Path, tmp_path: Path, name: str) -> None:
    (layout / name).unlink()
    with pytest.raises(NoInputError, match=f"{name} is missing"):
        read_batches(layout)
    archive = tmp_path / "c.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(layout, arcname=layout.name)
    with pytest.raises(NoInputError, match=f"has no {name}"):
        read_batches(archive)


def valid() -> dict[bytes, Any]:
    return {b"data": np.zeros((4, 3072), np.uint8), b"labels": [0, 1, 2, 3]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({b"data": np.zeros((4, 3071), np.uint8)}, "3071"),
        ({b"data": np.zeros(3072, np.uint8)}, "3072"),
        ({b"data": b"pixels"}, "unknown"),
        ({b"labels": [0, 1]}, "not 4 integers"),
        ({b"labels": [0, 1, 2, "3"]}, "not 4 integers"),
        ({b"labels": [0, 1, 2, 10]}, "not in 0 to 9"),
        ({b"labels": [0, 1, 2, -1]}, "not in 0 to 9"),
    ],
)
def test_wrong_content_is_refused(layout: Path, change: dict[bytes, Any], reason: str) -> None:
    path = layout / "data_batch_2"
    path.write_bytes(pickle.dumps(valid(), protocol=2))
    assert len(read_batches(layout).train_labels) == 164
    path.write_bytes(pickle.dumps(valid() | change, protocol=2))
    with pytest.raises(NoInputError, match=f"data_batch_2 cannot be read: .*{reason}"):
        read_batches(layout)


def test_batch_without_images_and_array_that_lies_about_its_shape_are_refused(layout: Path) -> None:
    path = layout / "data_batch_2"
    path.write_bytes(python2_batch([], np.zeros((0, 3072), np.uint8)))
    with pytest.raises(NoInputError, match=r"data_batch_2 cannot be read: .*no image"):
        read_batches(layout)
    honest = python2_batch([1, 2], np.zeros((2, 3072), np.uint8))
    path.write_bytes(honest.replace(b"(J\x02\x00\x00\x00J", b"(J\x02\x00\x00\x40J"))
    with pytest.raises(NoInputError, match=r"data_batch_2 cannot be read: .*reshape"):
        read_batches(layout)


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda _: b"", lambda b: b"GIF89a" + b, lambda _: b"\x80\x02K\x01."]
)
def test_damaged_file_is_one_clear_line(layout: Path, damage: Any) -> None:
    path = layout / "data_batch_4"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(NoInputError, match="data_batch_4 cannot be read"):
        read_batches(layout)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_damaged_archive_is_one_clear_line(layout: Path, tmp_path: Path, share: float) -> None:
    archive = tmp_path / "c.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(layout, arcname=layout.name)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(NoInputError, match=r"c\.tar\.gz"):
        read_batches(archive)


def test_folder_without_cifar_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(NoInputError, match="holds no CIFAR-10"):
            read_batches(path)


@pytest.mark.slow
@pytest.mark.shared_data
def test_real_batches(real_layout: Path) -> None:
    data = read_batches(real_layout)
    assert data.train_images.shape == (50_000, 3, 32, 32)
    assert data.test_images.shape == (10_000, 3, 32, 32)
    np.testing.assert_array_equal(np.bincount(data.train_labels), [5000] * 10)
    np.testing.assert_array_equal(np.bincount(data.test_labels), [1000] * 10)
    # the constants of the scaling are those of the images
    mean = data.train_images.mean(axis=(0, 2, 3)) / 255
    np.testing.assert_allclose(mean, (0.4914, 0.4822, 0.4465), atol=0.003)
